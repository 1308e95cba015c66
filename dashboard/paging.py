"""The order in which questions are asked: axis by axis, a page at a time, and how long that takes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from matrix import load_matrix

if TYPE_CHECKING:
    from data import Campaign
    from questionnaires import Item, Questionnaire

SECONDS_PER_QUESTION = 20
PER_PAGE = 12
"""Questions drawn at once; beyond 16 the browser, not the server, becomes slow."""


class Part(NamedTuple):
    """One page of questions: its axis, which part of the axis it is, from 0, and its items."""

    axis: str
    part: int
    items: tuple[Item, ...]


def pages_of(campaign: Campaign, questionnaire: Questionnaire, lens: str) -> list[Part]:
    """The pages a lens (``declared`` or ``experienced``) is asked, in the matrix's order, without axes out of scope."""
    pages = []
    for axis in load_matrix().ids("axes"):
        if axis in campaign.out_of_scope:
            continue
        items = [i for i in questionnaire.form(campaign.form) if i.axis == axis and i.asked_of(lens)]
        parts = math.ceil(len(items) / PER_PAGE)
        size = math.ceil(len(items) / parts) if parts else 0
        pages += [Part(axis, part, tuple(items[part * size : (part + 1) * size])) for part in range(parts)]
    return pages


def minutes_for(questions: int) -> int:
    """Whole minutes that so many questions take."""
    return max(1, math.ceil(questions * SECONDS_PER_QUESTION / 60))


__all__ = ["PER_PAGE", "SECONDS_PER_QUESTION", "Part", "minutes_for", "pages_of"]
