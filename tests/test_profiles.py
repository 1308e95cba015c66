"""What the program says of invented institutions of known kind, against what their descriptions say."""

from __future__ import annotations

import datetime as dt
import fnmatch
import sys
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from data.demo import Profile, profiles, simulate
from data.demo.profiles import ASSESSMENTS, EVIDENCE
from matrix import load_matrix
from questionnaires import load_library
from scoring import STATES, load_rulebook, score

if TYPE_CHECKING:
    from questionnaires import Questionnaire

ON = dt.date(2026, 3, 31)
DRAWS = (1, 2, 3)
"""Each institution answers this many times, so that no number rests on one lucky draw."""
SUSPECT = {"watch", "high", "critical"}
LANGUAGES = {"fr", "nl", "en"}


@dataclass
class Tally:
    """Counts of one question: what is there and said, said only, there only, and what differs."""

    right: int = 0
    wrong: int = 0
    missed: int = 0
    differences: Counter[str] = field(default_factory=Counter)

    def precision(self) -> float:
        """Of what the program says, the share that is so."""
        return self.right / (self.right + self.wrong)

    def recall(self) -> float:
        """Of what is so, the share that the program says."""
        return self.right / (self.right + self.missed)

    def row(self, name: str) -> str:
        """One line of the table."""
        return (
            f"{name:<22}{self.precision():>9.3f}{self.recall():>9.3f}"
            f"{self.right:>8}{self.wrong:>8}{self.missed:>8}"
        )


@pytest.fixture(scope="module")
def hospital() -> Questionnaire:
    """The questionnaire that everybody answers."""
    return load_library()["hospital"]


@pytest.fixture(scope="module")
def results(hospital: Questionnaire) -> dict[tuple[str, int], dict[str, Any]]:
    """Every institution in every draw, scored in one batch on the full form."""
    made = {
        (id_, seed): simulate(profile, hospital, assessment=f"{id_}~{seed}", seed=seed, on=ON)
        for id_, profile in profiles().items()
        for seed in DRAWS
    }
    scored = score(
        hospital,
        pa.concat_tables([one.answers for one in made.values()]),
        evidence=pa.concat_tables([one.evidence for one in made.values()]),
        assessments=pa.concat_tables([one.assessments for one in made.values()]),
        on=ON,
    ).to_json()
    by_id = {one["assessment"]: one for one in scored}
    return {key: by_id[f"{key[0]}~{key[1]}"] for key in made}


def fired(result: dict[str, Any]) -> set[str]:
    """The findings of one result, written as the profiles write them."""
    return {f"{one['rule']}@{one['axis']}" if one["axis"] else one["rule"] for one in result["findings"]}


def _each(rule: str) -> bool:
    return load_rulebook()[rule].each is not None


def verdicts(results: dict[tuple[str, int], dict[str, Any]]) -> Tally:
    """Showcase or not, for each axis that the descriptions decide."""
    tally = Tally()
    for (id_, _), result in results.items():
        expect = profiles()[id_].expect
        for axis in (*expect.showcase, *expect.honest):
            state = result["axes"][axis]["showcase"]["state"]
            true, said = axis in expect.showcase, state in SUSPECT
            tally.right += true and said
            tally.wrong += said and not true
            tally.missed += true and not said
            if true != said:
                tally.differences[f"{id_}: {axis} is {state}"] += 1
    return tally


def found(results: dict[tuple[str, int], dict[str, Any]]) -> Tally:
    """Findings there and not there, as far as the descriptions decide."""
    tally = Tally()
    for (id_, _), result in results.items():
        expect, said = profiles()[id_].expect, fired(result)
        missed = [one for one in expect.present if one not in said]
        wrong = [one for one in said if expect.excludes(one)]
        tally.right += len(expect.present) - len(missed)
        tally.wrong += len(wrong)
        tally.missed += len(missed)
        tally.differences.update(f"{id_}: no {one}" for one in missed)
        tally.differences.update(f"{id_}: {one}" for one in wrong)
    return tally


