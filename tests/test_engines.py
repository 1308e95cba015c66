"""Every engine gives the hospital questionnaire the same numbers, brings no other engine along, and bears odd tables."""

from __future__ import annotations

import datetime as dt
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import golden
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import reference
from test_laws import EVIDENCE, HEADS, agree, difference, table

from matrix import load_matrix
from questionnaires import Questionnaire, load_library
from scoring import score

ROOT = Path(__file__).parents[1]
ON = dt.date(2026, 1, 31)
LONG = ("assessment", "respondent", "role", "item", "answer", "reason", "comment", "channel", "at")
ENGINES = ("pandas", "polars", "duckdb")
Row = dict[str, str]


@pytest.fixture(scope="module")
def hospital() -> Questionnaire:
    """The questionnaire that ships."""
    return load_library()["hospital"]


@pytest.fixture(scope="module")
def tables(hospital: Questionnaire) -> dict[str, list[Row]]:
    """Three assessments of forty people each, one of them express, one young and partly out of scope."""
    chance = random.Random(20260131)  # noqa: S311  # the same hospital every time
    lens_of = load_matrix().lens_of
    answers: list[Row] = []
    for assessment, mood in (("north", 0.2), ("south", 0.5), ("west", 0.8)):
        for person in range(40):
            role = chance.choice(list(lens_of))
            for item in hospital.items:
                options = hospital.options(item.id, lens_of[role])
                luck = chance.random()
                if not options or luck < 0.05:
                    continue
                place = min(len(options) - 1, int(chance.betavariate(1 + 3 * mood, 2) * len(options)))
                answer = "na" if luck < 0.1 else "dk" if luck < 0.2 else options[place].id
                answers.append(
                    {
                        "assessment": assessment,
                        "respondent": f"{assessment}-{person % 37}",
                        "role": role,
                        "item": item.id,
                        "answer": answer,
                        "channel": chance.choice(("own_link", "staff_entered", "")),
                        "at": "2026-01-15T10:00:00+00:00",
                    }
                )
    unique = {(row["assessment"], row["respondent"], row["role"], row["item"]): row for row in answers}
    evidence = [
        {
            "assessment": chance.choice(("north", "south", "west")),
            "item": item.id,
            "kind": chance.choice([*item.evidence, "budget"]),
            "date": chance.choice(("2025-11-01", "2023-01-01", "2026-01-31", "2026-02-01")),
            "valid_until": chance.choice(("", "2026-12-31", "2026-01-30")),
            "added_by": "quality",
            "accepted_by": chance.choice(("committee", "quality", "")),
            "units": chance.choice(("one", "all")),
        }
        for item in hospital.items
        for _ in range(3)
    ]
    heads = [
        {"assessment": "north", "form": "full", "programme_start": "2025-03-01"},
        {"assessment": "south", "form": "express"},
        {
            "assessment": "west",
            "form": "full",
            "out_of_scope": "research",
            "out_of_scope_reason": "no research",
        },
    ]
    return {"answers": list(unique.values()), "evidence": evidence, "heads": heads}


def scores(
    hospital: Questionnaire, tables: dict[str, list[Row]], engine: str = "arrow", *, wide: bool = False
) -> list[dict[str, Any]]:
    """The scores of those tables, on an engine."""
    answers = table(tables["answers"], LONG)
    return score(
        hospital,
        golden.on_engine(golden.wide_table(answers) if wide else answers, engine),
        evidence=golden.on_engine(table(tables["evidence"], EVIDENCE), engine),
        assessments=golden.on_engine(table(tables["heads"], HEADS), engine),
        on=ON,
    ).to_json()


@pytest.mark.parametrize("engine", ENGINES)
def test_engines_agree_on_everything(
    hospital: Questionnaire, tables: dict[str, list[Row]], engine: str
) -> None:
    """Positions, indices, states, findings and what is unjudged: the same on every engine."""
    found = difference(scores(hospital, tables, engine), scores(hospital, tables))
    assert not found, found


@pytest.mark.parametrize("engine", ["arrow", *ENGINES])
def test_wide_tables_agree_on_everything(
    hospital: Questionnaire, tables: dict[str, list[Row]], engine: str
) -> None:
    """A wide table says the same as the long one, except who typed the answers, which it cannot say."""
    bare = {**tables, "answers": [{**row, "channel": ""} for row in tables["answers"]]}
    found = difference(scores(hospital, tables, engine, wide=True), scores(hospital, bare))
    assert not found, found


