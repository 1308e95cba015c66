"""The laws of the scoring, on random small questionnaires: by the program and by the reference that knows nothing of it."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import golden
import pyarrow as pa
import pytest
import reference
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from questionnaires import Questionnaire
from scoring import Rulebook, disclosed, few_patients, load_rulebook, score

ON = dt.date(2026, 1, 31)
SCALES = {
    "institution": {
        "absent": 0.0,
        "planned": 0.0,
        "pilot": 0.3,
        "half": 0.5,
        "sixty": 0.6,
        "most": 0.7,
        "all": 1.0,
    },
    "patients": {"never": 0.0, "seldom": 0.3, "sometimes": 0.5, "often": 0.7, "always": 1.0},
}
SIDE_OF = {"declared": "institution", "experienced": "patients"}
ROLES = (
    "direction",
    "professional",
    "professional",
    "quality",
    "patient",
    "patient",
    "patient_partner",
    "association",
)
TOLERANCE = 1e-9
ANSWERS = ("assessment", "respondent", "role", "item", "answer", "reason")
EVIDENCE = (
    "assessment", "item", "title", "kind", "date", "valid_until", "added_by", "accepted_by", "units", "file",
)  # fmt: skip
HEADS = ("assessment", "kind", "form", "programme_start", "out_of_scope", "out_of_scope_reason")
CEILINGS = Rulebook({id_: rule for id_, rule in load_rulebook().rules.items() if rule.kind == "ceiling"})
"""Laws are about positions: the rest of the rulebook has cases of its own."""
MORE = int(os.environ.get("POMEY_LAW_EXAMPLES", "1"))
"""How many times more examples than usual to try, each time other ones; once, the same ones every time."""

Row = dict[str, str]


def law(examples: int) -> settings:
    """So many examples, the same ones on every machine unless more are asked for."""
    return settings(
        max_examples=examples * MORE,
        deadline=None,
        derandomize=MORE == 1,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


@dataclass(frozen=True)
class Batch:
    """Assessments of one questionnaire, as rows."""

    questionnaire: Questionnaire
    answers: list[Row]
    evidence: list[Row] = field(default_factory=list)
    heads: list[Row] = field(default_factory=list)

    def of(self, assessment: str) -> Batch:
        """One assessment alone."""
        keep = [[row for row in rows if row["assessment"] == assessment] for rows in self.parts]
        return Batch(self.questionnaire, *keep)

    @property
    def parts(self) -> tuple[list[Row], list[Row], list[Row]]:
        """Answers, evidence, heads."""
        return self.answers, self.evidence, self.heads

    def variants(self, changed: list[list[Row]]) -> Batch:
        """This one assessment, ``before``, and beside it a copy of it for each other list of answers."""
        answers, evidence, heads = [], [], []
        for name, own in (
            ("before", self.answers),
            *((f"after {n:03}", rows) for n, rows in enumerate(changed)),
        ):
            for rows, kept in ((own, answers), (self.evidence, evidence), (self.heads, heads)):
                kept += [{**row, "assessment": name} for row in rows]
        return Batch(self.questionnaire, answers, evidence, heads)


Scorer = Callable[[Batch], list[dict[str, Any]]]


def by_program(batch: Batch, *, engine: str = "arrow", wide: bool = False) -> list[dict[str, Any]]:
    """The program's scores; findings apart."""
    answers = table(batch.answers, ANSWERS)
    if wide:
        answers = golden.wide_table(answers, [item.id for item in batch.questionnaire.items])
    return score(
        batch.questionnaire,
        golden.on_engine(answers, engine),
        evidence=table(batch.evidence, EVIDENCE),
        assessments=table(batch.heads, HEADS),
        on=ON,
        wide=wide,
        rulebook=CEILINGS,
    ).to_json()


def by_hand(batch: Batch) -> list[dict[str, Any]]:
    """The reference's scores."""
    answers, evidence, heads = batch.parts
    return reference.reference(batch.questionnaire, answers, evidence=evidence, assessments=heads, on=ON)


both = pytest.mark.parametrize("scorer", [by_hand, by_program])


def table(rows: list[Row], columns: tuple[str, ...]) -> pa.Table:
    """Rows as text columns."""
    return pa.table({name: pa.array([row.get(name, "") for row in rows], pa.string()) for name in columns})


