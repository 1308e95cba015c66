"""Invented institutions: described, given practices that follow, and made to answer any ladder questionnaire."""

from __future__ import annotations

import datetime as dt
import fnmatch
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field, model_validator

from matrix import load_matrix, read_yaml
from matrix.types import Format, Frozen, Id, Number, Share, Texts, Whole
from questionnaires.model import SIDE_OF

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from questionnaires import Item, Questionnaire

Shares = npt.NDArray[np.float64]
Side = Literal["institution", "patients"]
Practice = dict[Id, Id]
"""How widely each thing is done, in words: things are levels and conditions of the matrix."""

KEEPS_SILENT = "safeguard"
"""What never happens is reported by nobody: full practice of this condition does not scatter."""
SAYS = 0.5
"""From this share on, an institution has something to prove."""
WHOLE_AXIS = "all"
DAYS_A_MONTH = 30.4
SECONDS_AN_ANSWER = 20
ANSWERS = pa.schema(
    [
        *((name, pa.string()) for name in ("assessment", "respondent", "role", "item")),
        *((name, pa.string()) for name in ("answer", "reason", "comment", "channel")),
        ("at", pa.timestamp("us", tz="UTC")),
    ]
)
EVIDENCE = pa.schema(
    [
        (name, pa.string())
        for name in (
            *("assessment", "item", "title", "kind", "date", "valid_until"),
            *("added_by", "accepted_by", "units", "file"),
        )
    ]
)
ASSESSMENTS = pa.schema(
    [
        *((name, pa.string()) for name in ("assessment", "kind", "institution", "country", "type")),
        ("beds", pa.int64()),
        *((name, pa.string()) for name in ("scope", "campaign", "form", "programme_start")),
        *((name, pa.string()) for name in ("out_of_scope", "out_of_scope_reason")),
    ]
)


class Axis(Frozen):
    """What an institution does on one axis: a usual practice, and what is different here.

    ``lived`` is what patients live, ``said`` what the institution says where that is something else; ``unsure``
    replaces the usual share of "I don't know" of a side; ``inapplicable`` levels or conditions (``all``: the whole
    axis) get "not applicable" from everybody.
    """

    like: Id
    lived: Practice = Field(default_factory=dict)
    said: Practice = Field(default_factory=dict)
    unsure: dict[Side, Id] = Field(default_factory=dict)
    inapplicable: tuple[Id, ...] = ()


class Proof(Frozen):
    """The pieces of evidence: for which share of what is said, how many months old, accepted by whom, from where."""

    share: Id
    months: Annotated[tuple[Whole, ...], Field(min_length=2, max_length=2)]
    accepted_by: Literal["patient", "colleague", "author", "nobody"]
    units: Literal["one", "all"]


class Remark(Frozen):
    """A comment that somebody of a side leaves on an axis."""

    axis: Id
    side: Side
    text: Texts


class Expectation(Frozen):
    """What a reader of the description alone concludes; findings are ``rule@axis``, or ``rule`` alone.

    ``absent`` and ``open`` may use ``*``; what is ``present`` or left ``open`` is not absent.
    """

    showcase: tuple[Id, ...] = ()
    honest: tuple[Id, ...] = ()
    states: dict[Id, tuple[Id, ...]] = Field(default_factory=dict)
    present: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    open: tuple[str, ...] = ()

    def excludes(self, finding: str) -> bool:
        """Whether the description says that this finding must not be there."""
        kept = (*self.present, *self.open)
        return any(fnmatch.fnmatchcase(finding, one) for one in self.absent) and not any(
            fnmatch.fnmatchcase(finding, one) for one in kept
        )


class Profile(Frozen):
    """An institution of known kind; axes that are not described follow ``elsewhere``."""

    id: Id
    kind: Literal["showcase", "honest", "unclear"]
    title: Texts
    description: Texts
    months: Whole | None = None
    people: Id = "usual"
    optimism: Annotated[Number, Field(ge=-1, le=1)] = 0.04
    staff_entered: Share = 0.0
    skipped: Share | None = None
    proof: Proof | None = None
    out_of_scope: dict[Id, Texts] = Field(default_factory=dict)
    axes: dict[Id, Axis] = Field(default_factory=dict)
    elsewhere: Axis = Axis(like="beginner")
    remarks: tuple[Remark, ...] = ()
    expect: Expectation


class _Unsure(Frozen):
    care: Share
    other: Share


class _Habits(Frozen):
    unsure: dict[Id, _Unsure]
    skipped: Share
    inapplicable: Share
    people: Share
    questions: Share
    answers: Share


class _Labels(Frozen):
    inapplicable: Texts
    institution: Texts
    network_institution: Texts
    assessment: Texts
    scope: Texts
    reading: Texts
    evidence: Texts


