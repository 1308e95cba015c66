"""From answers to everything the program says about an assessment, on any dataframe engine."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from statistics import median
from typing import Any

import narwhals as nw
import numpy as np
import numpy.typing as npt

from matrix import Matrix, load_matrix
from questionnaires import Questionnaire
from scoring.answers import People, Places, Table, Voices, gather, joined, lens_means
from scoring.ladder import (
    ANSWERING,
    DECLARED,
    DOCUMENTED,
    EPS,
    EXPERIENCED,
    FORMS,
    LENSES,
    Cells,
    Floats,
    Means,
    Plan,
    Retained,
    cells,
    gap,
    plan,
    positions,
    retained,
    with_documented,
)
from scoring.rules import FLAGS, STATES, Rulebook, Verdicts, judge, load_rulebook

CRITERIA = ("decision", "training", "recognition")
"""The three criteria of showcase partnership."""
APART = "policy"
"""A hospital contributes to health policy, it does not make it: the axis stays out of the summary."""


def score(
    questionnaire: Questionnaire,
    answers: Any,
    *,
    evidence: Any = None,
    assessments: Any = None,
    on: dt.date | None = None,
    form: str = "full",
    wide: bool | None = None,
    rulebook: Rulebook | None = None,
) -> Scores:
    """Score every assessment of a table of answers.

    Args:
        answers: a native dataframe (PyArrow, pandas, Polars eager or lazy, DuckDB, Spark) with the columns of
            ``answers``, long or wide; its engine does the work over all answers.
        evidence: a dataframe with the columns of ``evidence``; none: nothing is documented.
        assessments: a dataframe with the columns of ``assessments``; none: defaults for all.
        on: the scoring date, today by default.
        form: the form of assessments that do not name theirs.
        wide: whether answers are wide; recognised by the absence of an ``item`` column by default.
        rulebook: the rules to judge; the shipped ones by default.
    """
    matrix = load_matrix()
    rulebook = load_rulebook() if rulebook is None else rulebook
    on = on or dt.date.today()  # noqa: DTZ011  # a calendar date, wherever the hospital is
    table = Table.of(answers, questionnaire, matrix, wide=wide)
    heads = _heads(assessments, on, form)
    voices = _voices(table, heads, form)
    for id_ in voices.ids:
        heads.setdefault(id_, Head(id_, form=form))
    ordered = tuple(heads[id_] for id_ in sorted(heads))
    of = plan(questionnaire, matrix)
    support = _support(evidence, questionnaire, matrix, ordered, of, on)
    means = _means(voices, ordered, of, matrix, support)
    progress = cells(means, of, matrix)
    low, high = positions(progress)
    kept = retained(low, high, means, of, rulebook.ceilings, matrix)
    return Scores(
        questionnaire, matrix, rulebook, on, ordered, of, table, voices, means, progress, low, high, kept
    )


def positions_of(questionnaire: Questionnaire, answers: Any, *, form: str = "full", wide: bool = True) -> Any:
    """Positions only, for comparisons of very many institutions: (ids, low, high).

    ``low`` and ``high`` are arrays (assessment, lens, axis) of ``position`` and ``high``, NaN for none.
    """
    matrix = load_matrix()
    of = plan(questionnaire, matrix)
    voices = Table.of(answers, questionnaire, matrix, wide=wide).voices(form)
    heads = tuple(Head(id_, form=form) for id_ in voices.ids)
    nothing = np.zeros((len(heads), len(of.items)))
    low, high = positions(cells(_means(voices, heads, of, matrix, nothing), of, matrix))
    return voices.ids, low, high


@dataclass(frozen=True)
class Head:
    """What is known of an assessment besides its answers; ``months`` since the programme started, or none."""

    id: str
    kind: str = "assessment"
    form: str = "full"
    country: str = ""
    months: int | None = None
    out_of_scope: tuple[str, ...] = ()


def whole_months(start: dt.date, on: dt.date) -> int:
    """Whole calendar months from one date to another; a month is whole on the same day of the month.

    From 31 January to 28 February no month is whole; the result is negative before the start.
    """
    return (on.year - start.year) * 12 + on.month - start.month - (on.day < start.day)


def _texts(table: Any) -> Iterator[dict[str, str]]:
    """The rows of a small table as text, empty where nothing is given, whatever its engine calls that."""
    for row in gather(nw.from_native(table)).to_arrow().to_pylist():
        yield {key: "" if value is None else str(value) for key, value in row.items()}


def _heads(assessments: Any, on: dt.date, form: str) -> dict[str, Head]:
    if assessments is None:
        return {}
    heads = {}
    for text in _texts(assessments):
        start = text.get("programme_start")
        heads[text["assessment"]] = Head(
            text["assessment"],
            text.get("kind") or "assessment",
            text.get("form") or form,
            text.get("country", ""),
            whole_months(dt.date.fromisoformat(start[:10]), on) if start else None,
            tuple(text.get("out_of_scope", "").split()),
        )
    return heads


def _voices(table: Table, heads: Mapping[str, Head], form: str) -> Voices:
    """The voices of each form, put together; answers outside an assessment's form do not count."""
    other = [id_ for id_, head in heads.items() if head.form != form]
    if not other:
        return table.voices(form)
    second = next(one for one in FORMS if one != form)
    return joined([table.only(other, others=True).voices(form), table.only(other).voices(second)])


