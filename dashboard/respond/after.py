"""What each side said, once a campaign is closed, as plain sentences with nobody to be recognised in them."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from dashboard.respond.render import words
from matrix import load_matrix

if TYPE_CHECKING:
    from data import Campaign, Store
    from questionnaires import Questionnaire


class Levels(NamedTuple):
    """How many people answered on each side, and per axis the level each side sees.

    A level is its number and whether it may be higher, or none when the answers that may be shown do not tell.
    """

    people: dict[str, int]
    declared: dict[str, tuple[int, bool] | None]
    experienced: dict[str, tuple[int, bool] | None]


def levels(store: Store, campaign: Campaign, questionnaire: Questionnaire) -> Levels:
    """What the answers of a closed campaign say; kept until they change, by a withdrawal."""
    return _levels(_Facts(store, campaign, questionnaire), f"{campaign.closed}{store.progress(campaign.id)}")


def sentence(levels: Levels, axis: str, lang: str) -> str:
    """What both sides say on an axis; of patients only when enough of them answered."""
    declared = _name(levels.declared.get(axis), lang)
    if levels.people["experienced"] < load_matrix().thresholds.n_min:
        return words()("r-after-axis-declared", lang, declared=declared)
    experienced = _name(levels.experienced.get(axis), lang)
    return words()("r-after-axis-both", lang, declared=declared, experienced=experienced)


def people(count: int, lens: str, lang: str) -> str:
    """How many answered on a side, not to the person when they are few patients."""
    n_min = load_matrix().thresholds.n_min
    if not count:
        said = words()("r-after-nobody", lang)
    elif lens == "experienced" and count < n_min:
        said = words()("r-after-fewer", lang, n=n_min)
    else:
        said = str(count)
    return words()(f"r-after-people-{lens}", lang, n=said)


class _Facts(NamedTuple):
    """Where the answers are; alike for the same campaign, so that what was made of them can be kept."""

    store: Store
    campaign: Campaign
    questionnaire: Questionnaire

    def __hash__(self) -> int:
        return hash((id(self.store), self.campaign.id))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, _Facts)
            and self.store is other.store
            and (self.campaign.id == other.campaign.id)
        )


@lru_cache(maxsize=32)
def _levels(facts: _Facts, stamp: str) -> Levels:  # noqa: ARG001  # a part of the key: other answers, other levels
    from scoring import disclosed  # noqa: PLC0415  # here: the server answers before it is loaded

    store, campaign, questionnaire = facts
    answers, assessments = store.answers([campaign.id]), store.assessments([campaign.id])
    result, _ = disclosed(questionnaire, answers, assessments=assessments, form=campaign.form)
    axes, lens_of = result["axes"].items(), load_matrix().lens_of
    rows = zip(*(answers[name].to_pylist() for name in ("respondent", "role")), strict=True)
    patients = {respondent for respondent, role in rows if lens_of.get(role) == "experienced"}
    return Levels(
        result["respondents"] | {"experienced": len(patients)},
        {axis: _level(one["declared"]) for axis, one in axes},
        {axis: _level(one["experienced"]) for axis, one in axes},
    )


def _level(lens: dict[str, Any] | None) -> tuple[int, bool] | None:
    if lens is None or lens["level"] is None or (lens["level"] == 0 and not lens["complete"]):
        return None
    return lens["level"], not lens["complete"]


def _name(level: tuple[int, bool] | None, lang: str) -> str:
    word = words()
    if level is None:
        return word("r-level-unknown", lang)
    number, least = level
    if number == 0:
        return word("r-level-none", lang)
    title = next(one.title[lang] for one in load_matrix().levels if one.number == number)
    return word("r-level-least" if least else "r-level", lang, level=title, n=number)


__all__ = ["Levels", "levels", "people", "sentence"]