class _Feedback(Frozen):
    axis: Id
    state: Literal["done", "doing", "not_now"]
    said: Texts
    did: Texts


class _Agreed(Frozen):
    """What the campaigns of invented institutions were agreed on, and what came of them."""

    committee: Texts
    anchor: Texts
    targets: dict[Id, Annotated[Whole, Field(ge=1, le=4)]]
    feedback: tuple[_Feedback, ...]


class _Network(Frozen):
    countries: dict[Id, Share]
    types: dict[Id, Share]
    beds: Annotated[tuple[Whole, ...], Field(min_length=2, max_length=2)]
    turnout: Annotated[tuple[Share, ...], Field(min_length=2, max_length=2)]


class _Plan(Frozen):
    schema_: Format = Field(alias="schema")
    words: dict[Id, Share]
    people: dict[Id, dict[Id, Annotated[Whole, Field(ge=1)]]]
    habits: _Habits
    practices: dict[Id, Practice]
    otherwise_absent: tuple[str, ...]
    unmentioned_absent: tuple[str, ...]
    texts: _Labels
    agreed: _Agreed
    network: _Network
    profiles: tuple[Profile, ...]

    @model_validator(mode="after")
    def _names_exist(self) -> _Plan:
        """Every word, practice, group and thing that a profile names is there, and no id comes twice."""
        matrix = load_matrix()
        things = {*matrix.ids("levels"), *matrix.ids("conditions")}
        axes = [axis for one in self.profiles for axis in (*one.axes.values(), one.elsewhere)]
        practices = [*self.practices.values(), *(p for axis in axes for p in (axis.lived, axis.said))]
        named: list[tuple[Iterable[str], Iterable[str]]] = [
            ((word for practice in practices for word in practice.values()), self.words),
            ((word for axis in axes for word in axis.unsure.values()), self.words),
            ((one.proof.share for one in self.profiles if one.proof), self.words),
            ((thing for practice in practices for thing in practice), things),
            ((thing for axis in axes for thing in axis.inapplicable), {*things, WHOLE_AXIS}),
            ((axis.like for axis in axes), self.practices),
            ((one.people for one in self.profiles), self.people),
            ((role for group in self.people.values() for role in group), self.habits.unsure),
            ((axis for one in self.profiles for axis in (*one.axes, *one.out_of_scope)), matrix.ids("axes")),
            ((*self.agreed.targets, *(one.axis for one in self.agreed.feedback)), matrix.ids("axes")),
        ]
        unknown = sorted({name for names, known in named for name in names if name not in set(known)})
        ids = [one.id for one in self.profiles]
        if unknown or len(set(ids)) < len(ids):
            raise ValueError(", ".join(unknown) or "ids")
        return self


@cache
def plan() -> _Plan:
    """The whole file of profiles, read once; ``Refused`` when it is wrong."""
    return read_yaml(Path(__file__).with_name("profiles.yaml"), _Plan)


def profiles() -> dict[str, Profile]:
    """Every institution of known kind, by id; what follows from all descriptions is among what is ``absent``."""
    known = {}
    for one in plan().profiles:
        quiet = [] if "elsewhere" in one.model_fields_set else load_matrix().ids("axes")
        beside = [
            f"{rule}@{axis}" for axis in quiet if axis not in one.axes for rule in plan().unmentioned_absent
        ]
        absent = (*one.expect.absent, *plan().otherwise_absent, *beside)
        known[one.id] = one.model_copy(update={"expect": one.expect.model_copy(update={"absent": absent})})
    return known


@dataclass(frozen=True)
class Simulated:
    """What an invented institution hands in: three tables with the columns of the file formats.

    ``answers`` is long, with ``at`` in microseconds UTC; dates elsewhere are ISO texts; ``assessments`` has one row.
    """

    answers: pa.Table
    evidence: pa.Table
    assessments: pa.Table