def test_the_program_agrees_with_the_descriptions(
    results: dict[tuple[str, int], dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    """Showcase verdicts and findings hold the floors; the table and every difference are printed."""
    showcase, findings = verdicts(results), found(results)
    chosen = [
        (id_, axis, result["axes"][axis]["showcase"]["state"] in states)
        for (id_, _), result in results.items()
        for axis, states in profiles()[id_].expect.states.items()
    ]
    accepted = sum(fine for _, _, fine in chosen) / len(chosen)
    lines = [
        "",
        f"{len(profiles())} invented institutions, {len(DRAWS)} draws each, full form",
        f"{'':<22}precision   recall   right   wrong  missed",
        showcase.row("showcase, per axis"),
        findings.row("findings, per rule"),
        f"state as described: {accepted:.3f} of {len(chosen)}",
        "where program and description differ (draws):",
        *(f"  {count} {what}" for what, count in (showcase.differences + findings.differences).most_common()),
    ]
    with capsys.disabled():
        sys.stdout.write("\n".join([*lines, ""]))
    assert showcase.precision() >= 0.85
    assert showcase.recall() >= 0.9
    assert findings.precision() >= 0.9
    assert findings.recall() >= 0.95
    assert accepted >= 0.95


def test_there_are_enough_institutions_of_each_kind() -> None:
    """At least 32, a good number of each main kind, and some that nobody could decide."""
    kinds = Counter(profile.kind for profile in profiles().values())
    assert kinds.total() >= 32
    assert kinds["showcase"] >= 12
    assert kinds["honest"] >= 12
    assert kinds["unclear"] >= 3


@pytest.mark.parametrize("profile", profiles().values(), ids=lambda one: one.id)
def test_a_profile_is_described_and_names_what_exists(profile: Profile) -> None:
    """Title and description speak every language; axes, states and rules in the expectations exist."""
    assert set(profile.title) == LANGUAGES
    assert set(profile.description) == LANGUAGES
    axes, expect = set(load_matrix().ids("axes")), profile.expect
    assert {*expect.showcase, *expect.honest, *expect.states} <= axes
    assert not set(expect.showcase) & set(expect.honest)
    assert {state for states in expect.states.values() for state in states} <= set(STATES)
    for one in (*expect.present, *expect.absent, *expect.open):
        rule, _, axis = one.partition("@")
        named = fnmatch.filter(load_rulebook().rules, rule)
        assert named, one
        assert not axis or any(_each(rule) for rule in named), one
        assert "*" in one or bool(axis) == _each(rule), one
        assert axis in {"", "*", *axes}, one
    assert (profile.kind == "showcase") == bool(expect.showcase)


def test_every_safeguard_and_assessment_warning_is_planted() -> None:
    """Each kind of finding that speaks of how the assessment was made is expected of some institution."""
    planted = {one for profile in profiles().values() for one in profile.expect.present}
    assert planted >= {
        "no-patient-answered",
        "few-patients-answered",
        "answers-entered-by-staff",
        "answers-incomplete",
        "axis-seen-from-one-side@services",
        "ladder-inversion@services",
        "claim-without-proof@services",
    }


@pytest.mark.parametrize("form", ["full", "express"])
def test_simulated_tables_fit_the_formats(hospital: Questionnaire, form: str) -> None:
    """Answers are options of their role's scale, keys are unique, and the three tables have their columns."""
    made = simulate(profiles()["example"], hospital, assessment="x", form=form, on=ON)
    lens_of = load_matrix().lens_of
    keys = set()
    asked = {item.id for item in hospital.form(form)}
    for row in made.answers.to_pylist():
        offered = {option.id for option in hospital.options(row["item"], lens_of[row["role"]])}
        assert offered
        assert row["item"] in asked
        assert row["answer"] in offered | {"na", "dk"}
        assert bool(row["reason"]) == (row["answer"] == "na")
        assert row["at"].date() <= ON
        keys.add((row["respondent"], row["role"], row["item"]))
    assert len(keys) == made.answers.num_rows
    assert made.evidence.schema == EVIDENCE
    assert made.assessments.schema == ASSESSMENTS
    for row in made.evidence.to_pylist():
        assert row["kind"] in hospital.item(row["item"]).evidence
        assert row["date"] < ON.isoformat()


def test_the_same_seed_gives_the_same_tables(hospital: Questionnaire) -> None:
    """Everything follows from the arguments; another seed or assessment gives other answers."""
    profile = profiles()["honest-middle"]
    first = simulate(profile, hospital, assessment="x", seed=4, on=ON)
    again = simulate(profile, hospital, assessment="x", seed=4, on=ON)
    assert first.answers.equals(again.answers)
    assert first.evidence.equals(again.evidence)
    assert first.assessments.equals(again.assessments)
    for other in (
        simulate(profile, hospital, assessment="x", seed=5, on=ON),
        simulate(profile, hospital, assessment="y", seed=4, on=ON),
    ):
        assert first.answers["answer"].to_pylist() != other.answers["answer"].to_pylist()


def test_who_answers_follows_the_profile(hospital: Questionnaire) -> None:
    """No patient where none answered, staff-entered answers where staff wrote them, and few where few turned out."""
    made = {
        id_: simulate(profiles()[id_], hospital, assessment=id_, on=ON)
        for id_ in ("no-patient-answered", "staff-written-answers", "honest-middle")
    }
    lens_of = load_matrix().lens_of
    roles = set(made["no-patient-answered"].answers["role"].to_pylist())
    assert {lens_of[role] for role in roles} == {"declared"}
    channels = [
        row["channel"]
        for row in made["staff-written-answers"].answers.to_pylist()
        if lens_of[row["role"]] == "experienced"
    ]
    assert channels.count("staff_entered") / len(channels) == pytest.approx(0.9, abs=0.05)
    half = simulate(profiles()["honest-middle"], hospital, assessment="honest-middle", on=ON, turnout=0.5)
    assert half.answers.num_rows < 0.6 * made["honest-middle"].answers.num_rows


def test_any_ladder_questionnaire_can_be_answered(hospital: Questionnaire) -> None:
    """Items with other ids, and conditions that no profile knows, are answered all the same."""
    items = tuple(
        item.model_copy(
            update={
                "id": f"other.{place}",
                "condition": "unheard-of" if item.condition == "culture" else item.condition,
            }
        )
        for place, item in enumerate(hospital.items)
    )
    other = hospital.model_copy(update={"id": "other", "items": items})
    other.__dict__.pop("_by_id", None)
    made = simulate(profiles()["mature"], other, assessment="x", on=ON)
    assert set(made.answers["item"].to_pylist()) == {item.id for item in items}
