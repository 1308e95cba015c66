"""The desk readings answer every question they should, with options that exist, and say where in the text."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from data.tables import COLUMNS, read_table
from matrix import load_matrix
from questionnaires import load_library

if TYPE_CHECKING:
    from questionnaires import Questionnaire

FOLDER = Path(__file__).parents[1] / "data" / "demo" / "readings"
READINGS = {
    "belgium-french-speaking": {"care", "services", "policy", "teaching", "research"},
    "chuv-research-unit": {"research"},
}
LINES = {"001_6df846670ba4a904.txt": 289}
"""How many lines each text that was read has; the texts themselves are not kept here."""
PLACE = re.compile(
    r"(?P<file>\d{3}_[0-9a-f]{16}\.txt) (?P<lines>L[1-9]\d*(?:, L[1-9]\d*)*) : (?P<why>\S.{20,})"
)
SILENT = ("", "silence du texte")


@pytest.fixture(scope="module")
def hospital() -> Questionnaire:
    """The questionnaire that both readings answer."""
    return load_library()["hospital"]


def rows_of(file: str) -> list[dict[str, str]]:
    """The rows of a file, as they are written."""
    with (FOLDER / file).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, strict=True))


@pytest.fixture(params=READINGS)
def reading(request: pytest.FixtureRequest) -> str:
    """The name of one reading."""
    return str(request.param)


@pytest.fixture
def answers(reading: str) -> list[dict[str, str]]:
    """The answers of one reading."""
    return rows_of(f"{reading}.answers.csv")


def test_reader_accepts_the_readings(reading: str, hospital: Questionnaire) -> None:
    """The strict reader takes every row: items and options exist, and nothing is answered twice."""
    table = read_table(FOLDER / f"{reading}.answers.csv", "answers", hospital)
    assert table.frame.num_rows == len(rows_of(f"{reading}.answers.csv"))
    assert not table.notes


def test_every_answer_is_an_option_of_its_question(
    answers: list[dict[str, str]], hospital: Questionnaire
) -> None:
    """An answer is an option that the question offers the institution, or a plain "don't know"."""
    for row in answers:
        offered = {option.id for option in hospital.options(row["item"], "declared")}
        assert offered, row["item"]
        assert row["answer"] in offered | {"dk"}, row["item"]


def test_every_question_in_scope_has_one_row(
    reading: str, answers: list[dict[str, str]], hospital: Questionnaire
) -> None:
    """A reading answers each question put to the institution on its axes once, in order, and no other."""
    expected = [
        item.id
        for item in hospital.form("full")
        if item.asked_of("declared") and item.axis in READINGS[reading]
    ]
    assert [row["item"] for row in answers] == expected


def test_rows_say_they_come_from_a_text(reading: str, answers: list[dict[str, str]]) -> None:
    """Each row names its reading, the desk as respondent and import as channel."""
    assert tuple(answers[0]) == COLUMNS["answers"]
    for row in answers:
        fixed = {name: row[name] for name in ("assessment", "respondent", "role", "reason", "channel", "at")}
        assert fixed == {
            "assessment": f"reading-{reading}",
            "respondent": "desk",
            "role": "quality",
            "reason": "",
            "channel": "import",
            "at": "2026-11-01T00:00:00Z",
        }


def test_every_answer_names_its_place(answers: list[dict[str, str]]) -> None:
    """An answer gives the file, lines within that file, and why; a text that is silent gives nothing else."""
    for row in answers:
        if row["answer"] == "dk" and row["comment"] in SILENT:
            continue
        place = PLACE.fullmatch(row["comment"])
        assert place, f"{row['item']}: {row['comment']}"
        lines = [int(line) for line in re.findall(r"\d+", place["lines"])]
        assert lines == sorted(set(lines)), row["item"]
        assert lines[-1] <= LINES[place["file"]], row["item"]


def test_each_reading_answers_something(answers: list[dict[str, str]]) -> None:
    """A text answers some questions and leaves others open."""
    known = [row for row in answers if row["answer"] != "dk"]
    assert known
    assert len(known) < len(answers)


def test_the_list_says_what_each_reading_is() -> None:
    """Both are listed as readings, in the full form, and every axis without a row is out of scope with a reason."""
    assert read_table(FOLDER / "assessments.csv", "assessments", None).frame.num_rows == len(READINGS)
    rows = rows_of("assessments.csv")
    assert tuple(rows[0]) == COLUMNS["assessments"]
    assert [row["assessment"] for row in rows] == [f"reading-{name}" for name in READINGS]
    assert [row["country"] for row in rows] == ["BE", "CH"]
    axes = {axis.id for axis in load_matrix().axes}
    for row, name in zip(rows, READINGS, strict=True):
        assert (row["kind"], row["form"]) == ("reading", "full")
        assert row["institution"]
        assert row["scope"]
        assert set(row["out_of_scope"].split()) == axes - READINGS[name]
        assert bool(row["out_of_scope"]) == bool(row["out_of_scope_reason"])


def test_files_are_plain_utf8() -> None:
    """The tables are UTF-8 without a mark, comma separated, with plain line ends."""
    for file in FOLDER.glob("*.csv"):
        raw = file.read_bytes()
        assert not raw.startswith(b"\xef\xbb\xbf"), file.name
        assert b"\r" not in raw, file.name
        assert raw.decode("utf-8").endswith("\n"), file.name