def _rows(voices: Voices, heads: Sequence[Head]) -> Places:
    """The assessment of each row of the voices, as its place among the heads."""
    place = {head.id: where for where, head in enumerate(heads)}
    return np.array([place[id_] for id_ in voices.ids], dtype=np.int64)[voices.assessment]


def _means(voices: Voices, heads: Sequence[Head], of: Plan, matrix: Matrix, support: Floats) -> Means:
    """What each lens says on each item; an item to which every answer was na is not asked."""
    x, alive, given = lens_means(voices, _rows(voices, heads), len(heads), matrix)
    asked = of.put[_forms(heads)] & ~((given > 0) & (alive == 0))
    return with_documented(np.where(asked, x, np.nan), asked, support, of)


def _forms(heads: Sequence[Head]) -> list[int]:
    return [FORMS.index(head.form) for head in heads]


def _support(
    evidence: Any, questionnaire: Questionnaire, matrix: Matrix, heads: Sequence[Head], of: Plan, on: dt.date
) -> Floats:
    """How far accepted and valid evidence supports each item of each assessment: 1, the single-unit share, or 0."""
    support = np.zeros((len(heads), len(of.items)))
    if evidence is None:
        return support
    at = matrix.thresholds
    day, first = on.isoformat(), (on - dt.timedelta(days=at.evidence_days)).isoformat()
    row_of = {head.id: row for row, head in enumerate(heads)}
    place_of = {item: place for place, item in enumerate(of.items)}
    kinds = {item.id: item.evidence for item in questionnaire.items}
    for piece in _texts(evidence):
        row, place = row_of.get(piece["assessment"]), place_of.get(piece["item"])
        if row is None or place is None or piece["kind"] not in kinds[piece["item"]]:
            continue
        dated, until = piece["date"][:10], piece.get("valid_until", "")[:10]
        valid = until >= day if until else dated >= first  # ISO dates compare as text
        accepted, added = piece["accepted_by"].strip(), piece["added_by"].strip()
        if accepted and accepted != added and valid and "" < dated <= day:
            support[row, place] = max(support[row, place], 1.0 if piece["units"] == "all" else at.single_unit)
    return support


