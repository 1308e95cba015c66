"""What the hospital questionnaire must hold to give a position, a showcase state and a fair voice to patients."""

from __future__ import annotations

import re
import statistics
from collections import Counter
from itertools import product
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
import textstat

from matrix import load_matrix
from questionnaires import SIDE_OF, load_library
from scoring import score

if TYPE_CHECKING:
    from collections.abc import Iterable

    from questionnaires import Ask, Item

HOSPITAL = load_library()["hospital"]
AXES = load_matrix().ids("axes")
CELLS = tuple(product(AXES, load_matrix().ids("levels")))
LENSES = tuple(SIDE_OF)
POWER = ("decision", "training", "recognition")
"""Conditions that tell partnership from showcase."""
FLESCH_FLOOR, FLESCH_MEDIAN = 55, 75
"""Reading ease of French questions to patients: none below the first, half above the second (60 to 70 is plain)."""


def lacking(
    items: Iterable[Item], wanted: Iterable[tuple[str, ...]], *keys: str, least: int = 1
) -> list[str]:
    """What is asked fewer than ``least`` times, by axis and other keys, for each lens."""
    wanted, items = list(wanted), list(items)
    lacks = []
    for lens in LENSES:
        found = Counter(tuple(getattr(item, key) for key in keys) for item in items if item.asked_of(lens))
        lacks += [
            f"{lens}: {' / '.join(one)}: {found[one]} of {least}" for one in wanted if found[one] < least
        ]
    return lacks


def asks(side: str) -> list[tuple[str, Ask]]:
    """The wordings for one side, with the id of their item."""
    return [(item.id, ask) for item in HOSPITAL.items if (ask := getattr(item.ask, side)) is not None]


def long_sentences(side: str, lang: str, limit: int) -> list[str]:
    """Items whose wording has a sentence of more words than the limit."""
    return [
        f"{id_}: {sentence}"
        for id_, ask in asks(side)
        for sentence in re.split(r"(?<=[.!?])\s+", ask.text[lang])
        if sum(1 for word in sentence.split() if re.search(r"\w", word)) > limit
    ]


def test_enough_is_asked() -> None:
    """At least 72 items are put to the institution and 40 to patients."""
    assert len(asks("institution")) >= 72
    assert len(asks("patients")) >= 40


def test_every_cell_is_asked_well() -> None:
    """Every cell has three items for the institution and two for patients."""
    short = lacking(HOSPITAL.items, CELLS, "axis", "level", least=3)
    assert not [one for one in short if one.startswith("declared")]
    assert not lacking(HOSPITAL.items, CELLS, "axis", "level", least=2)


def test_the_top_rung_rests_on_core_items() -> None:
    """Partnership asks for three core items on every axis, each put to the institution."""
    core = [item for item in HOSPITAL.items if item.core and item.level == "partnership"]
    assert not [
        one for one in lacking(core, ((axis,) for axis in AXES), "axis", least=3) if "declared" in one
    ]


def test_the_express_form_is_short_and_whole() -> None:
    """Twenty to thirty items cover every cell for both lenses."""
    express = HOSPITAL.form("express")
    assert 20 <= len(express) <= 30
    assert not lacking(express, CELLS, "axis", "level")


def test_the_express_form_can_tell_showcase() -> None:
    """On each axis both lenses are asked about decision, training and recognition, below the top rung."""
    below = [item for item in HOSPITAL.form("express") if item.level != "partnership"]
    assert not lacking(below, product(AXES, POWER), "axis", "condition")


@pytest.mark.parametrize(("lived", "state"), [(0, "critical"), (-1, "sound")])
def test_an_express_assessment_judges_showcase_on_every_axis(lived: int, state: str) -> None:
    """Who claims everything is sound on every axis when patients live it, and critical when they live none of it."""
    rows = [
        {
            "assessment": "a",
            "respondent": f"{lens}-{n}",
            "role": role,
            "item": item.id,
            "answer": HOSPITAL.options(item.id, lens)[-1 if lens == "declared" else lived].id,
            "reason": "",
        }
        for lens, role in (("declared", "quality"), ("experienced", "patient"))
        for n in range(5)
        for item in HOSPITAL.form("express")
    ]
    [result] = score(HOSPITAL, pa.Table.from_pylist(rows), form="express").to_json()
    assert {axis: one["showcase"]["state"] for axis, one in result["axes"].items()} == dict.fromkeys(
        AXES, state
    )