def difference(left: Any, right: Any, path: str = "") -> str:
    """Where two scores first differ by more than the tolerance, or nothing."""
    if isinstance(left, dict) and isinstance(right, dict):
        if left.keys() != right.keys():
            return f"{path}: keys {sorted(left)} and {sorted(right)}"
        found = (difference(left[key], right[key], f"{path}.{key}") for key in left)
        return next((one for one in found if one), "")
    if isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        found = (
            difference(one, two, f"{path}[{n}]") for n, (one, two) in enumerate(zip(left, right, strict=True))
        )
        return next((one for one in found if one), "")
    plain = type(left) in (int, float) and type(right) in (int, float)
    same = abs(left - right) <= TOLERANCE if plain else (type(left) is type(right) and left == right)
    return "" if same else f"{path}: {left!r} and {right!r}"


def agree(left: list[dict[str, Any]], right: list[dict[str, Any]]) -> None:
    """Two batches of scores are the same, findings apart."""
    said = [
        [{k: v for k, v in one.items() if k not in ("findings", "unjudged")} for one in s]
        for s in (left, right)
    ]
    found = difference(*said)
    assert not found, found


# --- what is drawn ------------------------------------------------------------------------------------------
@st.composite
def questionnaires(draw: st.DrawFn) -> Questionnaire:
    """One to twelve items on three axes; mostly with a whole ladder on both sides, and the criteria beside it."""
    shapes: list[dict[str, Any]] = []
    if draw(st.sampled_from((True, True, True, False))):
        shapes += [{"axis": "services", "level": level, "ask": "both"} for level in reference.LEVELS]
        beside = draw(
            st.sampled_from((reference.CRITERIA, (*reference.CRITERIA, "display"), ("feedback",), ()))
        )
        shapes += [{"axis": "services", "ask": "both", "condition": condition} for condition in beside]
    for _ in range(draw(st.integers(0 if shapes else 1, 5))):
        level = draw(st.sampled_from((None, *reference.LEVELS)))
        ask = draw(st.sampled_from(("both", "both", "institution", "patients")))
        axis = draw(st.sampled_from(("services", "services", "care", "policy")))
        shapes.append({"axis": axis, "ask": ask} | ({"level": level} if level else {}))
    criteria = (*reference.CRITERIA, "presence", "display", "feedback", "culture")
    for shape in shapes:
        condition = draw(st.sampled_from((None, *criteria) if "level" in shape else criteria))
        if condition:
            shape.setdefault("condition", condition)
        shape["core"] = draw(st.sampled_from((False, False, True)))
        shape["express"] = draw(st.sampled_from((True, True, False)))
        shape["weight"] = draw(st.sampled_from((1.0, 1.0, 0.5, 3.0)))
        shape["evidence"] = draw(st.sampled_from((["minutes"], ["minutes", "policy"], [])))
    return golden.build({f"i{n}": shape for n, shape in enumerate(shapes)}, SCALES)


LEADING = (("professional", "patient"), ("professional", "patient"), ("direction", "association"), ())


