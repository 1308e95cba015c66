"""The ladder: from lens means to cells, positions, ceilings and the retained position.

All of it is small, so it is dense arrays: assessment first, then lens (declared, experienced, documented), then
item, or axis and level. NaN is "no value". One assessment and a country take the same path.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from matrix import Matrix
from questionnaires import Questionnaire

EPS = 1e-9
"""Every comparison with a threshold allows for the rounding of binary fractions."""
ANSWERING = ("declared", "experienced")
LENSES = (*ANSWERING, "documented")
FORMS = ("full", "express")
DECLARED, EXPERIENCED, DOCUMENTED = range(3)

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Ceiling:
    """A cap on the retained position while a condition falls short; ``cap`` is a level number."""

    id: str
    condition: str
    cap: int


@dataclass(frozen=True, eq=False)
class Plan:
    """A questionnaire as arrays over its items; ``level`` 0 is none, ``condition`` -1 is none.

    ``put`` (form, lens, item) tells what is put to whom; ``cell`` (item, axis x level) and ``place``
    (item, axis) mark where an item counts.
    """

    items: tuple[str, ...]
    axes: tuple[str, ...]
    conditions: tuple[str, ...]
    axis: npt.NDArray[np.int64]
    level: npt.NDArray[np.int64]
    condition: npt.NDArray[np.int64]
    weight: Floats
    core: Flags
    proof: Flags
    put: Flags
    cell: Floats
    place: Floats


@lru_cache(maxsize=16)
def plan(questionnaire: Questionnaire, matrix: Matrix) -> Plan:
    """The arrays of a questionnaire."""
    items = questionnaire.items
    axes, conditions = matrix.ids("axes"), matrix.ids("conditions")
    axis = np.array([axes.index(i.axis) for i in items])
    level = np.array([matrix.number_of[i.level] if i.level else 0 for i in items])
    cell = np.zeros((len(items), len(axes) * len(matrix.levels)))
    for row in np.flatnonzero(level):
        cell[row, axis[row] * len(matrix.levels) + level[row] - 1] = 1
    return Plan(
        items=tuple(i.id for i in items),
        axes=axes,
        conditions=conditions,
        axis=axis,
        level=level,
        condition=np.array([conditions.index(i.condition) if i.condition else -1 for i in items]),
        weight=np.array([i.weight for i in items], dtype=float),
        core=np.array([i.core for i in items]),
        proof=np.array([bool(i.evidence) and i.ask.institution is not None for i in items]),
        put=np.array(
            [
                [
                    [i.asked_of(lens) is not None and (form == "full" or i.express) for i in items]
                    for lens in ANSWERING
                ]
                for form in FORMS
            ]
        ),
        cell=cell,
        place=np.eye(len(axes))[axis],
    )


@dataclass(frozen=True, eq=False)
class Means:
    """What is known of each asked item: ``x`` (assessment, lens, item; NaN unknown) and ``asked`` beside it."""

    x: Floats
    asked: Flags

    @property
    def known(self) -> Flags:
        """Asked and with a value."""
        return self.asked & ~np.isnan(self.x)

    def sums(self, of: Plan, where: Floats, lenses: slice = slice(None)) -> tuple[Floats, Floats, Floats]:
        """Sums over the items that ``where`` (item, place) marks: asked weight, known weight, weighted values."""
        known, asked = self.known[:, lenses], self.asked[:, lenses]
        x = np.where(known, self.x[:, lenses], 0.0)
        return (asked * of.weight) @ where, (known * of.weight) @ where, (x * of.weight) @ where


def with_documented(x: Floats, asked: Flags, support: Floats, of: Plan) -> Means:
    """Adds the documented lens: what was declared, as far as evidence supports it.

    Args:
        x, asked: assessment, answering lens, item.
        support: assessment, item: 1 for institution-wide evidence, the single-unit share, or 0.
    """
    documented = np.minimum(x[:, DECLARED], support)
    return Means(
        np.concatenate([x, documented[:, None]], axis=1),
        np.concatenate([asked, (asked[:, DECLARED] & of.proof)[:, None]], axis=1),
    )


@dataclass(frozen=True, eq=False)
class Cells:
    """Progress of each cell (assessment, lens, axis, level): bounds, value (NaN none), known share, known weight."""

    low: Floats
    high: Floats
    value: Floats
    known: Floats
    weight: Floats


def cells(means: Means, of: Plan, matrix: Matrix) -> Cells:
    """Progress per cell: ``min(1, c / tau, k / kappa)``, c the weighted mean and k the lowest core item.

    A cell that asks nothing is unknown, 0 to 1; a documented bound is never above the declared one.
    """
    at = matrix.thresholds
    shape = (*means.x.shape[:2], len(of.axes), len(matrix.levels))
    asked, known, total = (s.reshape(shape) for s in means.sums(of, of.cell))
    low_core, high_core = np.full(shape, np.inf), np.full(shape, np.inf)
    for axis in range(len(of.axes)):
        for level in range(len(matrix.levels)):
            core = np.flatnonzero(of.core & (of.axis == axis) & (of.level == level + 1))
            if core.size:
                x, is_asked = means.x[:, :, core], means.asked[:, :, core]
                low_core[:, :, axis, level] = np.where(is_asked, np.nan_to_num(x, nan=0.0), np.inf).min(-1)
                high_core[:, :, axis, level] = np.where(is_asked, np.nan_to_num(x, nan=1.0), np.inf).min(-1)
    kappa = np.array(at.kappa)
    with np.errstate(invalid="ignore", divide="ignore"):
        value, share = np.where(known > 0, total / known, np.nan), np.where(asked > 0, known / asked, np.nan)
        low = np.minimum(np.minimum(1, total / asked / at.tau), low_core / kappa)
        high = np.minimum(np.minimum(1, (total + asked - known) / asked / at.tau), high_core / kappa)
    low, high = np.where(asked > 0, low, 0.0), np.where(asked > 0, high, 1.0)
    for bound in (low, high):
        bound[:, DOCUMENTED] = np.minimum(bound[:, DOCUMENTED], bound[:, DECLARED])
    return Cells(low, high, value, share, known)


def positions(of: Cells) -> tuple[Floats, Floats]:
    """Position and high (assessment, lens, axis), NaN for a lens without one value on the axis's cells.

    A position counts the cells below the first one not attained, plus that cell's progress: the smallest
    ``level - 1 + progress`` over the cells not attained, and 4 when all are. What is documented stands on what
    is declared, so it has a position where declared has one.
    """
    top = float(of.low.shape[-1])
    rungs = np.arange(top)
    known = of.weight.sum(-1) > 0
    known[:, DOCUMENTED] = known[:, DECLARED]
    low, high = (
        np.where(known, np.where(bound >= 1 - EPS, top, rungs + bound).min(-1), np.nan)
        for bound in (of.low, of.high)
    )
    return low, high


@dataclass(frozen=True, eq=False)
class Retained:
    """What both sides see (assessment, axis), before and after the ceilings; NaN unless both have a position.

    ``holds`` (ceiling, assessment, axis) marks the ceilings that cap the position.
    """

    position: Floats
    high: Floats
    before: Floats
    holds: Flags


def retained(
    low: Floats, high: Floats, means: Means, of: Plan, ceilings: Sequence[Ceiling], matrix: Matrix
) -> Retained:
    """The lower of declared and experienced, each bound capped by the lowest ceiling that holds for it.

    A ceiling holds while the weighted mean of its condition's asked items, at or below the level above its cap,
    is short in the lowest lens that has a position; an unknown item counts 0 for the low bound, 1 for the high.
    """
    short = matrix.thresholds.condition - EPS
    sides = slice(0, DOCUMENTED)
    before = low[:, sides].min(1)  # NaN when either side is missing
    caps = [before.copy(), high[:, sides].min(1)]
    holds = np.zeros((len(ceilings), *before.shape), dtype=bool)
    for number, ceiling in enumerate(ceilings):
        counts = (of.condition == of.conditions.index(ceiling.condition)) & (of.level <= ceiling.cap + 1)
        asked, known, total = means.sums(of, of.place * counts[:, None], sides)
        with np.errstate(invalid="ignore", divide="ignore"):
            bounds = (total / asked, (total + asked - known) / asked)
        for which, bound in enumerate(bounds):
            lowest = np.fmin.reduce(np.where(np.isnan(low[:, sides]), np.nan, bound), axis=1)
            held = lowest < short  # NaN, nothing asked, holds nothing
            caps[which] = np.where(held, np.minimum(caps[which], ceiling.cap), caps[which])
            if which == 0:
                holds[number] = held
    return Retained(caps[0], caps[1], before, holds)


def gap(means: Means, of: Plan, matrix: Matrix) -> Floats:
    """Declared minus experienced on the same items with a level (assessment, axis), NaN below the least number."""
    both = means.known[:, DECLARED] & means.known[:, EXPERIENCED] & (of.level > 0)
    difference = np.where(both, means.x[:, DECLARED] - means.x[:, EXPERIENCED], 0.0)
    with np.errstate(invalid="ignore"):
        mean: Any = (difference * of.weight) @ of.place / ((both * of.weight) @ of.place)
    return np.where(both @ of.place >= matrix.thresholds.gap_items, mean, np.nan)
