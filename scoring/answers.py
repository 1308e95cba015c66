"""The only step over all answers: how often each answer was given, on any dataframe engine.

What comes out is small and dense: a row per assessment and role, a column per item.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import narwhals as nw
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from matrix import Matrix
from questionnaires import Questionnaire

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]
KEYS = ("assessment", "role")
LENSES = ("declared", "experienced")
NOT_OPTIONS = ("dk", "na")


@dataclass(frozen=True, eq=False)
class Voices:
    """What each role of each assessment said, item by item.

    ``assessment`` and ``role`` are places in ``ids`` and in the matrix's roles, one per row; ``n`` (values), ``s``
    (their sum), ``d`` (don't know) and ``a`` (all answers) are arrays (row, item).
    """

    ids: tuple[str, ...]
    assessment: Places
    role: Places
    n: Floats
    s: Floats
    d: Floats
    a: Floats

    def lens(self, matrix: Matrix) -> Places:
        """The answering lens of each row, as its place in ``LENSES``."""
        of_role = [LENSES.index(matrix.lens_of[role]) for role in matrix.ids("roles")]
        return np.array(of_role)[self.role]


@dataclass(frozen=True, eq=False)
class People:
    """Who answered, by assessment and answering lens.

    ``respondents`` are distinct ids with an answer, ``forms`` pairs of respondent and role; ``staff`` is the
    share of the experienced answers entered by staff, by assessment, NaN where no answer names its channel.
    """

    respondents: Floats
    forms: Floats
    staff: Floats


@dataclass(frozen=True, eq=False)
class Table:
    """A native table of answers, long or wide, with what reads it."""

    frame: Any
    wide: bool
    questionnaire: Questionnaire
    matrix: Matrix

    @classmethod
    def of(
        cls, native: Any, questionnaire: Questionnaire, matrix: Matrix, *, wide: bool | None = None
    ) -> Table:
        """A table; wide when it has no ``item`` column and nobody says otherwise."""
        frame: Any = nw.from_native(native)
        wide = "item" not in frame.collect_schema().names() if wide is None else wide
        return cls(frame, wide, questionnaire, matrix)

    @cached_property
    def columns(self) -> list[str]:
        """The names of the columns."""
        names: list[str] = self.frame.collect_schema().names()
        return names

    @cached_property
    def roles_of(self) -> dict[str, list[str]]:
        """The roles of each answering lens."""
        return {lens: [r for r, its in self.matrix.lens_of.items() if its == lens] for lens in LENSES}

    def only(self, assessments: Sequence[str], *, others: bool = False) -> Table:
        """The rows of some assessments, or of all others."""
        mine = nw.col("assessment").is_in(list(assessments))
        return Table(self.frame.filter(~mine if others else mine), self.wide, self.questionnaire, self.matrix)

    def voices(self, form: str) -> Voices:
        """Count the answers of one form, in one pass over the table; items outside the form do not count."""
        asked = [item.id for item in self.questionnaire.form(form)] or [""]  # engines refuse an empty list
        if not self.wide:
            parts = [self._long(asked)]
        elif self.frame.implementation.is_polars():
            parts = [self._wide(lens, asked) for lens in LENSES]
        else:  # only Polars takes a thousand columns well; the others do better on a table made long
            parts = [self._melted(asked)._long(asked)]  # noqa: SLF001
        ids = tuple(sorted({id_ for part in parts for id_ in part[0]["assessment"].unique().to_list()}))
        return _stacked(
            ids, [(places(keys["assessment"], ids), self._roles(keys), *sums) for keys, sums in parts]
        )

    def _melted(self, asked: Sequence[str]) -> Table:
        """The same table made long, without the empty cells."""
        mine = [item for item in asked if item in self.columns]
        keys = ["assessment", "respondent", "role"]
        text = self.frame.select(*keys, *(nw.col(item).cast(nw.String) for item in mine))
        long = (
            text.unpivot(mine, index=keys, variable_name="item", value_name="answer")
            if mine
            else text.with_columns(item=nw.lit(""), answer=nw.lit(""))
        )
        given = ~nw.col("answer").is_null() & (nw.col("answer") != "")
        return Table(long.filter(given), False, self.questionnaire, self.matrix)  # noqa: FBT003

    def _roles(self, keys: nw.DataFrame[Any]) -> Places:
        return places(keys["role"], self.matrix.ids("roles"))

    def _long(self, asked: list[str]) -> tuple[nw.DataFrame[Any], tuple[Floats, ...]]:
        counts = gather(
            self.frame.filter(nw.col("item").is_in(asked))
            .group_by(*KEYS, "item", "answer")
            .agg(nw.len().alias("k"))
        )
        keys = counts.select(*KEYS).unique()
        ids = sorted(keys["assessment"].unique().to_list())
        roles = self.matrix.ids("roles")

        def row(of: nw.DataFrame[Any]) -> Places:
            return places(of["assessment"], ids) * len(roles) + self._roles(of)

        codebook = codes(self.questionnaire)
        place = np.full(len(ids) * len(roles), -1)
        place[row(keys)] = np.arange(len(keys))
        item, answer = places(counts["item"], codebook.items), places(counts["answer"], codebook.answers)
        lens = np.array([LENSES.index(self.matrix.lens_of[role]) for role in roles])[self._roles(counts)]
        value, k = codebook.value[lens, item, answer], counts["k"].to_numpy().astype(float)
        here = (place[row(counts)], item)
        sums = np.zeros((4, len(keys), len(codebook.items)))
        name = np.array(codebook.answers)[answer]
        is_dk, is_na, is_value = name == "dk", name == "na", ~np.isnan(value)
        for measure, weight in enumerate((is_value, np.nan_to_num(value), is_dk, is_value | is_dk | is_na)):
            np.add.at(sums[measure], here, weight * k)
        return keys, tuple(sums)

    def _wide(self, lens: str, asked: list[str]) -> tuple[nw.DataFrame[Any], tuple[Floats, ...]]:
        given = set(self.columns)
        options = {
            item: self.questionnaire.options(item, lens)
            for item in asked
            if item in given and self.questionnaire.options(item, lens)
        }
        answers = [
            (item, answer, value)
            for item, its in options.items()
            for answer, value in (
                *((o.id, o.value) for o in its),
                *((other, np.nan) for other in NOT_OPTIONS),
            )
        ]
        rows = self.frame.filter(nw.col("role").is_in(self.roles_of[lens]))
        # A column per answer, each an elementary sum: every engine takes them all in one pass.
        hits = [
            (nw.col(item) == answer).cast(nw.Int64).alias(f"k{i}")
            for i, (item, answer, _) in enumerate(answers)
        ]
        names = [f"k{i}" for i in range(len(answers))]
        counts = gather(rows.select(*KEYS, *hits).group_by(*KEYS).agg(nw.col(name).sum() for name in names))
        k = counts.select(names).to_numpy().astype(float) if names else np.zeros((len(counts), 0))
        items = codes(self.questionnaire).items
        place = np.array([items.index(item) for item, _, _ in answers], dtype=np.int64)
        value = np.array([v for _, _, v in answers], dtype=float)
        is_dk = np.array([answer == "dk" for _, answer, _ in answers])
        measures = (~np.isnan(value), np.nan_to_num(value), is_dk, np.ones(len(answers)))
        sums = []
        for weight in measures:
            to_item = np.zeros((len(answers), len(items)))
            to_item[np.arange(len(answers)), place] = weight
            sums.append(np.nan_to_num(k) @ to_item)
        return counts.select(*KEYS), tuple(sums)

    def people(self, form: str, ids: Sequence[str]) -> People:
        """Count who answered a form; respondents who left everything empty have not."""
        asked = [item.id for item in self.questionnaire.form(form)] or [""]  # engines refuse an empty list
        declared = nw.col("role").is_in(self.roles_of["declared"])
        lens = nw.when(declared).then(nw.lit("declared")).otherwise(nw.lit("experienced"))
        if self.wide:
            said = [~nw.col(i).is_null() & (nw.col(i) != "") for i in asked if i in self.columns]
            rows = (
                self.frame.filter(nw.any_horizontal(*said, ignore_nulls=True)) if said else self.frame.head(0)
            )
        else:
            rows = self.frame.filter(nw.col("item").is_in(asked))
        rows = rows.with_columns(lens=lens)
        shape = (len(ids), len(LENSES))
        respondents, forms, staff = np.zeros(shape), np.zeros(shape), np.full(len(ids), np.nan)
        distinct = nw.col("respondent").n_unique().alias("k")
        for into, keys in ((respondents, ("assessment", "lens")), (forms, ("assessment", "lens", "role"))):
            counted = gather(rows.group_by(*keys).agg(distinct))
            at = (places(counted["assessment"], ids), places(counted["lens"], LENSES))
            np.add.at(into, at, counted["k"].to_numpy())
        if "channel" in self.columns:
            channel = nw.col("channel")
            shares = gather(
                rows.filter(nw.col("lens") == "experienced", ~channel.is_null(), channel != "")
                .with_columns(by_staff=(channel == "staff_entered").cast(nw.Float64))
                .group_by("assessment")
                .agg(nw.col("by_staff").mean())
            )
            staff[places(shares["assessment"], ids)] = shares["by_staff"].to_numpy()
        return People(respondents, forms, staff)


def speaks(n: Any, unsure: Any) -> Any:
    """Whether a role speaks on an item: it gives a value, and a third at least of those who answered know.

    ``n`` values and ``unsure`` don't knows, as numbers or as arrays of them.
    """
    return (n > 0) & (3 * n >= n + unsure)


def lens_means(voices: Voices, rows: Places, count: int, matrix: Matrix) -> tuple[Floats, ...]:
    """Per assessment, answering lens and item: x (NaN when no role speaks), answers but na, all answers.

    Of a role that `speaks` on an item five voices weigh a full role, fewer their share.

    Args:
        voices: what the roles said.
        rows: the assessment of each row of ``voices``, as a place among ``count``.
        count: how many assessments there are.
        matrix: roles and thresholds.
    """
    full = matrix.thresholds.role_full
    n, alive = voices.n, voices.n + voices.d
    with np.errstate(invalid="ignore", divide="ignore"):
        u = np.where(speaks(n, voices.d), np.minimum(n, full) / full, 0.0)
        um = np.where(u > 0, u * voices.s / n, 0.0)
    group = rows * len(LENSES) + voices.lens(matrix)
    total = [np.zeros((count * len(LENSES), n.shape[1])) for _ in range(4)]
    order = np.argsort(group, kind="stable")
    if order.size:
        first = np.flatnonzero(np.diff(group[order], prepend=-1))
        for into, part in zip(total, (um, u, alive, voices.a), strict=True):
            into[group[order][first]] = np.add.reduceat(part[order], first, axis=0)
    with np.errstate(invalid="ignore"):
        x = np.where(total[1] > 0, total[0] / total[1], np.nan)
    shape = (count, len(LENSES), n.shape[1])
    return x.reshape(shape), total[2].reshape(shape), total[3].reshape(shape)


def gather(frame: Any) -> nw.DataFrame[Any]:
    """An eager frame: what was lazy is computed, on Polars in Polars, elsewhere into Arrow."""
    if isinstance(frame, nw.DataFrame):
        return frame
    eager: nw.DataFrame[Any] = frame.collect(
        backend="polars" if frame.implementation.is_polars() else "pyarrow"
    )
    return eager


def places(series: nw.Series[Any], ids: Sequence[str]) -> Places:
    """The place of each text of a column among ids, -1 for none."""
    column = pa.chunked_array(series.to_arrow())
    found = pc.index_in(column.cast(pa.string()), value_set=pa.array(list(ids), pa.string()))
    where: Places = found.fill_null(-1).to_numpy().astype(np.int64)
    return where


@dataclass(frozen=True, eq=False)
class Codebook:
    """Every answer that can be given: ``value`` (lens, item, answer) is NaN where an answer carries none."""

    items: tuple[str, ...]
    answers: tuple[str, ...]
    value: Floats


@lru_cache(maxsize=16)
def codes(questionnaire: Questionnaire) -> Codebook:
    """The codebook of a questionnaire."""
    items = tuple(item.id for item in questionnaire.items)
    options = dict.fromkeys(option.id for scale in questionnaire.scales.values() for option in scale)
    answers = (*NOT_OPTIONS, *options)
    value = np.full((len(LENSES), len(items), len(answers)), np.nan)
    for lens, name in enumerate(LENSES):
        for place, item in enumerate(items):
            for option in questionnaire.options(item, name):
                value[lens, place, answers.index(option.id)] = option.value
    return Codebook(items, answers, value)


def joined(parts: Iterable[Voices]) -> Voices:
    """The voices of several tables, put together."""
    kept = list(parts)
    ids = tuple(sorted({id_ for part in kept for id_ in part.ids}))
    place = {id_: where for where, id_ in enumerate(ids)}
    rows = [
        (
            np.array([place[id_] for id_ in one.ids], dtype=np.int64)[one.assessment],
            one.role,
            one.n,
            one.s,
            one.d,
            one.a,
        )
        for one in kept
    ]
    return _stacked(ids, rows)


def _stacked(ids: tuple[str, ...], rows: list[tuple[Any, ...]]) -> Voices:
    return Voices(ids, *(np.concatenate([row[field] for row in rows]) for field in range(6)))
