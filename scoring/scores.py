"""From answers to everything the program says about an assessment, on any dataframe engine."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

import narwhals as nw

from matrix import Matrix, load_matrix
from questionnaires import Questionnaire
from scoring.answers import Eager, gather, small_backend, tally
from scoring.ladder import (
    ANSWERING,
    EPS,
    asked_items,
    ceilings_that_hold,
    cells,
    frame,
    lens_means,
    positions,
    put,
)
from scoring.rules import STATES, Rulebook, findings, judge, load_rulebook

col = nw.col
CRITERIA = ("decision", "training", "recognition")
"""The three criteria of showcase partnership."""
SUMMARY_APART = "policy"
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
            ``answers``, long or wide; its engine does the work.
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
    table: Any = nw.from_native(answers)
    backend = small_backend(table)
    heads = _heads(assessments, on, form)
    wide = "item" not in table.collect_schema().names() if wide is None else wide
    counts = _tallies(table, questionnaire, matrix, heads, form, wide=wide)
    missing = sorted(set(counts.people["assessment"].to_list()) - heads.keys())
    heads |= {id_: Head(id_, form=form) for id_ in missing}
    return _Scorer(questionnaire, matrix, rulebook, heads, on, backend).run(counts, evidence)


def positions_of(questionnaire: Questionnaire, answers: Any, *, form: str = "full", wide: bool = True) -> Eager:
    """Positions only, per assessment, lens and axis: what a comparison of many institutions needs."""
    matrix = load_matrix()
    table: Any = nw.from_native(answers)
    backend = small_backend(table)
    roles = tally(table, questionnaire, matrix, form, wide=wide).roles
    heads = roles.select("assessment").unique().with_columns(form=nw.lit(form))
    items = asked_items(heads, put(questionnaire, matrix, backend), lens_means(roles, matrix), None, matrix)
    return positions(cells(heads, items, matrix)).filter(col("wk") > 0)


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


def _heads(assessments: Any, on: dt.date, form: str) -> dict[str, Head]:
    if assessments is None:
        return {}
    heads = {}
    for row in gather(nw.from_native(assessments)).rows(named=True):
        text = {key: "" if _none(value) is None else str(value) for key, value in row.items()}
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


def _tallies(
    table: Any, questionnaire: Questionnaire, matrix: Matrix, heads: Mapping[str, Head], form: str, *, wide: bool
) -> Any:
    """The tally of each form, put together; answers outside an assessment's form do not count."""
    other = [id_ for id_, head in heads.items() if head.form != form]
    if not other:
        return tally(table, questionnaire, matrix, form, wide=wide)
    second = "express" if form == "full" else "full"
    mine = tally(table.filter(~col("assessment").is_in(other)), questionnaire, matrix, form, wide=wide)
    theirs = tally(table.filter(col("assessment").is_in(other)), questionnaire, matrix, second, wide=wide)
    staff = [one.staff for one in (mine, theirs) if one.staff is not None]
    return type(mine)(
        nw.concat([mine.roles, theirs.roles]),
        nw.concat([mine.people, theirs.people]),
        nw.concat(staff) if staff else None,
    )