def test_the_hospital_by_hand(hospital: Questionnaire, tables: dict[str, list[Row]]) -> None:
    """The reference, written from the document alone, gives the whole questionnaire the same numbers."""
    by_hand = reference.reference(
        hospital, tables["answers"], evidence=tables["evidence"], assessments=tables["heads"], on=ON
    )
    agree(scores(hospital, tables), by_hand)


@pytest.mark.parametrize("engine", ["arrow", *ENGINES])
def test_scores_are_plain_json(hospital: Questionnaire, tables: dict[str, list[Row]], engine: str) -> None:
    """What comes out holds no number of an engine's own, no NaN and no infinity."""
    said = scores(hospital, tables, engine)
    assert json.loads(json.dumps(said, allow_nan=False)) == said


def test_the_default_engine_comes_alone() -> None:
    """Scoring on Arrow imports neither the dashboard nor an engine it does not use, and needs no pandas."""
    program = """
import sys, datetime
class Absent:
    # PyArrow itself imports pandas, where it can, for any array made of a list: so it is as if not installed.
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "pandas":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
import pyarrow as pa
from questionnaires import load_library
from scoring import score
hospital = load_library()["hospital"]
item = hospital.items[0]
row = {"assessment": "a", "respondent": "p", "role": "professional", "item": item.id, "answer": "dk", "reason": ""}
for wide in (False, True):
    cells = {**{k: row[k] for k in ("assessment", "respondent", "role")}, item.id: "dk"} if wide else row
    score(hospital, pa.Table.from_pylist([cells]), on=datetime.date(2026, 1, 31)).to_json()
print(*sorted({"streamlit", "polars", "duckdb", "pyspark", "plotly", "sqlalchemy"} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


# --- odd tables ---------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def small() -> Questionnaire:
    """A ladder of four questions."""
    levels = zip("1234", reference.LEVELS, strict=True)
    shapes = {f"s{n}": {"axis": "services", "level": level, "evidence": ["minutes"]} for n, level in levels}
    return golden.build(shapes, golden.scales_of({"": {"": [0.3, 0.7]}}))


@pytest.mark.parametrize("wide", [False, True], ids=["long", "wide"])
@pytest.mark.parametrize("engine", ["arrow", *ENGINES])
def test_an_assessment_without_answers_is_listed(engine: str, wide: bool, small: Questionnaire) -> None:  # noqa: FBT001
    """A campaign nobody has answered yet has a score that says nothing, beside one that has answers or not."""
    heads = table([{"assessment": "empty"}], HEADS)
    for groups in ({}, {"professional x5": {"s1": 1.0}}):
        answers = golden.answer_table(groups, small)
        if wide:
            answers = golden.wide_table(answers, [item.id for item in small.items])
        said = score(small, golden.on_engine(answers, engine), assessments=heads, on=ON).to_json()
        assert [one["assessment"] for one in said] == (["a", "empty"] if groups else ["empty"])
        empty = said[-1]
        assert empty["respondents"] == {"declared": 0, "experienced": 0}
        assert empty["completeness"] == {"declared": None, "experienced": None}
        assert empty["axes"]["services"]["declared"] is None
        assert empty["axes"]["services"]["applicable"] is True
        assert empty["summary"] == {"minimum": None, "median": None}
        found = difference(
            golden_bare(empty),
            golden_bare(reference.reference(small, [], assessments=[{"assessment": "empty"}], on=ON)[0]),
        )
        assert not found, found


def golden_bare(one: dict[str, Any]) -> dict[str, Any]:
    """A score without its findings."""
    return {key: value for key, value in one.items() if key not in ("findings", "unjudged")}


@pytest.mark.parametrize("engine", ["arrow", *ENGINES])
def test_no_answers_and_no_assessments_are_no_scores(engine: str, small: Questionnaire) -> None:
    """From nothing comes an empty list."""
    assert score(small, golden.on_engine(golden.answer_table({}, small), engine), on=ON).to_json() == []


@pytest.mark.parametrize("engine", ["arrow", *ENGINES])
def test_a_wide_table_may_lack_every_question(engine: str, small: Questionnaire) -> None:
    """A wide table with people and no column of this form says that nobody has answered."""
    people = pa.table({"assessment": ["a"], "respondent": ["p"], "role": ["patient"], "other": ["x"]})
    heads = table([{"assessment": "a"}], HEADS)
    (one,) = score(small, golden.on_engine(people, engine), assessments=heads, on=ON).to_json()
    assert one["respondents"] == {"declared": 0, "experienced": 0}


def test_a_wide_table_may_have_empty_cells_and_columns(small: Questionnaire) -> None:
    """Nothing, empty text and NaN in a wide table are no answer, and a column without a type is no trouble."""
    answers = golden.answer_table(
        {"professional x5": {"s1": 0.7}, "patient x1": {"s1": 0.3, "s2": 0.3}}, small
    )
    expected = score(small, answers, on=ON).to_json()
    wide = golden.wide_table(answers, ["s1", "s2"])
    silent = {"assessment": "a", "respondent": "silent", "role": "patient", "s1": "", "s2": ""}
    untyped = wide.append_column("s3", pa.nulls(len(wide)))
    frame = wide.to_pandas()
    frame["s3"] = float("nan")
    frames = [
        pa.concat_tables([wide, pa.Table.from_pylist([silent])]),
        untyped,
        golden.on_engine(untyped, "duckdb"),
        pl.from_arrow(untyped),
        frame,
        pd.concat([frame, pd.DataFrame([silent])]),
    ]
    for table_ in frames:
        found = difference(score(small, table_, on=ON).to_json(), expected)
        assert not found, (type(table_), found)


def test_text_columns_may_be_of_any_kind(small: Questionnaire) -> None:
    """Dictionary, large and view strings, categories and objects are all text."""
    answers = golden.answer_table(
        {"professional x5": {"s1": 0.7, "s2": "dk"}, "patient x3": {"s1": 0.3}}, small
    )
    expected = score(small, answers, on=ON).to_json()

    def cast(kind: pa.DataType) -> pa.Table:
        return answers.cast(pa.schema([(name, kind) for name in answers.column_names]))

    coded = pa.table({name: answers[name].dictionary_encode() for name in answers.column_names})
    frame = answers.to_pandas()
    polars: Any = pl.from_arrow(answers)
    kinds = {
        "large": cast(pa.large_string()),
        "dictionary": coded,
        "pandas object": frame.astype(object),
        "pandas category": frame.astype("category"),
        "pandas arrow": frame.astype(pd.ArrowDtype(pa.string())),
        "polars category": polars.with_columns(pl.all().cast(pl.Categorical)),
        "polars eager": polars,
        "duckdb dictionary": golden.on_engine(coded, "duckdb"),
    }
    for name, frame_ in kinds.items():
        found = difference(score(small, frame_, on=ON).to_json(), expected)
        assert not found, (name, found)


def test_nothing_in_evidence_and_assessments_may_be_null(small: Questionnaire) -> None:
    """None, NaN and untyped columns in the small tables are the same as empty text."""
    answers = golden.answer_table({"professional x5": {"s1": 0.7}, "patient x5": {"s1": 0.7}}, small)
    proof = golden.evidence_table([{"item": "s1"}, {"item": "s2", "accepted_by": ""}])
    heads = table([{"assessment": "a"}], HEADS)
    expected = score(small, answers, evidence=proof, assessments=heads, on=ON).to_json()
    assert expected[0]["axes"]["services"]["documented"]["position"] == pytest.approx(1)

    def without(table_: pa.Table, *names: str) -> pa.Table:
        for name in names:
            table_ = table_.set_column(table_.column_names.index(name), name, pa.nulls(len(table_)))
        return table_

    bare = without(proof, "valid_until", "file")
    empty = without(heads, "programme_start", "out_of_scope", "out_of_scope_reason", "form", "kind")
    for convert in (
        lambda one: one,
        lambda one: one.to_pandas(),
        pl.from_arrow,
        lambda one: golden.on_engine(one, "duckdb"),
    ):
        said = score(small, answers, evidence=convert(bare), assessments=convert(empty), on=ON).to_json()
        found = difference(said, expected)
        assert not found, found
    none = without(proof, "accepted_by")
    said = score(small, answers, evidence=none, assessments=heads, on=ON).to_json()
    assert said[0]["axes"]["services"]["documented"]["position"] == 0


@pytest.mark.parametrize("engine", ["arrow", *ENGINES])
def test_very_many_people_are_averaged_exactly(engine: str, small: Questionnaire) -> None:
    """Twenty thousand professionals at 0.7 are 0.7, whatever the order of the sum."""
    people = 20_000
    answers = pa.table(
        {
            "assessment": ["a"] * people,
            "respondent": [f"p{n}" for n in range(people)],
            "role": ["professional"] * people,
            "item": ["s1"] * people,
            "answer": [golden.option_id(0.7)] * people,
            "reason": [""] * people,
        }
    )
    (one,) = score(small, golden.on_engine(answers, engine), on=ON).to_json()
    cell = one["axes"]["services"]["declared"]["cells"]["information"]
    assert cell["value"] == pytest.approx(0.7, abs=1e-12)
    assert one["respondents"]["declared"] == people
