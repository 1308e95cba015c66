"""Questionnaires as values: forms, options, fingerprints, the library and what is published."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from matrix import Refused, load_document, load_matrix
from matrix.model import check_matrix
from questionnaires import (
    Questionnaire,
    check_crosswalk,
    check_published,
    check_questionnaire,
    load_library,
    publish,
    published,
    read_questionnaire,
)

ROOT = Path(__file__).parent.parent
SMALL = """\
schema: 1
id: small
version: 1
kind: ladder
title: {fr: "Petit", nl: "Klein", en: "Small"}
sources: [dumont2025]
scales:
  yesno:
    - {id: "no", value: 0, text: {fr: "Non", nl: "Nee", en: No}}
    - {id: "yes", value: 1, text: {fr: "Oui", nl: "Ja", en: Yes}}
  often:
    - {id: never, value: 0, text: {fr: "Jamais", nl: "Nooit", en: "Never"}}
    - {id: always, value: 1, text: {fr: "Toujours", nl: "Altijd", en: "Always"}}
items:
"""
ITEM = """\
  - id: small.{level}
    axis: care
    level: {level}
    ask:
      institution: {{scale: yesno, text: {{fr: "Q", nl: "Q", en: "Q"}}}}
      patients: {{scale: often, text: {{fr: "P", nl: "P", en: "P"}}}}
    evidence: [minutes]
    advice: {{fr: "A", nl: "A", en: "A"}}
    sources: [{{id: dumont2025, where: "p. 1"}}]
"""
LADDER = SMALL + "".join(ITEM.format(level=level) for level in load_matrix().ids("levels"))
CROSSWALK = """\
schema: 1
id: scheme
version: 1
scheme: "A scheme"
edition: "2024"
jurisdiction: fr
licence_note: {fr: "N", nl: "N", en: "N"}
requirements:
  - id: scheme.first
    code: null
    text: {fr: "T", nl: "T", en: "T"}
    axis: care
    level: information
    items: [care.record-access]
    evidence: [minutes]
    confidence: to_confirm
    sources: [{id: dumont2025}]
"""


def read(text: str) -> Questionnaire:
    """The questionnaire that a text holds."""
    return read_questionnaire(text.encode(), name="small.yaml")


def changed(old: str, new: str) -> Questionnaire:
    """The small questionnaire with its first such text changed."""
    assert old in LADDER
    return read(LADDER.replace(old, new, 1))


def test_a_good_ladder_is_read() -> None:
    """A ladder with all four cells is read, defaults and all, and its `No` is a word."""
    small = read(LADDER)
    first = small.item("small.information")
    assert (first.core, first.express, first.weight, first.condition) == (False, False, 1.0, None)
    assert small.scales["yesno"][0].text["en"] == "No"
    assert [option.id for option in small.options("small.information", "declared")] == ["no", "yes"]
    assert [option.id for option in small.options("small.information", "experienced")] == ["never", "always"]
    assert small.form("full") == small.items
    assert small.form("express") == ()
    with pytest.raises(KeyError):
        small.item("absent")


def test_an_item_may_be_asked_of_one_side() -> None:
    """A lens that an item is not put to has neither wording nor options."""
    one = changed("    level: information\n", "    level: information\n    condition: feedback\n")
    assert one.item("small.information").asked_of("experienced") is not None
    patients = '      patients: {scale: often, text: {fr: "P", nl: "P", en: "P"}}\n'
    module = read(LADDER.replace("kind: ladder", "kind: module").replace(patients, "", 1))
    assert module.item("small.information").asked_of("experienced") is None
    assert module.options("small.information", "experienced") == ()
    assert module.options("small.information", "declared")


def test_a_questionnaire_never_changes() -> None:
    """What was read is frozen and can be held in sets."""
    small = read(LADDER)
    with pytest.raises(ValueError, match="frozen"):
        small.version = 2  # type: ignore[misc]
    assert len({small, read(LADDER)}) == 1
    assert small == read(LADDER)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('title: {fr: "Petit"', 'title: {fr: "Tout petit"'),
        ('text: {fr: "Q"', 'text: {fr: "Une autre question"'),
        ('{fr: "Oui"', '{fr: "Certainement"'),
        ('advice: {fr: "A"', 'advice: {fr: "Conseil"'),
        ('where: "p. 1"', 'where: "p. 2"'),
        ("version: 1", "version: 2"),
        ("    level: information\n", "    level: information\n    weight: 1.0\n"),
        ("    evidence:", "    jurisdiction: be\n    evidence:"),
    ],
)
def test_wording_leaves_the_fingerprint(old: str, new: str) -> None:
    """Words, sources and defaults written out change no number: the fingerprint stays."""
    assert changed(old, new).fingerprint == read(LADDER).fingerprint


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("id: small\n", "id: other\n"),
        ("id: small.information", "id: small.other"),
        ("    level: information\n", "    level: information\n    weight: 2\n"),
        ("    level: information\n", "    level: information\n    core: true\n"),
        ("    level: information\n", "    level: information\n    express: true\n"),
        ("    level: information\n", "    level: information\n    condition: presence\n"),
        ("evidence: [minutes]", "evidence: [minutes, budget]"),
        ("value: 0, text", "value: 0.1, text"),
        ('id: "no"', "id: nope"),
        ("institution: {scale: yesno", "institution: {scale: often"),
    ],
)
def test_what_counts_changes_the_fingerprint(old: str, new: str) -> None:
    """Whatever can change a number changes the fingerprint."""
    assert changed(old, new).fingerprint != read(LADDER).fingerprint


@settings(deadline=None, max_examples=30)
@given(st.permutations(load_matrix().ids("levels")))
def test_the_order_of_items_leaves_the_fingerprint(levels: list[str]) -> None:
    """Moving items about in the file changes no number."""
    text = SMALL + "".join(ITEM.format(level=level) for level in levels)
    assert read(text).fingerprint == read(LADDER).fingerprint


def test_an_id_stands_once_in_the_whole_library(tmp_path: Path) -> None:
    """An item id that another file of the library uses is refused, with the place of the other one."""
    (tmp_path / "a.yaml").write_text(LADDER, encoding="utf-8")
    (tmp_path / "b.yaml").write_text(LADDER.replace("id: small\n", "id: other\n"), encoding="utf-8")
    with pytest.raises(
        Refused, match=r"b\.yaml:15: .*'small\.information' is already used \(a\.yaml:15\)"
    ) as refused:
        load_library(tmp_path)
    assert len(refused.value.problems) == 4


def test_two_files_do_not_share_a_questionnaire_id(tmp_path: Path) -> None:
    """A questionnaire id that another file of the library has is refused: it would take its place."""
    (tmp_path / "a.yaml").write_text(LADDER, encoding="utf-8")
    (tmp_path / "b.yaml").write_text(LADDER.replace("small.", "other."), encoding="utf-8")
    with pytest.raises(Refused, match=r"b\.yaml:2: id: The id 'small' is already used"):
        load_library(tmp_path)


def test_every_broken_file_of_the_library_is_told(tmp_path: Path) -> None:
    """One broken file does not hide what is wrong with the next."""
    (tmp_path / "a.yaml").write_text(LADDER.replace("axis: care", "axis: car"), encoding="utf-8")
    (tmp_path / "b.yaml").write_text("- not a questionnaire\n", encoding="utf-8")
    with pytest.raises(Refused) as refused:
        load_library(tmp_path)
    assert {problem.file for problem in refused.value.problems} == {"a.yaml", "b.yaml"}


def test_a_questionnaire_is_held_against_the_matrix_that_is_given() -> None:
    """Axes, levels and languages come from the matrix, not from the program."""
    text = (ROOT / "matrix" / "pomey.yaml").read_text(encoding="utf-8")
    matrix, problems = check_matrix(
        load_document(
            text.replace("axis: care", "axis: soins")
            .replace("id: care", "id: soins")
            .replace("      care:", "      soins:")
            .encode()
        )
    )
    assert matrix is not None, problems
    found = check_questionnaire(load_document(LADDER.encode()), matrix)[1]
    assert {problem.code for problem in found} == {"unknown-axis"}
    assert not check_questionnaire(
        load_document(LADDER.replace("axis: care", "axis: soins").encode()), matrix
    )[1]


def test_a_good_crosswalk_is_read() -> None:
    """A crosswalk names axes, levels, items and evidence kinds that exist; a null code is the hospital's to enter."""
    value, problems = check_crosswalk(load_document(CROSSWALK.encode()))
    assert not problems
    assert value is not None
    assert value.requirements[0].code is None