@dataclass(frozen=True, eq=False)
class Scores:
    """The scores of some assessments: arrays by assessment, and the answers they came from.

    ``low`` and ``high`` are position and high (assessment, lens, axis), NaN for a lens without a value there.
    """

    questionnaire: Questionnaire
    matrix: Matrix
    rulebook: Rulebook
    on: dt.date
    heads: tuple[Head, ...]
    plan: Plan
    table: Table
    voices: Voices
    means: Means
    cells: Cells
    low: Floats
    high: Floats
    retained: Retained

    @cached_property
    def gap(self) -> Floats:
        """Declared minus experienced on the same items (assessment, axis)."""
        return gap(self.means, self.plan, self.matrix)

    @cached_property
    def conditions(self) -> Floats:
        """Index per assessment, side (declared, experienced, combined), axis and condition; NaN unknown.

        Items above both level 3 and the declared level stay out: nobody is accused of lacking what he does not claim.
        """
        of = self.plan
        shape = (len(self.heads), len(ANSWERING), len(of.axes), len(of.conditions))
        sides = slice(0, DOCUMENTED)
        claim = np.maximum(
            self.matrix.thresholds.claimed_level, np.floor(np.nan_to_num(self.low[:, DECLARED]) + EPS)
        )
        tagged = np.eye(len(of.conditions) + 1)[of.condition][
            :, :-1
        ]  # -1, no condition, marks the column cut off
        weight, total = np.zeros(shape), np.zeros(shape)
        for level in range(len(self.matrix.levels) + 1):
            here = (of.level == level)[:, None] * tagged
            where = (of.place[:, :, None] * here[:, None, :]).reshape(len(of.items), -1)
            if not where.any():
                continue
            _, known, x = self.means.sums(of, where, sides)
            claimed = (level <= claim)[:, None, :, None]
            weight += known.reshape(shape) * claimed
            total += x.reshape(shape) * claimed
        with np.errstate(invalid="ignore"):
            index = np.where(weight > 0, total / weight, np.nan)
        return np.concatenate([index, np.fmin.reduce(index, axis=1, keepdims=True)], axis=1)

    def condition(self, name: str, side: int) -> Floats:
        """One condition's index (assessment, axis): side 0 declared, 1 experienced, 2 combined."""
        place = self.plan.conditions.index(name)
        return self.conditions[:, side, :, place]

    @cached_property
    def applicable(self) -> npt.NDArray[np.bool_]:
        """Assessment, axis: false where every answer given is na, or the campaign leaves the axis out."""
        rows, place = _rows(self.voices, self.heads), self.plan.place
        alive, given = np.zeros((2, len(self.heads), len(self.plan.axes)))
        np.add.at(alive, rows, (self.voices.n + self.voices.d) @ place)
        np.add.at(given, rows, self.voices.a @ place)
        applicable: npt.NDArray[np.bool_] = ~((given > 0) & (alive == 0))
        for row, head in enumerate(self.heads):
            for name in head.out_of_scope:
                applicable[row, self.plan.axes.index(name)] = False
        return applicable

    @cached_property
    def showcase(self) -> dict[str, Floats]:
        """Per assessment and axis: exposure (NaN unknown), state (its place in ``STATES``), index (NaN unknown)."""
        at = self.matrix.thresholds
        presence, display = (self.condition(name, DECLARED) for name in ("presence", "display"))
        criteria = np.stack([self.condition(name, 2) for name in CRITERIA])
        short = criteria < at.condition - EPS
        failing, unproven = short.sum(0), np.isnan(criteria).any(0)
        shown = display >= at.exposure - EPS
        high_cell = (self.cells.low[:, DECLARED, :, 2:] >= 1 - EPS).any(-1) & ~np.isnan(self.low[:, DECLARED])
        exposed = high_cell | shown | (presence >= at.exposure - EPS)
        judgeable = ~(np.isnan(self.low[:, DECLARED]) & np.isnan(presence) & np.isnan(display))
        months = np.array([math.nan if head.months is None else head.months for head in self.heads])[:, None]
        young = (
            (months < at.emerging_months)
            & (self.low[:, DECLARED] < at.emerging_position - EPS)
            & (self.gap < at.gap - EPS)
            & ~shown
        )
        name = {state: place for place, state in enumerate(STATES)}
        pattern = short[0] & (self.gap >= at.gap - EPS)
        state = np.where(pattern, name["critical"], name["watch"] + failing - 1)
        state = np.where(young, name["emerging"], state)
        state = np.where(failing == 0, np.where(unproven, name["unproven"], name["sound"]), state)
        state = np.where(exposed, state, name["none"])
        index = 100 * np.fmax(presence, display) * (1 - criteria.mean(0))
        return {
            "exposure": np.where(judgeable, exposed, np.nan),
            "state": state.astype(float),
            "index": index,
        }

    @cached_property
    def people(self) -> People:
        """Who answered, by assessment."""
        ids = [head.id for head in self.heads]
        mine = {form: [head.id for head in self.heads if head.form == form] for form in FORMS}
        used = [form for form in FORMS if mine[form]]
        if len(used) == 1:
            return self.table.people(used[0], ids)
        full, express = (self.table.only(mine[form]).people(form, ids) for form in FORMS)
        return People(
            full.respondents + express.respondents,
            full.forms + express.forms,
            np.fmax(full.staff, express.staff),
        )

    @cached_property
    def completeness(self) -> Floats:
        """Share answered of what was put to each answering lens (assessment, lens); NaN when nothing was."""
        alive = self.voices.n + self.voices.d
        given, na = np.zeros((2, len(self.heads), len(ANSWERING)))
        at = (_rows(self.voices, self.heads), self.voices.lens(self.matrix))
        np.add.at(given, at, alive.sum(1))
        np.add.at(na, at, (self.voices.a - alive).sum(1))
        asked = self.plan.put.sum(-1)[_forms(self.heads)] * self.people.forms - na
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(asked > 0, given / asked, np.nan)

    @cached_property
    def facts(self) -> Floats:
        """Everything a rule can see (assessment, fact), in the order of ``fact_names``; NaN is unknown."""
        size = len(self.heads)
        whole = np.where(self.high - self.low <= EPS, self.low, np.nan)
        kept = np.where(self.retained.high - self.retained.position <= EPS, self.retained.position, np.nan)
        missing = np.isnan(self.low)
        known_cells = np.where(self.cells.known >= 1 - EPS, self.cells.value, np.nan)[:, :DOCUMENTED]
        declared_and = [whole[:, lens] for lens in range(3)]
        axis = [
            *declared_and,
            kept,
            whole[:, DECLARED] - whole[:, DOCUMENTED],
            self.gap,
            self.showcase["index"],
            self.applicable,
            self.showcase["exposure"],
            missing[:, DECLARED] != missing[:, EXPERIENCED],
            self.showcase["state"],
        ]
        x = np.where(self.means.asked, self.means.x, np.nan)
        both = np.fmin(x[:, DECLARED], x[:, EXPERIENCED])
        proof = self.means.asked[:, DECLARED] & self.plan.proof & (x[:, DECLARED] > 0)
        with np.errstate(invalid="ignore", divide="ignore"):
            coverage = (proof & (x[:, DOCUMENTED] > 0)).sum(1) / proof.sum(1)
            combined = self.conditions[:, 2]
            has = ~np.isnan(combined)
            overall = np.where(has, combined, 0).sum(1) / has.sum(1)
        months = np.array([math.nan if head.months is None else head.months for head in self.heads])
        facts = np.concatenate(
            [
                *(np.asarray(one, dtype=float) for one in axis),
                self.conditions.reshape(size, -1),
                known_cells.reshape(size, -1),
                x.reshape(size, -1),
                both,
                overall,
                self.people.respondents,
                self.completeness,
                np.stack([self.people.staff, coverage, months], axis=1),
            ],
            axis=1,
        )
        facts[self._silent] = np.nan
        return facts

    @cached_property
    def _silent(self) -> npt.NDArray[np.bool_]:
        """Assessment, fact: the facts of an axis that is not applicable, on which nothing is judged."""
        axes = self.plan.axes
        of_item = {
            f"item.{item}": axes[axis] for item, axis in zip(self.plan.items, self.plan.axis, strict=True)
        }
        owner = [
            -1 if name.endswith(".applicable") else axes.index(head) if head in axes else -1
            for name in self.fact_names
            for head in [of_item.get(name.rpartition(".")[0]) or name.partition(".")[0]]
        ]
        closed = np.column_stack([~self.applicable, np.zeros(len(self.heads), dtype=bool)])
        silent: npt.NDArray[np.bool_] = closed[:, owner]
        return silent

    @property
    def fact_names(self) -> tuple[str, ...]:
        """The facts, in the order of the columns of ``facts``."""
        return _fact_names(self.plan, self.matrix)

    @cached_property
    def verdicts(self) -> Verdicts:
        """Every rule judged on every assessment."""
        return judge(self.facts, self.fact_names, self.rulebook)

    def to_json(self) -> list[dict[str, Any]]:
        """One object per assessment, sorted by id, as ``pomey score --format json`` prints it."""
        return [self._object(row) for row in range(len(self.heads))]

    def _object(self, row: int) -> dict[str, Any]:
        head = self.heads[row]
        reading = head.kind == "reading"
        respondents, completeness = self.people.respondents, self.completeness
        thin = bool((respondents[row] < self.matrix.thresholds.n_min).any())
        axes = {
            name: self._axis(row, axis, thin=thin, reading=reading)
            for axis, name in enumerate(self.plan.axes)
        }
        kept = [
            one["retained"]["position"]
            for name, one in axes.items()
            if one["retained"] is not None and one["applicable"] and name != APART
        ]
        found, unjudged = ([], []) if reading else self.verdicts.of(row, self._silent[row])
        result: dict[str, Any] = {
            "assessment": head.id,
            "questionnaire": {"id": self.questionnaire.id, "version": self.questionnaire.version},
            "form": head.form,
            "on": self.on.isoformat(),
            "respondents": {lens: int(respondents[row, place]) for place, lens in enumerate(ANSWERING)},
            "axes": axes,
            "summary": {"minimum": min(kept, default=None), "median": median(kept) if kept else None},
            "completeness": {lens: _plain(completeness[row, place]) for place, lens in enumerate(ANSWERING)},
            "findings": [self._advisory(one, head) for one in found],
            "unjudged": unjudged,
        }
        return result | {"kind": "reading"} if reading else result

    def _advisory(self, finding: dict[str, Any], head: Head) -> dict[str, Any]:
        """A rule of another country's law is an advisory note, and says so."""
        law = self.rulebook[finding["rule"]].jurisdiction
        if law in ("be", "fr", "ca") and head.country and head.country.lower() != law:
            return {**finding, "advisory": True}
        return finding

    def _axis(self, row: int, axis: int, *, thin: bool, reading: bool) -> dict[str, Any]:
        kept, state = self.retained, self.showcase
        result: dict[str, Any] = {
            "applicable": bool(self.applicable[row, axis]),
            "unilateral": bool(np.isnan(self.low[row, :DOCUMENTED, axis]).sum() == 1),
        }
        for lens, name in enumerate(LENSES):
            result[name] = self._lens(row, lens, axis, reading=reading)
        result["retained"] = None
        if not math.isnan(kept.position[row, axis]):
            before = float(kept.before[row, axis])
            caps = sorted(
                (one.cap, one.id)
                for place, one in enumerate(self.rulebook.ceilings)
                if kept.holds[place, row, axis] and one.cap < before - EPS
            )
            patients_lower = self.low[row, EXPERIENCED, axis] < self.low[row, DECLARED, axis] - EPS
            result["retained"] = {
                **_bounds(kept.position[row, axis], kept.high[row, axis]),
                "decided_by": "experienced" if patients_lower else "declared",
                "before_cap": before,
                "ceilings": [name for _, name in caps],
                "thin": thin,
            }
        result["gap"] = _plain(self.gap[row, axis])
        result["exposure"] = not reading and bool(state["exposure"][row, axis] == 1)
        sides = (*ANSWERING, "combined")
        result["conditions"] = {
            name: None
            if math.isnan(self.conditions[row, 2, axis, place])
            else {side: _plain(self.conditions[row, at, axis, place]) for at, side in enumerate(sides)}
            for place, name in enumerate(self.plan.conditions)
        }
        result["showcase"] = {"state": None, "index": None, "failing": [], "unproven": []}
        if not reading:
            short = self.matrix.thresholds.condition - EPS
            lowest = {name: self.condition(name, 2)[row, axis] for name in CRITERIA}
            result["showcase"] = {
                "state": STATES[int(state["state"][row, axis])],
                "index": _plain(state["index"][row, axis]),
                "failing": [name for name, value in lowest.items() if value < short],
                "unproven": [name for name, value in lowest.items() if math.isnan(value)],
            }
        return result

    def _lens(self, row: int, lens: int, axis: int, *, reading: bool) -> dict[str, Any] | None:
        if math.isnan(self.low[row, lens, axis]):
            return None
        of = self.cells
        own = {
            level.id: {
                "value": _plain(of.value[row, lens, axis, place]),
                "known": _plain(of.known[row, lens, axis, place]),
                "low": float(of.low[row, lens, axis, place]),
                "high": float(of.high[row, lens, axis, place]),
            }
            for place, level in enumerate(self.matrix.levels)
        }
        if reading:  # a text shows cells; a headline would make it an evaluation
            return {"position": None, "high": None, "complete": False, "level": None, "cells": own}
        return {**_bounds(self.low[row, lens, axis], self.high[row, lens, axis]), "cells": own}

    def trace(self, assessment: str) -> list[dict[str, Any]]:
        """The answers behind every cell of an assessment, a row per lens, item and role that was asked.

        Keys: axis, level (id, or none), condition, lens, item, role, n, dk, na, mean (of the role), x (of the
        lens), weight, core, low, high (progress of the item's cell). Role is none where nobody of the lens answered.
        """
        row = next(place for place, head in enumerate(self.heads) if head.id == assessment)
        roles, voices = self.matrix.ids("roles"), self.voices
        mine = np.flatnonzero(_rows(voices, self.heads) == row)
        lens_of = voices.lens(self.matrix)
        rows = []
        for place, item in enumerate(self.questionnaire.items):
            axis, level = self.plan.axis[place], self.plan.level[place]
            for lens, name in enumerate(ANSWERING):
                if not self.means.asked[row, lens, place]:
                    continue
                bounds = {
                    key: float(bound[row, lens, axis, level - 1]) if level else None
                    for key, bound in (("low", self.cells.low), ("high", self.cells.high))
                }
                said: list[int | None] = [
                    int(v) for v in mine if lens_of[v] == lens and voices.a[v, place] > 0
                ]
                for voice in said or [None]:
                    n, d, a = (
                        0 if voice is None else int(of[voice, place]) for of in (voices.n, voices.d, voices.a)
                    )
                    rows.append(
                        {
                            "axis": item.axis,
                            "level": item.level,
                            "condition": item.condition,
                            "lens": name,
                            "item": item.id,
                            "role": None if voice is None else roles[voices.role[voice]],
                            "n": n,
                            "dk": d,
                            "na": a - n - d,
                            "mean": float(voices.s[voice, place]) / n if n else None,
                            "x": _plain(self.means.x[row, lens, place]),
                            "weight": item.weight,
                            "core": item.core,
                            **bounds,
                        }
                    )
        return rows


