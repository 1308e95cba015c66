"""The ladder: from role tallies to cells, positions, ceilings and the retained position.

Everything here is small: a row per assessment, lens and item at most. Columns are arithmetic on whole frames,
so that one assessment and a country take the same path.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import narwhals as nw

from matrix import Matrix
from questionnaires import Questionnaire
from scoring.answers import Eager

EPS = 1e-9
"""Every comparison with a threshold allows for the rounding of binary fractions."""
ANSWERING = ("declared", "experienced")
col = nw.col


@dataclass(frozen=True)
class Ceiling:
    """A cap on the retained position while a condition falls short; ``cap`` is a level number."""

    id: str
    condition: str
    cap: int


@lru_cache(maxsize=16)
def put(questionnaire: Questionnaire, matrix: Matrix, backend: nw.Implementation) -> Eager:
    """What is put to whom: form, lens, item, axis, level (0: none), w, loose (1: not core), condition, proof (1: asks evidence)."""
    rows = [
        {
            "form": form,
            "lens": lens,
            "item": item.id,
            "axis": item.axis,
            "level": matrix.number_of[item.level] if item.level else 0,
            "w": float(item.weight),
            "loose": 0.0 if item.core else 1.0,
            "condition": item.condition or "",
            "proof": 1.0 if item.evidence and lens == "declared" else 0.0,
        }
        for form in ("full", "express")
        for item in questionnaire.form(form)
        for lens in ANSWERING
        if item.asked_of(lens)
    ]
    return frame(rows, PUT, backend)


PUT = {
    "form": nw.String(),
    "lens": nw.String(),
    "item": nw.String(),
    "axis": nw.String(),
    "level": nw.Int64(),
    "w": nw.Float64(),
    "loose": nw.Float64(),
    "condition": nw.String(),
    "proof": nw.Float64(),
}


def frame(rows: Sequence[dict[str, Any]], types: dict[str, Any], backend: nw.Implementation) -> Eager:
    """A small frame with its column types said, so that an empty one is no different."""
    columns = {name: [row[name] for row in rows] for name in types}
    return nw.from_dict(columns, schema=nw.Schema(types), backend=backend)


def lens_means(roles: Eager, matrix: Matrix) -> Eager:
    """Per assessment, lens and item: x (weighted mean of the roles that speak, null when none) and alive (answers but na)."""
    full = matrix.thresholds.role_full
    speaks = (col("n") > 0) & (3 * col("n") >= col("n") + col("d"))
    return (
        roles.with_columns(u=nw.min_horizontal(col("n"), nw.lit(float(full))) / full * speaks.cast(nw.Float64))
        .with_columns(um=col("u") * col("s") / nw.max_horizontal(col("n"), nw.lit(1.0)), alive=col("n") + col("d"))
        .group_by("assessment", "lens", "item")
        .agg(col("um").sum(), col("u").sum(), col("alive").sum())
        .with_columns(x=nw.when(col("u") > 0).then(col("um") / col("u")))
        .select("assessment", "lens", "item", "x", "alive")
    )


def asked_items(heads: Eager, puts: Eager, means: Eager, support: Eager | None, matrix: Matrix) -> Eager:
    """A row per assessment, lens and asked item, with x; the documented lens stands on the declared one.

    Args:
        heads: assessment, form.
        support: assessment, item, cap (1 institution-wide, the single-unit threshold, absent: unsupported).
    """
    grid = (
        heads.select("assessment", "form")
        .join(puts, on="form", how="inner")
        .join(means, on=["assessment", "lens", "item"], how="left")
        .filter(col("alive").fill_null(1.0) > 0)  # every answer was na: not asked here
        .select("assessment", "lens", "item", "axis", "level", "w", "loose", "condition", "proof", "x")
    )
    proof = grid.filter(col("proof") > 0)
    if support is None:
        proof = proof.with_columns(x=col("x") * 0.0)
    else:
        proof = (
            proof.join(support, on=["assessment", "item"], how="left")
            # null stays null: what nobody declared cannot be documented, nor be found undocumented
            .with_columns(x=nw.when(~col("x").is_null()).then(nw.min_horizontal(col("x"), col("cap").fill_null(0.0))))
            .drop("cap")
        )
    proof = proof.with_columns(lens=nw.lit("documented"), condition=nw.lit(""))
    return nw.concat([grid, proof.select(grid.columns)]).with_columns(
        wx=col("w") * col("x").fill_null(0.0), wk=col("w") * (~col("x").is_null()).cast(nw.Float64)
    )


def cells(heads: Eager, items: Eager, matrix: Matrix) -> Eager:
    """Per assessment, lens, axis and level: low and high progress, value (null: none), known (share of asked weight).

    All cells of the matrix are there; where nothing is asked progress is unknown, 0 to 1.
    """
    tau = matrix.thresholds.tau
    ladder = (
        items.filter(col("level") > 0)
        .with_columns(kl=col("x").fill_null(0.0) + 9 * col("loose"), kh=col("x").fill_null(1.0) + 9 * col("loose"))
        .group_by("assessment", "lens", "axis", "level")
        .agg(col("w").sum(), col("wx").sum(), col("wk").sum(), col("kl").min(), col("kh").min())
    )
    full = (
        heads.select("assessment")
        .join(_skeleton(matrix, small(items)), how="cross")
        .join(ladder, on=["assessment", "lens", "axis", "level"], how="left")
        .with_columns(
            low=nw.min_horizontal(nw.lit(1.0), col("wx") / col("w") / tau, col("kl") / col("kappa")),
            high=nw.min_horizontal(
                nw.lit(1.0), (col("wx") + col("w") - col("wk")) / col("w") / tau, col("kh") / col("kappa")
            ),
            value=nw.when(col("wk") > 0).then(col("wx") / col("wk")),
            known=col("wk") / col("w"),
            wk=col("wk").fill_null(0.0),
        )
        # min_horizontal skips nulls, so a cell that asks nothing is told apart by its missing weight
        .with_columns(
            low=nw.when(~col("w").is_null()).then(col("low")).otherwise(nw.lit(0.0)),
            high=nw.when(~col("w").is_null()).then(col("high")).otherwise(nw.lit(1.0)),
        )
        .select("assessment", "lens", "axis", "level", "value", "known", "low", "high", "wk")
    )
    declared = full.filter(col("lens") == "declared").select(
        "assessment", "axis", "level", dl=col("low"), dh=col("high")
    )
    proved = (
        full.filter(col("lens") == "documented")
        .join(declared, on=["assessment", "axis", "level"], how="inner")
        .with_columns(low=nw.min_horizontal("low", "dl"), high=nw.min_horizontal("high", "dh"))
        .select(full.columns)
    )
    return nw.concat([full.filter(col("lens") != "documented"), proved])


def positions(cells: Eager) -> Eager:
    """Per assessment, lens and axis: position, high, known (weight answered), top (1: a cell of level 3 or 4 is attained).

    A position is the levels below the first cell not attained plus that cell's progress; that is the smallest
    ``level - 1 + progress`` over the cells not attained, and 4 when there is none.
    """
    low, high = (col(b) >= 1 - EPS for b in ("low", "high"))
    rungs = col("level") - 1
    return (
        cells.with_columns(
            position=nw.min_horizontal(rungs + col("low") + 4 * low.cast(nw.Float64), nw.lit(4.0)),
            high=nw.min_horizontal(rungs + col("high") + 4 * high.cast(nw.Float64), nw.lit(4.0)),
            top=(low & (col("level") >= 3)).cast(nw.Float64),  # noqa: PLR2004  # collaboration and above
        )
        .group_by("assessment", "lens", "axis")
        .agg(col("position").min(), col("high").min(), col("wk").sum(), col("top").max())
    )


def ceilings_that_hold(items: Eager, answering: Eager, ceilings: Sequence[Ceiling], matrix: Matrix) -> Eager:
    """Per assessment, axis and ceiling: cap, low and high of the lowest lens, where the low one falls short.

    Args:
        answering: assessment, lens, axis of the lenses that have a position.
    """
    backend = small(items)
    rows = [{"ceiling": one.id, "condition": one.condition, "cap": one.cap} for one in ceilings]
    table = frame(rows, {"ceiling": nw.String(), "condition": nw.String(), "cap": nw.Int64()}, backend)
    return (
        items.filter(col("condition") != "")
        .join(table, on="condition", how="inner")
        .filter(col("level") <= col("cap") + 1)
        .group_by("assessment", "lens", "axis", "ceiling", "cap")
        .agg(col("w").sum(), col("wx").sum(), col("wk").sum())
        .join(answering, on=["assessment", "lens", "axis"], how="inner")
        .with_columns(low=col("wx") / col("w"), high=(col("wx") + col("w") - col("wk")) / col("w"))
        .group_by("assessment", "axis", "ceiling", "cap")
        .agg(col("low").min(), col("high").min())
        .filter(col("low") < matrix.thresholds.condition - EPS)
    )


def small(frame: Eager) -> nw.Implementation:
    """The engine of an eager frame, for the small tables that go with it."""
    return frame.implementation


@lru_cache(maxsize=8)
def _skeleton(matrix: Matrix, backend: nw.Implementation) -> Eager:
    rows = [
        {"lens": lens, "axis": axis, "level": level.number, "kappa": matrix.thresholds.kappa[level.number - 1]}
        for lens in (*ANSWERING, "documented")
        for axis in matrix.ids("axes")
        for level in matrix.levels
    ]
    types = {"lens": nw.String(), "axis": nw.String(), "level": nw.Int64(), "kappa": nw.Float64()}
    return frame(rows, types, backend)