@st.composite
def assessments(draw: st.DrawFn, questionnaire: Questionnaire, name: str) -> Batch:
    """One assessment: groups of like-minded people, evidence on every side of its limits, a head or none."""
    answers: list[Row] = []
    people: dict[str, int] = {}
    further = draw(st.lists(st.sampled_from(ROLES), max_size=2))
    for role in (*draw(st.sampled_from(LEADING)), *further):
        count = draw(st.sampled_from((5, 1, 2, 3, 7)))
        lens = reference.LENS_OF[role]
        options = tuple(SCALES[SIDE_OF[lens]])
        pools = {
            "warm": options[-3:],
            "full": (*options[-1:] * 9, *options[:-1], "dk"),
            "cool": options[:4],
            "any": ("dk", "na", None, *options),
            "away": ("na", "dk", "na", None),
        }
        # What people say where a level is asked, and where only a condition is.
        moods = (
            ("full", "cool"),
            ("warm", "warm"),
            ("any", "any"),
            ("full", "any"),
            ("cool", "full"),
            ("away", "away"),
        )
        mood = draw(st.sampled_from(moods))
        said = {
            item.id: draw(st.sampled_from(pools[mood[0] if item.level else mood[1]]))
            for item in questionnaire.items
            if item.asked_of(lens)
        }
        for _ in range(count):
            who = people[role] = people.get(role, -1) + 1
            answers += [
                {
                    "assessment": name,
                    "respondent": f"p{who}",
                    "role": role,
                    "item": item,
                    "answer": answer,
                    "reason": "not ours" if answer == "na" else "",
                }
                for item, answer in said.items()
                if answer is not None
            ]
    day = lambda days: (ON + dt.timedelta(days=days)).isoformat()  # noqa: E731
    evidence = [
        {
            "assessment": name,
            "item": draw(st.sampled_from([item.id for item in questionnaire.items])),
            "kind": draw(st.sampled_from(("minutes", "minutes", "minutes", "policy", "budget"))),
            "date": draw(st.sampled_from([day(n) for n in (-1, 0, -730, -1, 1, -731)])),
            "valid_until": draw(st.sampled_from(["", "", day(0), day(9), day(-1)])),
            "added_by": "quality",
            "accepted_by": draw(st.sampled_from(("committee", "committee", "quality", ""))),
            "units": draw(st.sampled_from(("all", "one"))),
        }
        for _ in range(draw(st.integers(0, 6)))
    ]
    heads = [
        {
            "assessment": name,
            "form": draw(st.sampled_from(("", "full", "full", "express"))),
            "programme_start": draw(st.sampled_from(("2024-02-01", "2025-06-30", "", "2024-01-31"))),
            "out_of_scope": draw(st.sampled_from(("", "", "care", "services policy"))),
        }
        for _ in range(draw(st.sampled_from((0, 1, 1))))
    ]
    return Batch(questionnaire, answers, evidence, heads)


@st.composite
def batches(draw: st.DrawFn, size: int = 4) -> Batch:
    """Some assessments of one questionnaire."""
    questionnaire = draw(questionnaires())
    drawn = [draw(assessments(questionnaire, f"a{n}")) for n in range(size)]
    return Batch(questionnaire, *([row for one in drawn for row in one.parts[part]] for part in range(3)))


single = batches(size=1).filter(lambda batch: bool(batch.answers))