def simulate(
    profile: Profile,
    questionnaire: Questionnaire,
    *,
    assessment: str,
    form: str = "full",
    seed: int = 1,
    on: dt.date,
    lang: str = "fr",
    turnout: float = 1.0,
) -> Simulated:
    """Let everybody of an institution answer a ladder questionnaire, and file its evidence.

    The same arguments give the same tables; ``assessment`` is part of the chance, so two assessments of one profile
    differ. Only the axis, level, condition and scales of the items are looked at.

    Args:
        profile: the institution.
        questionnaire: what is asked.
        assessment: the id that the rows carry.
        form: ``full`` or ``express``.
        seed: the chance.
        on: the day by which everything was handed in, and from which ages count back.
        lang: the language of reasons, comments and titles.
        turnout: the share of each role's people who answer; at least one of each does.
    """
    digest = hashlib.sha256(f"{seed}/{profile.id}/{assessment}/{form}".encode()).digest()
    chance = np.random.default_rng(int.from_bytes(digest[:8], "big"))
    items = questionnaire.form(form)
    answers = _Answering(profile, questionnaire, items, chance, lang, turnout).rows(assessment, on)
    evidence = _evidence(profile, items, chance, assessment, on, lang)
    start = (
        on - dt.timedelta(days=round(profile.months * DAYS_A_MONTH)) if profile.months is not None else None
    )
    row = {
        "assessment": assessment,
        "kind": "assessment",
        "institution": assessment,
        "country": "",
        "type": "",
        "beds": None,
        "scope": plan().texts.scope[lang],
        "campaign": str(on.year),
        "form": form,
        "programme_start": start.isoformat() if start else "",
        "out_of_scope": " ".join(profile.out_of_scope),
        "out_of_scope_reason": "; ".join(reason[lang] for reason in profile.out_of_scope.values()),
    }
    return Simulated(
        pa.Table.from_pydict(answers, schema=ANSWERS),
        pa.Table.from_pylist(evidence, schema=EVIDENCE),
        pa.Table.from_pylist([row], schema=ASSESSMENTS),
    )


def _practice(profile: Profile, axis: str, side: str) -> Mapping[str, float]:
    """How widely each thing is done on an axis according to a side, before optimism."""
    here = profile.axes.get(axis, profile.elsewhere)
    words = {**plan().practices[here.like], **here.lived, **(here.said if side == "institution" else {})}
    return {thing: plan().words[word] for thing, word in words.items()}


def _void(profile: Profile, item: Item) -> bool:
    """Whether nobody there can answer the item."""
    here = profile.axes.get(item.axis, profile.elsewhere)
    return not {WHOLE_AXIS, item.level, item.condition}.isdisjoint(here.inapplicable)


def _aims(profile: Profile, items: Sequence[Item], side: str) -> Shares:
    """How far each item goes according to a side: as far as both its level and its condition do."""
    aims = []
    for item in items:
        practice = _practice(profile, item.axis, side)
        met = [
            practice[thing]
            for thing in (item.level, item.condition)
            if thing is not None and thing in practice
        ]
        aim = min(met) if met else 1.0
        lift = (
            profile.optimism if side == "institution" and item.condition != KEEPS_SILENT and aim > 0 else 0.0
        )
        aims.append(aim + lift)
    return np.clip(np.array(aims, dtype=np.float64), 0, 1)


