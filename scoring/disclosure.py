"""What of an assessment's score may be shown: nothing that rests on a few patients, nor what it could be worked out from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import narwhals as nw

from matrix import load_matrix
from questionnaires import Questionnaire
from scoring.answers import NOT_OPTIONS, speaks
from scoring.scores import score

BOTH = ("retained", "unilateral", "index")
"""Facts of an axis that rest on both sides, whatever its questions without a level are for."""
SUMS = ("experienced", "gap", *BOTH)
"""Facts of an axis that sum up what its patients say."""


def disclosed(
    questionnaire: Questionnaire, answers: Any, *, sealed: str = "", **facts: Any
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The score object and the trace of one assessment, made of the answers that may be shown and of no other.

    What patients answer to a question in `few_patients` counts as don't know: that they answered is known, what they
    said is not. A cell of theirs with such a question is withheld, and so is all that sums up its axis or the whole:
    their position, the gap, what is retained, the summary. With fewer than ``n_min`` patients in all, none of their
    answers is used.

    The object has three keys more than the score's: ``sealed`` says why the patients' side is kept back as a whole
    (``few``, or what is passed) and is empty when it is not; ``withheld`` lists the ids of the questions above; each
    axis has ``sealed`` (``few`` or empty) and ``withheld``, the levels whose patients' cell is not shown.

    Args:
        questionnaire: the questionnaire that was asked.
        answers: a native eager dataframe, long, of one assessment.
        sealed: why the patients' answers are kept back whatever they are, such as an open campaign.
        **facts: what else `score` takes.
    """
    matrix = load_matrix()
    frame: Any = nw.from_native(answers, eager_only=True)
    theirs = nw.col("role").is_in([role for role, lens in matrix.lens_of.items() if lens == "experienced"])
    few, people = few_patients(answers), frame.filter(theirs)["respondent"].n_unique()
    if not sealed and 0 < people < matrix.thresholds.n_min:
        sealed = "few"
    if sealed:
        frame = frame.filter(~theirs)
    elif few:
        unsaid = theirs & nw.col("item").is_in(sorted(few))
        frame = frame.with_columns(
            answer=nw.when(unsaid).then(nw.lit("dk")).otherwise(nw.col("answer").cast(nw.String))
        )
    scores = score(questionnaire, frame.to_native(), **facts)
    [result] = scores.to_json()
    trace = scores.trace(result["assessment"])
    result |= {"sealed": sealed, "withheld": sorted(few)}
    closed: dict[str, set[str | None]] = {}
    for item in questionnaire.form(result["form"]):
        if item.id in few:
            closed.setdefault(item.axis, set()).add(item.level)
    levels, hidden = matrix.ids("levels"), set[str]()
    for axis, one in result["axes"].items():
        one |= {"sealed": "", "withheld": [*levels] if sealed == "few" else []}
        if not sealed and axis in closed:
            hidden |= {f"{axis}.{name}" for name in _in_part(one, closed[axis], levels)}
    if sealed:
        _drop(result, lambda fact: fact.rpartition(".")[2] in (*SUMS, "state"))
    elif closed:
        result["summary"] = dict.fromkeys(result["summary"])
        _drop(result, hidden.__contains__)
    return result, trace


def few_patients(answers: Any) -> frozenset[str]:
    """The questions on which what patients say rests on some of them, but on fewer than ``n_min``.

    A patient is a distinct respondent of the experienced lens, whatever their roles. A figure rests on the values of
    the roles that speak; where none does, that nobody knows, or that it does not apply, is what they say.
    ``answers`` is a native eager dataframe, long, of one assessment.
    """
    matrix, said = load_matrix(), dict[str, dict[str, dict[str, set[str]]]]()
    columns = nw.from_native(answers, eager_only=True).select("item", "role", "answer", "respondent")
    for item, role, answer, respondent in columns.iter_rows():
        if matrix.lens_of.get(role) == "experienced":
            kind = answer if answer in NOT_OPTIONS else "value"
            said.setdefault(item, {}).setdefault(role, {}).setdefault(kind, set()).add(respondent)
    few = set()
    for item, roles in said.items():
        speaking, everyone = set[str](), set[str]()
        for own in roles.values():
            values, unsure = (own.get(kind, set()) for kind in ("value", "dk"))
            everyone.update(*own.values())
            if speaks(len(values), len(unsure)):
                speaking |= values
        if 0 < len(speaking or everyone) < matrix.thresholds.n_min:
            few.add(item)
    return frozenset(few)


def _in_part(one: dict[str, Any], closed: set[str | None], levels: tuple[str, ...]) -> tuple[str, ...]:
    """Withhold an axis's patients' cells of these levels and what sums them up; returns the names of such facts.

    No level is a question without one, which counts in conditions and ceilings only.
    """
    one |= {"sealed": "few", "withheld": [level for level in levels if level in closed]}
    one |= {"retained": None, "unilateral": False}
    if closed == {None}:
        return BOTH
    own = one["experienced"]
    cells = {level: cell for level, cell in (own["cells"] if own else {}).items() if level not in closed}
    said = any(cell["value"] is not None for cell in cells.values())
    part = {"position": None, "high": None, "complete": False, "level": None, "cells": cells}
    one |= {"gap": None, "experienced": part if said else None}
    return SUMS


def _drop(result: dict[str, Any], hidden: Callable[[str], bool]) -> None:
    """Take out the findings that rest on a fact which is not shown."""
    result["findings"] = [
        found for found in result["findings"] if not any(hidden(one["fact"]) for one in found["because"])
    ]


__all__ = ["disclosed", "few_patients"]
