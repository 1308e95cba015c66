"""Scores by hand: loops and dictionaries, written from the scoring document alone, to hold the program against."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable
from statistics import median
from typing import Any

from questionnaires import Item, Questionnaire

TINY = 1e-9
TAU = 0.60
KAPPA = (0.30, 0.30, 0.30, 0.70)
LEVELS = ("information", "consultation", "collaboration", "partnership")
AXES = ("care", "services", "policy", "teaching", "research")
CONDITIONS = (
    "presence",
    "display",
    "decision",
    "training",
    "recognition",
    "feedback",
    "culture",
    "readiness",
    "status",
    "safeguard",
)
CRITERIA = ("decision", "training", "recognition")
CEILINGS = (("decision", 3), ("training", 3), ("recognition", 3), ("feedback", 2))
LENS_OF = {
    "direction": "declared",
    "quality": "declared",
    "professional": "declared",
    "teacher": "declared",
    "researcher": "declared",
    "patient_partner": "experienced",
    "patient": "experienced",
    "relative": "experienced",
    "association": "experienced",
}
LENSES = ("declared", "experienced")

Row = dict[str, Any]
Cell = dict[str, float | None]


def below(value: float, threshold: float) -> bool:
    """Below t means < t - 1e-9."""
    return value < threshold - TINY


def at_least(value: float, threshold: float) -> bool:
    """At least t means >= t - 1e-9."""
    return value >= threshold - TINY


def reference(
    questionnaire: Questionnaire,
    answers: Iterable[Row],
    *,
    evidence: Iterable[Row] = (),
    assessments: Iterable[Row] = (),
    on: dt.date,
    form: str = "full",
    ceilings: dict[str, str] | None = None,
) -> list[dict[str, Any]]:
    """Score rows in the long form; ``ceilings`` names the rule of each ceiling condition; no findings."""
    rows, proof, heads = list(answers), list(evidence), {row["assessment"]: row for row in assessments}
    ids = sorted({row["assessment"] for row in rows} | set(heads))
    return [
        Assessment(
            questionnaire,
            [row for row in rows if row["assessment"] == id_],
            [row for row in proof if row["assessment"] == id_],
            heads.get(id_, {}),
            on,
            form,
            ceilings or {condition: f"ceiling-{condition}" for condition, _ in CEILINGS},
        ).json(id_)
        for id_ in ids
    ]


class Assessment:
    """One assessment: what was answered in it, and its numbers."""

    def __init__(
        self,
        questionnaire: Questionnaire,
        answers: list[Row],
        evidence: list[Row],
        head: Row,
        on: dt.date,
        form: str,
        ceilings: dict[str, str],
    ) -> None:
        self.questionnaire, self.evidence, self.on, self.ceilings = questionnaire, evidence, on, ceilings
        self.form = head.get("form") or form
        self.items = [item for item in questionnaire.items if self.form == "full" or item.express]
        self.head = head
        put = {(item.id, lens) for item in self.items for lens in LENSES if item.asked_of(lens)}
        self.answers = [row for row in answers if (row["item"], LENS_OF[row["role"]]) in put]
        self.x = {
            (lens, item.id): self.lens_mean(lens, item)
            for lens in LENSES
            for item in self.items
            if item.asked_of(lens)
        }

    # --- from answers to a position -------------------------------------------------------------------------
    def given(self, lens: str, item: Item) -> list[Row]:
        """Every answer of a lens to an item."""
        return [row for row in self.answers if row["item"] == item.id and LENS_OF[row["role"]] == lens]

    def lens_mean(self, lens: str, item: Item) -> float | None:
        """Steps 1 to 3: values, role means, lens mean."""
        value_of = {option.id: option.value for option in self.questionnaire.options(item.id, lens)}
        top = bottom = 0.0
        for role in sorted({row["role"] for row in self.given(lens, item)}):
            said = [row["answer"] for row in self.given(lens, item) if row["role"] == role]
            values = [value_of[answer] for answer in said if answer in value_of]
            n, d = len(values), said.count("dk")
            if n > 0 and 3 * n >= n + d:
                weight = min(n, 5) / 5
                top += weight * (math.fsum(values) / n)
                bottom += weight
        return top / bottom if bottom else None

    def asked(self, lens: str, items: Iterable[Item]) -> list[Item]:
        """Those of the items that are put to a lens, less those to which every answer of the lens was ``na``."""
        found = []
        for item in items:
            if item.asked_of(lens):
                said = [row["answer"] for row in self.given(lens, item)]
                if not said or any(answer != "na" for answer in said):
                    found.append(item)
        return found

    def of_cell(self, axis: str, level: str) -> list[Item]:
        """The items of a cell."""
        return [item for item in self.items if item.axis == axis and item.level == level]

    @staticmethod
    def cell(asked: list[Item], x: dict[str, float | None], level: str) -> Cell:
        """Step 4: value, known, and both bounds of progress."""
        bounds = []
        for unknown in (0.0, 1.0):
            if not asked:
                bounds.append(unknown)
                continue
            filled = {item.id: unknown if x[item.id] is None else x[item.id] for item in asked}
            c = math.fsum(item.weight * filled[item.id] for item in asked) / math.fsum(
                i.weight for i in asked
            )
            p = min(1.0, c / TAU)
            core = [filled[item.id] for item in asked if item.core]
            if core:
                p = min(p, min(core) / KAPPA[LEVELS.index(level)])
            bounds.append(p)
        known = [item for item in asked if x[item.id] is not None]
        weight = math.fsum(item.weight for item in known)
        return {
            "value": math.fsum(item.weight * x[item.id] for item in known) / weight if known else None,
            "known": weight / math.fsum(item.weight for item in asked) if asked else None,
            "low": bounds[0],
            "high": bounds[1],
        }

    @staticmethod
    def position(progress: list[float]) -> float:
        """Step 5: P(q1..q4)."""
        total = 0.0
        for q in progress:
            total += q
            if q < 1 - TINY:
                break
        return total

    def lens(self, cells: dict[str, Cell]) -> dict[str, Any]:
        """Position, high, complete, level of four cells."""
        position = self.position([cells[level]["low"] for level in LEVELS])
        high = self.position([cells[level]["high"] for level in LEVELS])
        return {**standing(position, high), "cells": cells}

    def answering_lens(self, axis: str, lens: str) -> dict[str, Any] | None:
        """Declared or experienced on an axis."""
        levelled = [item for item in self.items if item.axis == axis and item.level and item.asked_of(lens)]
        if all(self.x[lens, item.id] is None for item in levelled):
            return None
        x = {item.id: self.x[lens, item.id] for item in levelled}
        return self.lens(
            {level: self.cell(self.asked(lens, self.of_cell(axis, level)), x, level) for level in LEVELS}
        )

    # --- documented -----------------------------------------------------------------------------------------
    def supports(self, piece: Row, item: Item) -> bool:
        """Step 6: kind in the list, accepted by another, dated by now and still valid."""
        date, until = as_day(piece["date"]), as_day(piece.get("valid_until"))
        if piece["item"] != item.id or piece["kind"] not in item.evidence or date is None:
            return False
        if not piece.get("accepted_by") or piece["accepted_by"] == piece["added_by"]:
            return False
        if date > self.on:
            return False
        return self.on <= until if until else (self.on - date).days <= 730

    def documented_x(self, item: Item) -> float | None:
        """What the evidence keeps of the declared value."""
        declared = self.x["declared", item.id]
        if declared is None:
            return None
        units = {piece["units"] for piece in self.evidence if self.supports(piece, item)}
        if "all" in units:
            return declared
        return min(declared, 0.30) if units else 0.0

    def documented(self, axis: str, declared: dict[str, Any] | None) -> dict[str, Any] | None:
        """Step 6: the documented lens of an axis."""
        if declared is None:
            return None
        cells = {}
        for level in LEVELS:
            asked = [item for item in self.asked("declared", self.of_cell(axis, level)) if item.evidence]
            own = self.cell(asked, {item.id: self.documented_x(item) for item in asked}, level)
            above = declared["cells"][level]
            own["low"] = min(above["low"], own["low"]) if asked else 0.0
            own["high"] = min(above["high"], own["high"]) if asked else above["high"]
            cells[level] = own
        return self.lens(cells)

    # --- retained -------------------------------------------------------------------------------------------
    def ceiling_bound(self, axis: str, condition: str, cap: int, unknown: float) -> float | None:
        """Step 7: one bound of a ceiling's condition, the lowest lens; none when nothing is asked."""
        found = []
        for lens in LENSES:
            asked = self.asked(
                lens,
                [
                    item
                    for item in self.items
                    if item.axis == axis
                    and item.condition == condition
                    and (item.level is None or number(item.level) <= cap + 1)
                ],
            )
            if asked:
                total = math.fsum(
                    item.weight * (unknown if self.x[lens, item.id] is None else self.x[lens, item.id])
                    for item in asked
                )
                found.append(total / math.fsum(item.weight for item in asked))
        return min(found) if found else None

    def retained(self, axis: str, declared: Any, experienced: Any) -> dict[str, Any] | None:
        """Step 8."""
        if declared is None or experienced is None:
            return None
        low = before = min(declared["position"], experienced["position"])
        high = min(declared["high"], experienced["high"])
        names = []
        for condition, cap in CEILINGS:
            for unknown in (0.0, 1.0):
                bound = self.ceiling_bound(axis, condition, cap, unknown)
                if bound is None or not below(bound, 0.50):
                    continue
                if unknown:
                    high = min(high, cap)
                else:
                    low = min(low, cap)
                    if below(cap, before):
                        names.append((cap, self.ceilings[condition]))
        return {
            **standing(low, high),
            "decided_by": "experienced"
            if below(experienced["position"], declared["position"])
            else "declared",
            "before_cap": before,
            "ceilings": [name for _, name in sorted(names)],
            "thin": any(count < 5 for count in self.respondents().values()),
        }

    # --- conditions, brakes, showcase -----------------------------------------------------------------------
    def index(self, lens: str, axis: str, condition: str, claimed: int) -> float | None:
        """A condition's index in one lens: items with a value, without level or of level <= max(3, claimed)."""
        items = [
            item
            for item in self.items
            if item.axis == axis
            and item.condition == condition
            and item.asked_of(lens)
            and (item.level is None or number(item.level) <= max(3, claimed))
            and self.x[lens, item.id] is not None
        ]
        if not items:
            return None
        return math.fsum(i.weight * self.x[lens, i.id] for i in items) / math.fsum(i.weight for i in items)

    def gap(self, axis: str) -> float | None:
        """Declared less experienced over the same questions."""
        both = [
            item
            for item in self.items
            if item.axis == axis
            and item.level
            and all(self.x.get((lens, item.id)) is not None for lens in LENSES)
        ]
        if len(both) < 3:
            return None
        top = math.fsum(i.weight * (self.x["declared", i.id] - self.x["experienced", i.id]) for i in both)
        return top / math.fsum(i.weight for i in both)

    def showcase(self, conditions: Any, declared: Any, gap: float | None, *, exposed: bool) -> dict[str, Any]:
        """State, index, failing and unproven of an axis."""
        combined = {one: (conditions[one] or {}).get("combined") for one in CRITERIA}
        failing = [one for one in CRITERIA if combined[one] is not None and below(combined[one], 0.50)]
        unproven = [one for one in CRITERIA if combined[one] is None]
        shown = [
            value
            for value in ((conditions[one] or {}).get("declared") for one in ("presence", "display"))
            if value is not None
        ]
        display = (conditions["display"] or {}).get("declared")
        state = "none"
        if exposed:
            wide = gap is not None and at_least(gap, 0.25)
            if len(failing) == 3 or ("decision" in failing and wide):
                state = "critical"
            elif failing:
                state = {1: "watch", 2: "high"}[len(failing)]
            else:
                state = "unproven" if unproven else "sound"
            start = as_day(self.head.get("programme_start"))
            if (
                failing
                and start is not None
                and months(start, self.on) < 24
                and declared is not None
                and below(declared["position"], 3)
                and gap is not None
                and below(gap, 0.25)
                and not (display is not None and at_least(display, 0.50))
            ):
                state = "emerging"
        index = None
        if shown and not unproven:
            index = 100 * max(shown) * (1 - math.fsum(combined.values()) / 3)
        return {"state": state, "index": index, "failing": failing, "unproven": unproven}

    # --- the whole ------------------------------------------------------------------------------------------
    def respondents(self) -> dict[str, int]:
        """Distinct ids with at least one answer, per lens."""
        return {
            lens: len({r["respondent"] for r in self.answers if LENS_OF[r["role"]] == lens})
            for lens in LENSES
        }

    def completeness(self, lens: str) -> float | None:
        """Options and ``dk`` given, over items put to each respondent less his ``na``."""
        own = [row for row in self.answers if LENS_OF[row["role"]] == lens]
        put = len([item for item in self.items if item.asked_of(lens)])
        people = {(row["respondent"], row["role"]) for row in own}
        na = len([row for row in own if row["answer"] == "na"])
        room = put * len(people) - na
        return (len(own) - na) / room if room else None

    def applicable(self, axis: str) -> bool:
        """Step 9."""
        on_axis = {item.id for item in self.items if item.axis == axis}
        said = [row["answer"] for row in self.answers if row["item"] in on_axis]
        out = (self.head.get("out_of_scope") or "").split()
        return axis not in out and not (said and all(answer == "na" for answer in said))

    def axis(self, axis: str) -> dict[str, Any]:
        """Everything about one axis."""
        lenses = {lens: self.answering_lens(axis, lens) for lens in LENSES}
        declared, experienced = lenses["declared"], lenses["experienced"]
        claimed = declared["level"] if declared else 0
        conditions: dict[str, Any] = {}
        for condition in CONDITIONS:
            sides = {lens: self.index(lens, axis, condition, claimed) for lens in LENSES}
            known = [value for value in sides.values() if value is not None]
            conditions[condition] = {**sides, "combined": min(known)} if known else None
        gap = self.gap(axis)
        attained = declared is not None and any(
            at_least(declared["cells"][level]["low"], 1) for level in ("collaboration", "partnership")
        )
        exposed = attained or any(
            side is not None and at_least(side, 0.50)
            for side in ((conditions[one] or {}).get("declared") for one in ("presence", "display"))
        )
        return {
            "applicable": self.applicable(axis),
            "unilateral": (declared is None) != (experienced is None),
            "declared": declared,
            "experienced": experienced,
            "documented": self.documented(axis, declared),
            "retained": self.retained(axis, declared, experienced),
            "gap": gap,
            "exposure": exposed,
            "conditions": conditions,
            "showcase": self.showcase(conditions, declared, gap, exposed=exposed),
        }

    def json(self, id_: str) -> dict[str, Any]:
        """The whole assessment, findings apart."""
        axes = {axis: self.axis(axis) for axis in AXES}
        kept = [
            one["retained"]["position"]
            for axis, one in axes.items()
            if axis != "policy" and one["applicable"] and one["retained"]
        ]
        return {
            "assessment": id_,
            "questionnaire": {"id": self.questionnaire.id, "version": self.questionnaire.version},
            "form": self.form,
            "on": self.on.isoformat(),
            "respondents": self.respondents(),
            "axes": axes,
            "summary": {
                "minimum": min(kept) if kept else None,
                "median": median(kept) if kept else None,
            },
            "completeness": {lens: self.completeness(lens) for lens in LENSES},
        }


def standing(position: float, high: float) -> dict[str, Any]:
    """What is shown of a pair of bounds."""
    return {
        "position": position,
        "high": high,
        "complete": high - position <= TINY,
        "level": math.floor(position + TINY),
    }


def number(level: str) -> int:
    """1 to 4."""
    return LEVELS.index(level) + 1


def as_day(text: Any) -> dt.date | None:
    """A date, from ISO text."""
    return dt.date.fromisoformat(text) if text else None


def months(start: dt.date, end: dt.date) -> int:
    """Whole calendar months from one day to another."""
    whole = (end.year - start.year) * 12 + end.month - start.month
    return whole - (end.day < start.day)