def test_the_full_form_judges_every_condition_of_showcase() -> None:
    """On each axis both lenses are asked about presence, decision, training, recognition and feedback."""
    assert not lacking(HOSPITAL.items, product(AXES, ("presence", *POWER, "feedback")), "axis", "condition")


@pytest.mark.parametrize("condition", ["culture", "readiness", "status", "display", "safeguard"])
def test_the_brakes_are_asked_on_every_axis(condition: str) -> None:
    """What is shown, what holds back and what protects is asked of the institution on each axis."""
    lacks = lacking(HOSPITAL.items, ((axis, condition) for axis in AXES), "axis", "condition")
    assert not [one for one in lacks if one.startswith("declared")]


def test_showing_and_breaches_are_no_step() -> None:
    """Display and safeguard items carry no level."""
    assert not [
        item.id for item in HOSPITAL.items if item.condition in ("display", "safeguard") and item.level
    ]


def test_every_item_says_where_it_comes_from() -> None:
    """Each item cites a source and the place in it."""
    assert not [
        item.id for item in HOSPITAL.items if not item.sources or not all(one.where for one in item.sources)
    ]


def test_anchors_speak_of_options() -> None:
    """An anchor explains an option that its scale has."""
    for side in SIDE_OF.values():
        for id_, ask in asks(side):
            assert set(ask.anchors) <= {option.id for option in HOSPITAL.scales[ask.scale]}, id_


@pytest.mark.parametrize("lang", load_matrix().languages)
def test_no_two_items_ask_the_same(lang: str) -> None:
    """No wording stands twice, capitals and spaces aside."""
    texts = Counter(
        " ".join(ask.text[lang].casefold().split()) for side in SIDE_OF.values() for _, ask in asks(side)
    )
    assert not [text for text, count in texts.items() if count > 1]


@pytest.mark.parametrize("lang", load_matrix().languages)
def test_every_scale_reads_from_least_to_most(lang: str) -> None:
    """A scale runs from 0 to 1, and no two of its options read the same."""
    for name, options in HOSPITAL.scales.items():
        assert (options[0].value, options[-1].value) == (0, 1), name
        assert len({option.text[lang] for option in options}) == len(options), name


@pytest.mark.parametrize(("side", "lang", "limit"), [("patients", "fr", 22), ("patients", "en", 22), ("patients", "nl", 24), ("institution", "fr", 24), ("institution", "en", 24), ("institution", "nl", 24)])  # fmt: skip
def test_sentences_are_short(side: str, lang: str, limit: int) -> None:
    """A question to patients has 22 words a sentence at most, a statement to the institution 24."""
    assert not long_sentences(side, lang, limit)


def test_patients_can_read_the_questions(capsys: pytest.CaptureFixture[str]) -> None:
    """French questions to patients are plain: a floor for each, a higher one for half of them."""
    textstat.set_lang("fr")
    ease = {id_: textstat.flesch_reading_ease(ask.text["fr"]) for id_, ask in asks("patients")}
    lowest = sorted(ease, key=ease.__getitem__)[:3]
    marks = statistics.quantiles(ease.values(), n=10)
    with capsys.disabled():
        print("\nReading ease (Flesch, French, patients), deciles:", *(round(mark) for mark in marks))  # noqa: T201
        print("  lowest:", *(f"{id_} {ease[id_]:.0f}" for id_ in lowest))  # noqa: T201
    assert ease[lowest[0]] >= FLESCH_FLOOR
    assert statistics.median(ease.values()) >= FLESCH_MEDIAN