class _Scorer:
    """The steps of one scoring run; the long ones live in ``ladder`` and ``rules``."""

    def __init__(
        self,
        questionnaire: Questionnaire,
        matrix: Matrix,
        rulebook: Rulebook,
        heads: dict[str, Head],
        on: dt.date,
        backend: nw.Implementation,
    ) -> None:
        self.questionnaire, self.matrix, self.rulebook, self.heads = questionnaire, matrix, rulebook, heads
        self.on, self.backend = on, backend
        self.at = matrix.thresholds

    def run(self, counts: Any, evidence: Any) -> Scores:
        ids = sorted(self.heads)
        rows = [
            {"assessment": i, "form": self.heads[i].form, "months": self.heads[i].months} for i in ids
        ]
        types = {"assessment": nw.String(), "form": nw.String(), "months": nw.Float64()}
        heads = frame(rows, types, self.backend)
        puts = put(self.questionnaire, self.matrix, self.backend)
        means = lens_means(counts.roles, self.matrix)
        items = asked_items(heads, puts, means, self._support(evidence), self.matrix)
        ladder = cells(heads, items, self.matrix)
        pos = positions(ladder)
        answered = pos.filter((col("wk") > 0) | (col("lens") == "documented"))
        hold = ceilings_that_hold(
            items, answered.select("assessment", "lens", "axis"), self.rulebook.ceilings, self.matrix
        )
        axes = self._axes(heads, answered, items, counts.roles, puts, hold)
        conditions, combined = self._conditions(items, axes)
        axes = self._showcase(axes, conditions, combined)
        completeness = self._completeness(counts, heads, puts)
        facts = self._facts(heads, answered, axes, conditions, combined, ladder, items, counts, completeness)
        judged = [i for i in ids if self.heads[i].kind != "reading"]
        inapplicable = axes.filter(col("applicable") < 1).select("assessment", "axis")
        decided = judge(
            facts,
            frame([{"assessment": i} for i in judged], {"assessment": nw.String()}, self.backend),
            inapplicable,
            self.rulebook,
        )
        return Scores(
            self.questionnaire, self.matrix, self.rulebook, self.heads, self.on, counts, items, ladder, axes,
            conditions, combined, completeness, facts, decided, hold,
        )

    def _support(self, evidence: Any) -> Eager | None:
        """Per assessment and item: cap, what its accepted and valid pieces of evidence support."""
        if evidence is None:
            return None
        eager = nw.from_arrow(gather(nw.from_native(evidence)).to_arrow(), backend=self.backend)
        if not len(eager):
            return None
        listed = [{"item": i.id, "kind": kind} for i in self.questionnaire.items for kind in i.evidence]
        kinds = frame(listed, {"item": nw.String(), "kind": nw.String()}, self.backend)
        day, first = self.on.isoformat(), (self.on - dt.timedelta(days=self.at.evidence_days)).isoformat()
        until = col("valid_until").fill_null("")
        accepted = col("accepted_by").fill_null("").str.strip_chars()
        added = col("added_by").fill_null("").str.strip_chars()
        # ISO dates compare as text
        valid = ((until != "") & (until >= day)) | ((until == "") & (col("date") >= first))
        return (
            eager.join(kinds, on=["item", "kind"], how="inner")
            .filter((accepted != "") & (accepted != added) & (col("date") <= day) & valid)
            .with_columns(cap=nw.when(col("units") == "all").then(nw.lit(1.0)).otherwise(nw.lit(self.at.single_unit)))
            .group_by("assessment", "item")
            .agg(col("cap").max())
        )

    def _axes(self, heads: Eager, answered: Eager, items: Eager, roles: Eager, puts: Eager, hold: Eager) -> Eager:
        """A row per assessment and axis: positions of each lens, retained, ceilings, gap, applicable."""
        axes = heads.select("assessment", "months").join(
            frame([{"axis": a} for a in self.matrix.ids("axes")], {"axis": nw.String()}, self.backend), how="cross"
        )
        for lens, short in (("declared", "d"), ("experienced", "e"), ("documented", "o")):
            own = answered.filter(col("lens") == lens).select(
                "assessment", "axis", **{short: col("position"), f"{short}h": col("high"), f"{short}t": col("top")}
            )
            axes = axes.join(own, on=["assessment", "axis"], how="left")
        caps = hold.with_columns(
            cap_low=col("cap").cast(nw.Float64),
            cap_high=nw.when(col("high") < self.at.condition - EPS)
            .then(col("cap").cast(nw.Float64))
            .otherwise(nw.lit(4.0)),
        )
        axes = axes.join(
            caps.group_by("assessment", "axis").agg(col("cap_low").min(), col("cap_high").min()),
            on=["assessment", "axis"],
            how="left",
        )
        both = ~(col("d").is_null() | col("e").is_null())
        axes = axes.with_columns(
            before=nw.when(both).then(nw.min_horizontal("d", "e")),
            before_high=nw.when(both).then(nw.min_horizontal("dh", "eh")),
            # proof is of declared items: without a declared position there is nothing to document
            o=nw.when(~col("d").is_null()).then(col("o")),
            oh=nw.when(~col("d").is_null()).then(col("oh")),
        ).with_columns(
            retained=nw.when(both).then(nw.min_horizontal("before", "cap_low")),
            retained_high=nw.when(both).then(nw.min_horizontal("before_high", "cap_high")),
        )
        return axes.join(self._gap(items), on=["assessment", "axis"], how="left").join(
            self._applicable(roles, puts), on=["assessment", "axis"], how="left"
        ).with_columns(col("applicable").fill_null(1.0))

    def _gap(self, items: Eager) -> Eager:
        known = items.filter((col("level") > 0) & ~col("x").is_null())
        declared, experienced = (known.filter(col("lens") == lens) for lens in ANSWERING)
        return (
            declared.select("assessment", "axis", "item", "w", xd=col("x"))
            .join(experienced.select("assessment", "item", xe=col("x")), on=["assessment", "item"], how="inner")
            .with_columns(difference=col("w") * (col("xd") - col("xe")))
            .group_by("assessment", "axis")
            .agg(col("difference").sum(), col("w").sum(), nw.len().alias("shared"))
            .filter(col("shared") >= self.at.gap_items)
            .select("assessment", "axis", gap=col("difference") / col("w"))
        )

    def _applicable(self, roles: Eager, puts: Eager) -> Eager:
        """Axes that are not applicable: every answer is na, or the campaign says so; applicable is 0 there."""
        where = puts.select("item", "axis").unique()
        silent = (
            roles.join(where, on="item", how="inner")
            .group_by("assessment", "axis")
            .agg(col("n").sum(), col("d").sum())
            .filter(col("n") + col("d") == 0)
            .select("assessment", "axis", applicable=nw.lit(0.0))
        )
        said = [{"assessment": h.id, "axis": a, "applicable": 0.0} for h in self.heads.values() for a in h.out_of_scope]
        if not said:
            return silent
        types = {"assessment": nw.String(), "axis": nw.String(), "applicable": nw.Float64()}
        return nw.concat([silent, frame(said, types, self.backend)]).unique(["assessment", "axis"])

    def _conditions(self, items: Eager, axes: Eager) -> tuple[Eager, Eager]:
        """Indices per assessment, lens, axis and condition, and combined: the lower of both sides."""
        claims = axes.select(
            "assessment",
            "axis",
            claim=nw.max_horizontal(
                nw.lit(float(self.at.claimed_level)), (col("d").fill_null(0.0) + EPS).floor()
            ),
        )
        by_lens = (
            items.filter((col("condition") != "") & (col("wk") > 0))
            .join(claims, on=["assessment", "axis"], how="inner")
            .filter(col("level") <= col("claim"))
            .group_by("assessment", "lens", "axis", "condition")
            .agg(col("w").sum(), col("wx").sum())
            .select("assessment", "lens", "axis", "condition", index=col("wx") / col("w"))
        )
        return by_lens, by_lens.group_by("assessment", "axis", "condition").agg(col("index").min())

    def _showcase(self, axes: Eager, conditions: Eager, combined: Eager) -> Eager:
        """Adds exposure, state (its place in ``STATES``) and index to the axes."""
        keys = ["assessment", "axis"]
        declared = conditions.filter(col("lens") == "declared")
        for source, condition, name in (
            (declared, "presence", "presence"),
            (declared, "display", "display"),
            *((combined, one, one) for one in CRITERIA),
        ):
            own = source.filter(col("condition") == condition).select(*keys, **{name: col("index")})
            axes = axes.join(own, on=keys, how="left")
        at = self.at
        flag = lambda condition: condition.fill_null(False).cast(nw.Float64)  # noqa: E731, FBT003
        fails = [flag(col(one) < at.condition - EPS) for one in CRITERIA]
        unknown = [col(one).is_null().cast(nw.Float64) for one in CRITERIA]
        axes = axes.with_columns(
            failing=fails[0] + fails[1] + fails[2],
            unproven=unknown[0] + unknown[1] + unknown[2],
            undecided=fails[0],
            shown=flag(col("display") >= at.exposure - EPS),
            seen=flag(col("presence") >= at.exposure - EPS),
            wide=flag(col("gap") >= at.gap - EPS),
            young=flag(
                (col("months") < at.emerging_months)
                & (col("d") < at.emerging_position - EPS)
                & (col("gap") < at.gap - EPS)
            ),
            judgeable=1.0
            - (col("d").is_null() & col("presence").is_null() & col("display").is_null()).cast(nw.Float64),
        ).with_columns(exposed=nw.max_horizontal(col("dt").fill_null(0.0), col("shown"), col("seen")))
        watch, critical, emerging = (float(STATES.index(s)) for s in ("watch", "critical", "emerging"))
        failing = nw.max_horizontal(col("failing") + watch - 1, critical * col("undecided") * col("wide"))
        fine = 1.0 + (col("unproven") > 0).cast(nw.Float64)
        return axes.with_columns(
            state=nw.when(col("exposed") < 1)
            .then(nw.lit(0.0))
            .when(col("failing") < 1)
            .then(fine)
            .when((col("young") > 0) & (col("shown") < 1))
            .then(nw.lit(emerging))
            .otherwise(failing),
            exposure=nw.when(col("judgeable") > 0).then(col("exposed")),
            index=100
            * nw.max_horizontal("presence", "display")
            * (1 - (col("decision") + col("training") + col("recognition")) / 3),
            unilateral=(col("d").is_null() != col("e").is_null()).cast(nw.Float64),
            undocumented=nw.when((col("dh") - col("d") <= EPS) & (col("oh") - col("o") <= EPS)).then(
                col("d") - col("o")
            ),
        )

    def _completeness(self, counts: Any, heads: Eager, puts: Eager) -> Eager:
        """Per assessment and lens: respondents, and the share of what was put to them that they answered."""
        size = puts.group_by("form", "lens").agg(nw.len().alias("put"))
        given = (
            counts.roles.with_columns(given=col("n") + col("d"), na=col("a") - col("n") - col("d"))
            .group_by("assessment", "lens")
            .agg(col("given").sum(), col("na").sum())
        )
        asked = col("put") * col("forms") - col("na")
        return (
            counts.people.join(heads.select("assessment", "form"), on="assessment", how="inner")
            .join(size, on=["form", "lens"], how="inner")
            .join(given, on=["assessment", "lens"], how="inner")
            .select(
                "assessment", "lens", "respondents", completeness=nw.when(asked > 0).then(col("given") / asked)
            )
        )

    def _facts(
        self,
        heads: Eager,
        answered: Eager,
        axes: Eager,
        conditions: Eager,
        combined: Eager,
        ladder: Eager,
        items: Eager,
        counts: Any,
        completeness: Eager,
    ) -> Eager:
        """Everything a rule can see, long: assessment, fact, value; what is not there is unknown."""

        def named(table: Eager, value: str, *parts: Any) -> Eager:
            fact = nw.concat_str(*parts, separator=".")
            return table.select("assessment", fact=fact, value=col(value).cast(nw.Float64))

        whole = answered.filter((col("lens") != "documented") & (col("high") - col("position") <= EPS))
        known_cells = ladder.filter((col("known") >= 1 - EPS) & (col("lens") != "documented")).join(
            frame(
                [{"level": one.number, "name": one.id} for one in self.matrix.levels],
                {"level": nw.Int64(), "name": nw.String()},
                self.backend,
            ),
            on="level",
            how="inner",
        )
        columns = ["gap", "index", "state", "exposure", "unilateral", "undocumented", "applicable"]
        axis = axes.with_columns(
            retained=nw.when(col("retained_high") - col("retained") <= EPS).then(col("retained")),
            documented=nw.when(col("oh") - col("o") <= EPS).then(col("o")),
        ).unpivot([*columns, "retained", "documented"], index=["assessment", "axis"], variable_name="name")
        with_value = items.filter(~col("x").is_null())
        both = with_value.filter(col("lens") != "documented").group_by("assessment", "item").agg(col("x").min())
        proof = items.filter((col("proof") > 0) & (col("x") > 0)).group_by("assessment", "lens").agg(nw.len().alias("k"))
        coverage = (
            proof.filter(col("lens") == "declared")
            .select("assessment", claimed=col("k"))
            .join(
                proof.filter(col("lens") == "documented").select("assessment", "k"), on="assessment", how="left"
            )
            .with_columns(value=col("k").fill_null(0) / col("claimed"))
        )
        overall = combined.group_by("assessment", "condition").agg(col("index").mean())
        sides = heads.select("assessment").join(
            frame([{"lens": lens} for lens in ANSWERING], {"lens": nw.String()}, self.backend), how="cross"
        ).join(completeness, on=["assessment", "lens"], how="left").with_columns(col("respondents").fill_null(0))
        lit = nw.lit
        parts = [
            named(whole, "position", col("axis"), col("lens")),
            named(axis, "value", col("axis"), col("name")),
            named(conditions, "index", col("axis"), col("condition"), col("lens")),
            named(combined, "index", col("axis"), col("condition")),
            named(known_cells, "value", col("axis"), lit("cell"), col("name"), col("lens")),
            named(with_value, "x", lit("item"), col("item"), col("lens")),
            named(both, "x", lit("item"), col("item"), lit("combined")),
            named(overall, "index", lit("overall"), col("condition")),
            named(sides, "respondents", lit("respondents"), col("lens")),
            named(sides, "completeness", lit("completeness"), col("lens")),
            named(coverage, "value", lit("evidence"), lit("coverage")),
            named(heads, "months", lit("programme"), lit("months")),
        ]
        if counts.staff is not None:
            parts.append(named(counts.staff, "staff", lit("channel"), lit("staff_entered")))
        return nw.concat(parts).filter(~col("value").is_null())