@lru_cache(maxsize=16)
def _fact_names(of: Plan, matrix: Matrix) -> tuple[str, ...]:
    """The names of the facts, in the order in which ``Scores.facts`` lays them out."""
    per_axis = [*LENSES, "retained", "undocumented", "gap", "index", *FLAGS, "state"]
    sides = (*(f".{lens}" for lens in ANSWERING), "")
    levels = matrix.ids("levels")
    return (
        *(f"{axis}.{name}" for name in per_axis for axis in of.axes),
        *(f"{axis}.{condition}{side}" for side in sides for axis in of.axes for condition in of.conditions),
        *(f"{axis}.cell.{level}.{lens}" for lens in ANSWERING for axis in of.axes for level in levels),
        *(f"item.{item}.{lens}" for lens in (*LENSES, "combined") for item in of.items),
        *(f"overall.{condition}" for condition in of.conditions),
        *(f"{kind}.{lens}" for kind in ("respondents", "completeness") for lens in ANSWERING),
        "channel.staff_entered",
        "evidence.coverage",
        "programme.months",
    )


def _plain(value: float) -> float | None:
    """A number as JSON carries it; NaN is none."""
    return None if math.isnan(value) else float(value)


def _bounds(position: float, high: float) -> dict[str, Any]:
    return {
        "position": float(position),
        "high": float(high),
        "complete": bool(high - position <= EPS),
        "level": math.floor(position + EPS),
    }
