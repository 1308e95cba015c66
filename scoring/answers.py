"""The only step over all answers: from answers, long or wide, on any engine, to role tallies."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import narwhals as nw

from matrix import Matrix
from questionnaires import Questionnaire

Eager = nw.DataFrame[Any]
Frame = nw.DataFrame[Any] | nw.LazyFrame[Any]


@dataclass(frozen=True)
class Tally:
    """What the answers of some assessments come down to; everything after is small.

    ``roles``: assessment, lens, role, item, n (values), s (their sum), d (don't know), a (all answers).
    ``people``: assessment, lens, respondents (distinct ids with an answer), forms (respondent and role pairs).
    ``staff``: assessment, share of the experienced answers entered by staff; none without a channel.
    """

    roles: Eager
    people: Eager
    staff: Eager | None


def tally(answers: Frame, questionnaire: Questionnaire, matrix: Matrix, form: str, *, wide: bool) -> Tally:
    """Count the answers of one form by role and item.

    Args:
        answers: the table of formats ``answers`` or ``answers, wide``; a lazy frame stays lazy until here.
        form: ``full`` or ``express``; answers to items outside it do not count.
    """
    return (_wide if wide else _long)(answers, questionnaire, matrix, form)


def small_backend(frame: Frame) -> nw.Implementation:
    """Where small frames that go with this one are made: its own engine when that one is eager."""
    implementation = frame.implementation
    return implementation if implementation.is_polars() or implementation.is_pandas() else nw.Implementation.PYARROW


def beside(frame: Frame, small: Eager) -> Any:
    """A small eager frame, brought to where a larger one lives so that the two can be joined."""
    if isinstance(frame, nw.DataFrame):
        return small
    if frame.implementation.is_polars():
        return small.lazy()
    if frame.implementation.is_pyspark():
        session = frame.to_native().sparkSession
        return nw.from_native(session.createDataFrame(small.to_pandas()))
    return small.lazy(backend=frame.implementation)


def gather(frame: Any) -> Eager:
    """An eager frame: what was lazy is computed, on Polars in Polars, elsewhere into Arrow."""
    if isinstance(frame, nw.DataFrame):
        return frame
    eager: Eager = frame.collect(backend="polars" if frame.implementation.is_polars() else "pyarrow")
    return eager


@lru_cache(maxsize=16)
def codes(questionnaire: Questionnaire, matrix: Matrix, form: str, backend: nw.Implementation) -> Eager:
    """Every answer a form accepts: role, item, answer -> lens, value (none for na and dk), dk (1 or 0)."""
    columns: dict[str, list[Any]] = {c: [] for c in ("role", "item", "answer", "lens", "value", "dk")}
    for role, lens in matrix.lens_of.items():
        for item in questionnaire.form(form):
            options = questionnaire.options(item.id, lens)
            offered = [(o.id, o.value, 0.0) for o in options] + [("na", None, 0.0), ("dk", None, 1.0)]
            for answer, value, dk in offered if options else ():
                for name, cell in zip(columns, (role, item.id, answer, lens, value, dk), strict=True):
                    columns[name].append(cell)
    types = dict.fromkeys(columns, nw.String()) | {"value": nw.Float64(), "dk": nw.Float64()}
    return nw.from_dict(columns, schema=nw.Schema(types), backend=backend)


def _long(answers: Frame, questionnaire: Questionnaire, matrix: Matrix, form: str) -> Tally:
    known = beside(answers, codes(questionnaire, matrix, form, small_backend(answers)))
    names = answers.collect_schema().names()
    kept = ["assessment", "respondent", "role", "item", "answer", *(["channel"] if "channel" in names else [])]
    rows: Any = answers.select(kept).join(known, on=["role", "item", "answer"], how="inner")
    roles = rows.group_by("assessment", "lens", "role", "item").agg(
        nw.col("value").count().alias("n"),
        nw.col("value").sum().alias("s"),
        nw.col("dk").sum().alias("d"),
        nw.len().alias("a"),
    )
    by_role = rows.group_by("assessment", "lens", "role").agg(nw.col("respondent").n_unique().alias("forms"))
    by_lens = rows.group_by("assessment", "lens").agg(nw.col("respondent").n_unique().alias("respondents"))
    staff = None
    if "channel" in names:
        channel = nw.col("channel")
        staff = gather(
            rows.filter(nw.col("lens") == "experienced", ~channel.is_null(), channel != "")
            .with_columns(by_staff=(channel == "staff_entered").cast(nw.Float64))
            .group_by("assessment")
            .agg(nw.col("by_staff").mean().alias("staff"))
        )
    return Tally(_as_floats(gather(roles)), _people(gather(by_role), gather(by_lens)), staff)


def _wide(answers: Frame, questionnaire: Questionnaire, matrix: Matrix, form: str) -> Tally:
    names = set(answers.collect_schema().names())
    parts: list[Tally] = []
    for lens in ("declared", "experienced"):
        roles = [role for role, its in matrix.lens_of.items() if its == lens]
        items = [i.id for i in questionnaire.form(form) if i.id in names and questionnaire.options(i.id, lens)]
        if items:
            parts.append(_wide_lens(answers.filter(nw.col("role").is_in(roles)), questionnaire, lens, items))
    return Tally(
        nw.concat([part.roles for part in parts]), nw.concat([part.people for part in parts]), None
    )


def _wide_lens(rows: Any, questionnaire: Questionnaire, lens: str, items: list[str]) -> Tally:
    keys = ["assessment", "role"]
    coded = rows.select(
        *keys,
        "respondent",
        *(_code(questionnaire, lens, item).alias(f"c{index}") for index, item in enumerate(items)),
    )
    # One elementary sum a measure: every engine takes these in one pass over the table.
    sums = gather(
        coded.select(*keys, *(e for i in range(len(items)) for e in _measures(nw.col(f"c{i}"), i)))
        .group_by(*keys)
        .agg(nw.col(f"{m}{i}").sum() for i in range(len(items)) for m in "nsda")
    )
    melted = []
    for measure in "nsda":
        on = [f"{measure}{i}" for i in range(len(items))]
        melted.append(sums.unpivot(on, index=keys, variable_name="item", value_name=measure))
    number = {f"n{i}": item for i, item in enumerate(items)}
    roles = (
        nw.concat([melted[0], *(m.select(measure) for m, measure in zip(melted[1:], "sda", strict=True))], how="horizontal")
        .filter(nw.col("a") > 0)
        .with_columns(
            item=nw.col("item").replace_strict(list(number), list(number.values()), return_dtype=nw.String),
            lens=nw.lit(lens),
        )
        .select("assessment", "lens", "role", "item", "n", "s", "d", "a")
    )
    # Whoever left every question empty has not answered.
    present = coded.filter(nw.any_horizontal(*(nw.col(f"c{i}") > -4 for i in range(len(items))), ignore_nulls=True))
    by_role = present.group_by(*keys).agg(nw.col("respondent").n_unique().alias("forms"))
    by_lens = present.group_by("assessment").agg(nw.col("respondent").n_unique().alias("respondents"))
    lit = nw.lit(lens).alias("lens")
    people = _people(gather(by_role).with_columns(lit), gather(by_lens).with_columns(lit))
    return Tally(_as_floats(roles), people, None)


def _code(questionnaire: Questionnaire, lens: str, item: str) -> nw.Expr:
    """An answer as a number: its value, -1 for dk, -2 for na, none when not answered."""
    column = nw.col(item)
    chain: Any = nw.when(column == "dk").then(nw.lit(-1.0)).otherwise(nw.lit(None, dtype=nw.Float64))
    chain = nw.when(column == "na").then(nw.lit(-2.0)).otherwise(chain)
    for option in questionnaire.options(item, lens):
        chain = nw.when(column == option.id).then(nw.lit(option.value)).otherwise(chain)
    expression: nw.Expr = chain
    return expression


def _measures(code: nw.Expr, index: int) -> list[nw.Expr]:
    given = code >= 0
    return [
        given.cast(nw.Float64).alias(f"n{index}"),
        code.clip(lower_bound=0.0).alias(f"s{index}"),
        (code == -1.0).cast(nw.Float64).alias(f"d{index}"),
        (code > -4.0).cast(nw.Float64).alias(f"a{index}"),
    ]


def _as_floats(roles: Eager) -> Eager:
    return roles.with_columns(nw.col("n", "s", "d", "a").cast(nw.Float64))


def _people(by_role: Eager, by_lens: Eager) -> Eager:
    forms = by_role.group_by("assessment", "lens").agg(nw.col("forms").sum())
    return by_lens.join(forms, on=["assessment", "lens"], how="inner").select(
        "assessment", "lens", "respondents", "forms"
    )