def _none(value: Any) -> Any:
    """A missing value is none, whatever the engine calls it."""
    return None if value is None or value != value else value  # noqa: PLR0124  # NaN is the one unequal to itself


def _grouped(table: Eager, *keys: str) -> dict[Any, Any]:
    """Rows of a small table by their keys, as plain values."""
    rows: dict[Any, Any] = {}
    for row in table.rows(named=True):
        plain = {name: _none(value) for name, value in row.items()}
        rows[tuple(plain[key] for key in keys)] = plain
    return rows


@dataclass(frozen=True, eq=False)
class Scores:
    """The scores of some assessments: small frames that explain each other, keyed by assessment and axis."""

    questionnaire: Questionnaire
    matrix: Matrix
    rulebook: Rulebook
    heads: dict[str, Head]
    on: dt.date
    counts: Any
    items: Eager
    cells: Eager
    axes: Eager
    conditions: Eager
    combined: Eager
    completeness: Eager
    facts: Eager
    decided: Eager
    hold: Eager

    def to_json(self) -> list[dict[str, Any]]:
        """One object per assessment, sorted by id, as ``pomey score --format json`` prints it."""
        axes = _grouped(self.axes, "assessment", "axis")
        cells = _grouped(self.cells, "assessment", "lens", "axis", "level")
        indices = _grouped(self.conditions, "assessment", "axis", "condition", "lens")
        sides = _grouped(self.completeness, "assessment", "lens")
        holding: dict[Any, list[tuple[int, str]]] = {}
        for row in self.hold.rows(named=True):
            holding.setdefault((row["assessment"], row["axis"]), []).append((int(row["cap"]), row["ceiling"]))
        found, unjudged = findings(self.decided, self.rulebook)
        results = []
        for id_ in sorted(self.heads):
            head = self.heads[id_]
            reading = head.kind == "reading"
            respondents = {lens: int(sides.get((id_, lens), {}).get("respondents") or 0) for lens in ANSWERING}
            thin = any(count < self.matrix.thresholds.n_min for count in respondents.values())
            result: dict[str, Any] = {
                "assessment": id_,
                "questionnaire": {"id": self.questionnaire.id, "version": self.questionnaire.version},
                "form": head.form,
                "on": self.on.isoformat(),
                "respondents": respondents,
                "axes": {
                    axis: self._axis(axes[id_, axis], id_, axis, cells, indices, holding, thin=thin, reading=reading)
                    for axis in self.matrix.ids("axes")
                },
            }
            retained = [
                one["retained"]["position"]
                for axis, one in result["axes"].items()
                if one["retained"] is not None and one["applicable"] and axis != SUMMARY_APART
            ]
            result["summary"] = {
                "minimum": min(retained, default=None),
                "median": median(retained) if retained else None,
            }
            result["completeness"] = {lens: sides.get((id_, lens), {}).get("completeness") for lens in ANSWERING}
            result["findings"] = [self._advisory(one, head) for one in found.get(id_, [])]
            result["unjudged"] = unjudged.get(id_, [])
            if reading:
                result["kind"] = "reading"
            results.append(result)
        return results

    def _advisory(self, finding: dict[str, Any], head: Head) -> dict[str, Any]:
        """A rule of another country's law is an advisory note, and says so."""
        law = self.rulebook[finding["rule"]].jurisdiction
        if law in ("be", "fr", "ca") and head.country and head.country.lower() != law:
            return {**finding, "advisory": True}
        return finding

    def _axis(
        self,
        row: dict[str, Any],
        id_: str,
        axis: str,
        cells: dict[Any, Any],
        indices: dict[Any, Any],
        holding: dict[Any, list[tuple[int, str]]],
        *,
        thin: bool,
        reading: bool,
    ) -> dict[str, Any]:
        def lens(name: str, short: str) -> dict[str, Any] | None:
            if row[short] is None:
                return None
            own = {
                level.id: {
                    key: cells[id_, name, axis, level.number][key] for key in ("value", "known", "low", "high")
                }
                for level in self.matrix.levels
            }
            if reading:  # a text shows cells; a headline would make it an evaluation
                return {"position": None, "high": None, "complete": False, "level": None, "cells": own}
            return {**_bounds(row[short], row[f"{short}h"]), "cells": own}

        retained = None
        if row["retained"] is not None:
            caps = sorted(holding.get((id_, axis), []))
            retained = {
                **_bounds(row["retained"], row["retained_high"]),
                "decided_by": "experienced" if row["e"] < row["d"] - EPS else "declared",
                "before_cap": row["before"],
                "ceilings": [name for cap, name in caps if cap < row["before"] - EPS],
                "thin": thin,
            }
        conditions: dict[str, Any] = {}
        for condition in self.matrix.ids("conditions"):
            side = {name: indices.get((id_, axis, condition, name), {}).get("index") for name in ANSWERING}
            known = [value for value in side.values() if value is not None]
            conditions[condition] = {**side, "combined": min(known)} if known else None
        showcase: dict[str, Any] = {"state": None, "index": None, "failing": [], "unproven": []}
        if not reading:
            below = self.matrix.thresholds.condition - EPS
            showcase = {
                "state": STATES[round(row["state"])],
                "index": row["index"],
                "failing": [one for one in CRITERIA if row[one] is not None and row[one] < below],
                "unproven": [one for one in CRITERIA if row[one] is None],
            }
        return {
            "applicable": row["applicable"] > 0,
            "unilateral": row["unilateral"] > 0,
            "declared": lens("declared", "d"),
            "experienced": lens("experienced", "e"),
            "documented": lens("documented", "o"),
            "retained": retained,
            "gap": row["gap"],
            "exposure": row["exposed"] > 0 and not reading,
            "conditions": conditions,
            "showcase": showcase,
        }

    def trace(self, assessment: str) -> list[dict[str, Any]]:
        """The answers behind every cell of an assessment, a row per lens, item and role that was asked.

        Keys: axis, level (id, or none), condition, lens, item, role, n, dk, na, mean (of the role), x (of the
        lens), weight, core, low, high (progress of the item's cell). Role is none where nobody of the lens answered.
        """
        id_of = {level.number: level.id for level in self.matrix.levels}
        mine = col("assessment") == assessment
        cells = _grouped(self.cells.filter(mine), "lens", "axis", "level")
        voices: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for row in self.counts.roles.filter(mine).rows(named=True):
            voices.setdefault((row["lens"], row["item"]), []).append(row)
        rows = []
        for item in self.items.filter(mine, col("lens") != "documented").rows(named=True):
            cell = cells.get((item["lens"], item["axis"], item["level"]), {})
            for voice in voices.get((item["lens"], item["item"]), [{}]):
                n, d, a = (int(voice.get(key, 0)) for key in "nda")
                rows.append(
                    {
                        "axis": item["axis"],
                        "level": id_of.get(item["level"]),
                        "condition": item["condition"] or None,
                        "lens": item["lens"],
                        "item": item["item"],
                        "role": voice.get("role"),
                        "n": n,
                        "dk": d,
                        "na": a - n - d,
                        "mean": voice["s"] / n if n else None,
                        "x": _none(item["x"]),
                        "weight": item["w"],
                        "core": item["loose"] < 1,
                        "low": cell.get("low"),
                        "high": cell.get("high"),
                    }
                )
        order = {item.id: place for place, item in enumerate(self.questionnaire.items)}
        return sorted(rows, key=lambda r: (order[r["item"]], r["lens"], r["role"] or ""))


def _bounds(position: float, high: float) -> dict[str, Any]:
    return {
        "position": position,
        "high": high,
        "complete": high - position <= EPS,
        "level": math.floor(position + EPS),
    }