def test_publishing_keeps_what_was_published(tmp_path: Path) -> None:
    """A new version is added to what is kept; a published one that counts something else is refused, and nothing is written."""
    folder, kept = tmp_path / "library", tmp_path / "published.yaml"
    folder.mkdir()
    path = folder / "small.yaml"
    path.write_text(LADDER, encoding="utf-8")
    kept.write_text("# why\n{}\n", encoding="utf-8")
    publish(folder, kept)
    first = read(LADDER).fingerprint
    assert kept.read_text(encoding="utf-8").startswith("# why\n")
    assert published(kept) == {"small": {1: first}}

    heavier = LADDER.replace("value: 0, text", "value: 0.1, text", 1)
    path.write_text(heavier, encoding="utf-8")
    with pytest.raises(Refused, match=r"small\.yaml:3: version: Version 1 of 'small' is published"):
        publish(folder, kept)
    assert published(kept) == {"small": {1: first}}

    path.write_text(heavier.replace("version: 1", "version: 2"), encoding="utf-8")
    publish(folder, kept)
    assert published(kept) == {"small": {1: first, 2: read(heavier).fingerprint}}


def test_published_versions_count_what_they_counted() -> None:
    """Every shipped questionnaire counts what its published version counts."""
    for path in sorted((ROOT / "questionnaires" / "library").glob("*.yaml")):
        one = read_questionnaire(path)
        problems = check_published(one, load_document(path, name=path.name))
        assert not problems, f"{problems[0].text()} Then run: python -m questionnaires publish"
        assert one.version in published().get(one.id, {}), "Run: python -m questionnaires publish"


def test_the_list_of_published_versions_is_what_the_command_writes() -> None:
    """The kept list is sorted as `python -m questionnaires publish` sorts it."""
    text = (ROOT / "questionnaires" / "published.yaml").read_text(encoding="utf-8")
    assert text.endswith(yaml.safe_dump(published()))


@pytest.mark.parametrize(("words", "code"), [([], 2), (["burn"], 2), (["schemas", "twice"], 2)])
def test_the_command_knows_two_words(words: list[str], code: int) -> None:
    """A command that does not exist ends with 2 and tells which do."""
    done = subprocess.run(
        [sys.executable, "-m", "questionnaires", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code
    assert "publish" in done.stderr
    assert "schemas" in done.stderr