class _Answering:
    """One institution at the moment its people answer; a row of numbers per respondent, a column per item."""

    def __init__(
        self,
        profile: Profile,
        questionnaire: Questionnaire,
        items: Sequence[Item],
        chance: np.random.Generator,
        lang: str,
        turnout: float,
    ) -> None:
        self.profile, self.questionnaire, self.items = profile, questionnaire, items
        self.chance, self.lang, self.habits = chance, lang, plan().habits
        invited = plan().people[profile.people]
        self.people = {role: max(1, round(count * turnout)) for role, count in invited.items()}

    def rows(self, assessment: str, on: dt.date) -> dict[str, list[Any]]:
        """Every answer, respondent after respondent, as columns of the answers table."""
        columns: dict[str, list[Any]] = {name: [] for name in ANSWERS.names}
        noon = dt.datetime(on.year, on.month, on.day, 12, tzinfo=dt.UTC)
        said = self._side("institution")
        for lens, side in SIDE_OF.items():
            asked = [item for item in self.items if item.asked_of(lens)]
            where = [place for place, item in enumerate(self.items) if item.asked_of(lens)]
            roles = [role for role, count in self.people.items() for _ in range(count)]
            roles = [role for role in roles if load_matrix().lens_of[role] == lens]
            if not asked or not roles:
                continue
            own = self._side(side)[where]
            staff = np.arange(len(roles)) < round(self.profile.staff_entered * len(roles)) * (
                lens == "experienced"
            )
            staff = self.chance.permutation(staff)
            aims = np.where(staff[:, None], said[where], own)
            options = self._options(asked, lens, roles, aims)
            starts = self.chance.integers(0, 28 * 86_400, len(roles))
            numbers: dict[str, int] = {}
            for person, role in enumerate(roles):
                numbers[role] = numbers.get(role, 0) + 1
                begun = noon - dt.timedelta(days=29) + dt.timedelta(seconds=int(starts[person]))
                for place, item in enumerate(asked):
                    answer = options[person][place]
                    if not answer:
                        continue
                    columns["assessment"].append(assessment)
                    columns["respondent"].append(f"{role.replace('_', '-')}-{numbers[role]}")
                    columns["role"].append(role)
                    columns["item"].append(item.id)
                    columns["answer"].append(answer)
                    columns["reason"].append(plan().texts.inapplicable[self.lang] if answer == "na" else "")
                    columns["comment"].append("")
                    columns["channel"].append("staff_entered" if staff[person] else "own_link")
                    columns["at"].append(begun + dt.timedelta(seconds=SECONDS_AN_ANSWER * place))
        self._remark(columns)
        return columns

    def _side(self, side: str) -> Shares:
        """How far each item goes according to a side, questions scattered once for the whole side."""
        aims = _aims(self.profile, self.items, side)
        scatter = self.chance.normal(0, self.habits.questions, len(aims))
        return np.clip(aims + np.where(self._quiet(aims), 0, scatter), 0, 1)

    def _quiet(self, aims: Shares) -> npt.NDArray[np.bool_]:
        return np.array([item.condition == KEEPS_SILENT for item in self.items]) & (aims >= 1)

    def _options(
        self, asked: Sequence[Item], lens: str, roles: Sequence[str], aims: Shares
    ) -> list[list[str]]:
        """What each respondent picks on each item; empty: skipped."""
        chance, habits = self.chance, self.habits
        shape = (len(roles), len(asked))
        safe = np.array([item.condition == KEEPS_SILENT for item in asked]) & (aims >= 1)
        leaning = chance.normal(0, habits.people, len(roles))[:, None]
        views = np.clip(aims + np.where(safe, 0, leaning + chance.normal(0, habits.answers, shape)), 0, 1)
        skipped = habits.skipped if self.profile.skipped is None else self.profile.skipped
        draw = chance.random((3, *shape))
        named = list(dict.fromkeys(roles))
        unsure = np.array([[self._unsure(role, item, lens) for item in asked] for role in named])
        unsure = unsure[[named.index(role) for role in roles]]
        picked = np.empty(shape, dtype=object)
        for place, item in enumerate(asked):
            options = self.questionnaire.options(item.id, lens)
            values = np.array([option.value for option in options])
            nearest = np.abs(views[:, place, None] - values).argmin(axis=1)
            picked[:, place] = [options[option].id for option in nearest]
        void = np.array([_void(self.profile, item) for item in asked])
        picked[draw[2] < unsure] = "dk"
        picked[void | (draw[1] < habits.inapplicable)] = "na"
        picked[draw[0] < skipped] = ""
        return cast("list[list[str]]", picked.tolist())

    def _unsure(self, role: str, item: Item, lens: str) -> float:
        here = self.profile.axes.get(item.axis, self.profile.elsewhere)
        word = {str(side): word for side, word in here.unsure.items()}.get(SIDE_OF[lens])
        if word is not None:
            return plan().words[word]
        usual = self.habits.unsure[role]
        return usual.care if item.axis == "care" else usual.other

    def _remark(self, columns: dict[str, list[Any]]) -> None:
        """Put each remark under one answer of its side on its axis."""
        axis_of = {item.id: item.axis for item in self.items}
        lens_of = load_matrix().lens_of
        for remark in self.profile.remarks:
            places = [
                place
                for place, (item, role) in enumerate(zip(columns["item"], columns["role"], strict=True))
                if axis_of[item] == remark.axis
                and SIDE_OF[lens_of[role]] == remark.side
                and columns["answer"][place] not in {"na", "dk"}
                and not columns["comment"][place]
            ]
            if places:
                columns["comment"][places[int(self.chance.integers(len(places)))]] = remark.text[self.lang]


def _evidence(
    profile: Profile,
    items: Sequence[Item],
    chance: np.random.Generator,
    assessment: str,
    on: dt.date,
    lang: str,
) -> list[dict[str, str]]:
    """A piece of evidence for a share of what the institution says it does."""
    proof = profile.proof
    if proof is None:
        return []
    said = _aims(profile, items, "institution")
    kinds = {kind.id: kind.title for kind in load_matrix().evidence_kinds}
    accepted = {
        "patient": "patient-partner-1",
        "colleague": "direction-1",
        "author": "quality-1",
        "nobody": "",
    }
    rows = []
    for place, item in enumerate(items):
        void = item.axis in profile.out_of_scope or _void(profile, item)
        # The chance is drawn in any case, so that one item more or less moves nothing else.
        draw, kind = chance.random(), int(chance.integers(1 << 30))
        age = float(chance.uniform(proof.months[0], proof.months[1]))
        if void or not item.evidence or said[place] < SAYS or draw >= plan().words[proof.share]:
            continue
        chosen = item.evidence[kind % len(item.evidence)]
        rows.append(
            {
                "assessment": assessment,
                "item": item.id,
                "title": plan().texts.evidence[lang].format(kind=kinds[chosen][lang]),
                "kind": chosen,
                "date": (on - dt.timedelta(days=round(age * DAYS_A_MONTH))).isoformat(),
                "valid_until": "",
                "added_by": "quality-1",
                "accepted_by": accepted[proof.accepted_by],
                "units": proof.units,
                "file": "",
            }
        )
    return rows