def lenses(one: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Every position of a score, by its path."""
    names = ("declared", "experienced", "documented", "retained")
    return [
        (f"{axis}.{name}", at[name])
        for axis, at in one["axes"].items()
        for name in names
        if at[name] is not None
    ]


# --- program and reference ----------------------------------------------------------------------------------
@law(45)
@given(batches())
def test_program_and_reference_say_the_same(batch: Batch) -> None:
    """Two programs written apart from the same document give the same numbers."""
    agree(by_program(batch), by_hand(batch))


@pytest.mark.parametrize("wide", [False, True], ids=["long", "wide"])
@pytest.mark.parametrize("engine", ["pandas", "polars", "duckdb"])
@law(6)
@given(batches())
def test_every_engine_says_the_same(engine: str, wide: bool, batch: Batch) -> None:  # noqa: FBT001
    """Every engine gives the reference's numbers, from long and from wide tables."""
    agree(by_program(batch, engine=engine, wide=wide), by_hand(batch))


# --- the laws -----------------------------------------------------------------------------------------------
@both
@law(25)
@given(batches())
def test_positions_lie_on_the_ladder(scorer: Scorer, batch: Batch) -> None:
    """0 <= position <= high <= 4, and level and complete say what the bounds say."""
    for one in scorer(batch):
        for path, lens in lenses(one):
            assert 0 <= lens["position"] <= lens["high"] + TOLERANCE <= 4 + 2 * TOLERANCE, path
            assert lens["complete"] == (lens["high"] - lens["position"] <= TOLERANCE), path
            assert lens["level"] == int(lens["position"] + TOLERANCE), path


@both
@law(25)
@given(batches())
def test_documented_is_at_most_declared(scorer: Scorer, batch: Batch) -> None:
    """Paper never lifts a position above what people declare."""
    for one in scorer(batch):
        for axis, at in one["axes"].items():
            assert (at["documented"] is None) == (at["declared"] is None), axis
            if at["declared"] is not None:
                for bound in ("position", "high"):
                    assert at["documented"][bound] <= at["declared"][bound] + TOLERANCE, (axis, bound)


@both
@law(25)
@given(batches())
def test_retained_is_at_most_either_side(scorer: Scorer, batch: Batch) -> None:
    """A level is retained only when both sides see it."""
    for one in scorer(batch):
        for axis, at in one["axes"].items():
            sides = [at["declared"], at["experienced"]]
            assert (at["retained"] is None) == (None in sides), axis
            for side in sides if at["retained"] is not None else ():
                for bound in ("position", "high"):
                    assert at["retained"][bound] <= side[bound] + TOLERANCE, (axis, bound)


@both
@law(25)
@given(single, st.data())
def test_a_better_answer_never_lowers_a_position(scorer: Scorer, batch: Batch, data: st.DataObject) -> None:
    """Raise one person's answer, or everyone's to an item: no bound of any lens or of retained goes down."""
    scale_of = {role: SCALES[SIDE_OF[lens]] for role, lens in reference.LENS_OF.items()}

    def raised(row: Row) -> list[Row]:
        scale = scale_of[row["role"]]
        if row["answer"] not in scale:
            return []
        return [
            {**row, "answer": option} for option, value in scale.items() if value >= scale[row["answer"]]
        ][1:]

    places = [place for place, row in enumerate(batch.answers) if raised(row)]
    changed = []
    for place in data.draw(st.lists(st.sampled_from(places), max_size=6, unique=True)) if places else ():
        row = batch.answers[place]
        for better in raised(row):
            changed.append([better if n == place else other for n, other in enumerate(batch.answers)])
            changed.append(
                [
                    next((one for one in raised(other) if one["answer"] == better["answer"]), other)
                    if (other["item"], other["role"]) == (row["item"], row["role"])
                    else other
                    for other in batch.answers
                ]
            )
    *afters, before = scorer(batch.variants(changed))
    assert before["assessment"] == "before"
    for after in afters:
        old = dict(lenses(before))
        assert old.keys() == dict(lenses(after)).keys()
        for path, lens in lenses(after):
            for bound in ("position", "high"):
                assert lens[bound] >= old[path][bound] - TOLERANCE, (path, bound)


@both
@law(25)
@given(single)
def test_an_unknown_item_never_helps(scorer: Scorer, batch: Batch) -> None:
    """When an item becomes unknown to a side, no position rises and no upper bound falls."""
    lens_of = reference.LENS_OF
    changed = []
    for item, lens in sorted({(row["item"], lens_of[row["role"]]) for row in batch.answers}):
        about = [(row["item"], lens_of[row["role"]]) == (item, lens) for row in batch.answers]
        own = [row for row, its in zip(batch.answers, about, strict=True) if its]
        if all(row["answer"] in ("na", "dk") for row in own):
            continue
        # Nobody knows any more.
        changed.append(
            [
                {**row, "answer": "dk"} if its and row["answer"] != "na" else row
                for row, its in zip(batch.answers, about, strict=True)
            ]
        )
        # Too few know: less than a third of each role.
        crowd = [
            {**row, "respondent": f"{row['respondent']}/{n}", "answer": "dk"} for row in own for n in range(3)
        ]
        changed.append(batch.answers + crowd)
        # Nobody answers; an item that some call not applicable would no longer be asked, which is another matter.
        if all(row["answer"] != "na" for row in own):
            changed.append([row for row, its in zip(batch.answers, about, strict=True) if not its])
    *afters, before = scorer(batch.variants(changed))
    assert before["assessment"] == "before"
    old = dict(lenses(before))
    for after in afters:
        assert dict(lenses(after)).keys() <= old.keys()
        for path, lens in lenses(after):
            assert lens["position"] <= old[path]["position"] + TOLERANCE, path
            assert lens["high"] >= old[path]["high"] - TOLERANCE, path


@both
@law(15)
@given(batches(), st.randoms(use_true_random=False))
def test_order_is_irrelevant(scorer: Scorer, batch: Batch, random: Any) -> None:
    """Everything is addressed by id: rows, columns, items and options may come in any order."""

    def mixed(values: Any) -> list[Any]:
        return random.sample(list(values), k=len(values))

    questionnaire = batch.questionnaire
    other = questionnaire.model_copy(
        update={
            "items": tuple(mixed(questionnaire.items)),
            "scales": {
                name: tuple(mixed(questionnaire.scales[name])) for name in mixed(questionnaire.scales)
            },
        }
    )
    rows = [[{key: row[key] for key in mixed(row)} for row in mixed(part)] for part in batch.parts]
    agree(scorer(Batch(other, *rows)), scorer(batch))


@law(10)
@given(batches(size=2), st.randoms(use_true_random=False))
def test_order_of_columns_is_irrelevant(batch: Batch, random: Any) -> None:
    """A table's columns may stand in any order, and others beside them."""
    answers = table(batch.answers, ANSWERS).append_column(
        "comment", pa.array([""] * len(batch.answers), pa.string())
    )
    tables = [answers, table(batch.evidence, EVIDENCE), table(batch.heads, HEADS)]
    mixed = [one.select(random.sample(one.column_names, k=one.num_columns)) for one in tables]
    scores = score(
        batch.questionnaire, mixed[0], evidence=mixed[1], assessments=mixed[2], on=ON, rulebook=CEILINGS
    )
    agree(scores.to_json(), by_program(batch))


@both
@law(10)
@given(batches(size=3))
def test_an_assessment_stands_alone(scorer: Scorer, batch: Batch) -> None:
    """What one hospital answers never moves the score of another."""
    together = scorer(batch)
    for one in together:
        agree(scorer(batch.of(one["assessment"])), [one])


@law(15)
@given(batches())
def test_wide_is_long(batch: Batch) -> None:
    """A column per item says what a row per answer says."""
    agree(by_program(batch, wide=True), by_program(batch))


@law(15)
@given(batches(size=2))
def test_no_paper_is_no_evidence_table(batch: Batch) -> None:
    """An evidence table without rows and none at all are the same, and document nothing above zero in known cells."""
    bare = replace(batch, evidence=[])
    answers, heads = table(batch.answers, ANSWERS), table(batch.heads, HEADS)
    without = score(batch.questionnaire, answers, assessments=heads, on=ON, rulebook=CEILINGS).to_json()
    agree(by_program(bare), without)
    for one in without:
        for axis in one["axes"].values():
            assert axis["documented"] is None or axis["documented"]["position"] <= TOLERANCE


def shown_of(batch: Batch, rows: list[Row]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What may be shown of one assessment with these answers."""
    heads = batch.heads or [{"assessment": rows[0]["assessment"]}]
    return disclosed(
        batch.questionnaire,
        table(rows, ANSWERS),
        evidence=table(batch.evidence, EVIDENCE),
        assessments=table(heads, HEADS),
        on=ON,
    )


@law(60)
@given(single, st.sampled_from(tuple(SCALES["patients"])))
def test_nothing_shown_depends_on_what_a_few_patients_say(batch: Batch, answer: str) -> None:
    """Whatever value they give, the few patients behind a question change nothing of what may be shown."""
    few = few_patients(table(batch.answers, ANSWERS))
    changed = [
        {**row, "answer": answer}
        if row["item"] in few
        and reference.LENS_OF[row["role"]] == "experienced"
        and row["answer"] in SCALES["patients"]
        else row
        for row in batch.answers
    ]
    assert shown_of(batch, batch.answers) == shown_of(batch, changed)


@law(40)
@given(single)
def test_what_is_shown_is_the_score_where_nobody_is_few(batch: Batch) -> None:
    """Where every question rests on enough patients the score is shown as it is; a withheld cell is never there."""
    shown, _ = shown_of(batch, batch.answers)
    if not shown["withheld"]:
        [whole] = score(
            batch.questionnaire,
            table(batch.answers, ANSWERS),
            evidence=table(batch.evidence, EVIDENCE),
            assessments=table(batch.heads or [{"assessment": shown["assessment"]}], HEADS),
            on=ON,
        ).to_json()
        mine = {axis: {key: one[key] for key in whole["axes"][axis]} for axis, one in shown["axes"].items()}
        assert mine == whole["axes"]
        assert [key for key in whole if key != "axes" and shown[key] != whole[key]] == []
    for one in shown["axes"].values():
        assert not set((one["experienced"] or {"cells": {}})["cells"]) & set(one["withheld"])
        assert not one["sealed"] or one["retained"] is None
