"""Put the example, the desk readings and a network of invented institutions into a store, each once."""

from __future__ import annotations

import csv
import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from data.demo.profiles import Profile, Simulated, plan, profiles, simulate
from data.store import Answer, Target
from data.tables import read_table
from matrix import load_matrix
from questionnaires import load_library

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

    from data.store import Campaign, Store
    from questionnaires import Questionnaire

EXAMPLE = "demo-example"
"""The id of the example institution and of its assessment."""
EXAMPLE_PROFILE = "example"
EXAMPLE_SEED = 14
EXAMPLE_HOUSE = ("be", "general", 480)
QUESTIONNAIRE = "hospital"
READINGS = Path(__file__).with_name("readings")
A_YEAR = dt.timedelta(days=365)
BATCH = 20
"""Institutions written at a time: 60,000 answers or so, all or none."""


def load_demo(
    store: Store, *, network: int = 0, seed: int = 1, lang: str = "fr", on: dt.date | None = None
) -> list[str]:
    """Keep the desk readings, the example and ``network`` invented institutions; return the ids made by this call.

    What is there is not made again, so a second call makes nothing and a larger network adds to a smaller one. An
    institution and its assessment share an id. Raises ``StoreError`` when something cannot be kept.

    Args:
        store: where.
        network: how many institutions, each of a kind drawn among the profiles.
        seed: the chance; another seed makes another network beside the first.
        lang: the language of names, titles and reasons.
        on: the day by which they answered, today by default.
    """
    on = on or _today()
    questionnaire = load_library()[QUESTIONNAIRE]
    before = {one.id for one in store.campaigns()}
    made = [*_readings(store, questionnaire, lang), load_example(store, lang, on=on)]
    made += _network(store, questionnaire, network, seed, lang, on)
    return [id_ for id_ in made if id_ not in before]


def load_example(
    store: Store,
    lang: str = "fr",
    *,
    questionnaire: Questionnaire | None = None,
    form: str = "full",
    on: dt.date | None = None,
) -> str:
    """Keep the example institution and its assessment unless they are there; return the assessment's id."""
    on = on or _today()
    questionnaire = questionnaire or load_library()[QUESTIONNAIRE]
    profile = profiles()[EXAMPLE_PROFILE]
    country, type_, beds = EXAMPLE_HOUSE
    _institution(store, EXAMPLE, plan().texts.institution[lang], country, type_, beds)
    simulated = simulate(
        profile, questionnaire, assessment=EXAMPLE, form=form, seed=EXAMPLE_SEED, on=on, lang=lang
    )
    _fill(store, [(EXAMPLE, profile, simulated)], questionnaire, lang, on)
    return EXAMPLE


def _today() -> dt.date:
    return dt.datetime.now(tz=dt.UTC).date()


def _institution(store: Store, id_: str, name: str, country: str, type_: str, beds: int | None) -> None:
    if id_ not in {one.id for one in store.institutions()}:
        store.add_institution(name, country=country, type=type_, beds=beds, synthetic=True, id=id_)


def _fill(
    store: Store,
    made: Iterable[tuple[str, Profile, Simulated]],
    questionnaire: Questionnaire,
    lang: str,
    on: dt.date,
) -> None:
    """Keep these assessments and close them; the closing comes last, so what was cut short is seen and made whole."""
    there = {one.id: one for one in store.campaigns()}
    answers: list[Answer] = []
    evidence: list[dict[str, object]] = []
    unfinished: list[str] = []
    for id_, profile, simulated in made:
        if id_ in there and _finished(store, there[id_]):
            continue
        unfinished.append(id_)
        head = simulated.assessments.to_pylist()[0]
        if id_ not in there:
            start = head["programme_start"]
            store.add_campaign(
                id_,
                questionnaire,
                title=plan().texts.assessment[lang].format(year=on.year),
                year=on.year,
                scope=head["scope"],
                form=head["form"],
                languages=load_matrix().languages,
                programme_start=dt.date.fromisoformat(start) if start else None,
                out_of_scope={axis: reason[lang] for axis, reason in profile.out_of_scope.items()},
                synthetic=True,
                id=id_,
                targets={
                    axis: Target(level, plan().agreed.committee[lang])
                    for axis, level in plan().agreed.targets.items()
                    if axis not in profile.out_of_scope
                },
                committee="agreed",
                anchor=plan().agreed.anchor[lang],
                next_date=on + A_YEAR,
            )
        if not store.evidence([id_]).num_rows:
            evidence += simulated.evidence.to_pylist()
        if not store.progress(id_):
            answers += _as_answers(simulated.answers)
    store.add_evidence(evidence)
    store.save_many(answers)
    for id_ in unfinished:
        heard = any(load_matrix().lens_of[one.role] == "experienced" for one in store.progress(id_))
        if heard and not store.feedback(id_):
            for line in plan().agreed.feedback:
                said, did = line.said[lang], line.did[lang]
                store.add_feedback(id_, said=said, did=did, axis=line.axis, state=line.state)
        store.close_campaign(id_)


def _finished(store: Store, campaign: Campaign) -> bool:
    """Whether an assessment was made whole once; somebody may have opened it again since."""
    closed = campaign.state == "closed"
    return closed or any(one.what == "closed" for one in store.events(campaign=campaign.id))


def _as_answers(table: pa.Table) -> list[Answer]:
    columns = [table[name].to_pylist() for name in table.column_names]
    return [Answer(*row) for row in zip(*columns, strict=True)]


def _readings(store: Store, questionnaire: Questionnaire, lang: str) -> list[str]:
    """The desk readings: what a text says, kept as a reading, which is never judged."""
    with (READINGS / "assessments.csv").open(encoding="utf-8", newline="") as stream:
        listed = list(csv.DictReader(stream, strict=True))
    institutions = {one.id for one in store.institutions()}
    campaigns = {one.id for one in store.campaigns()}
    made = []
    for row in listed:
        id_ = row["assessment"]
        made.append(id_)
        if id_ not in institutions:
            store.add_institution(
                row["institution"], country=row["country"].lower(), type=row["type"], id=id_
            )
        if id_ not in campaigns:
            store.add_campaign(
                id_,
                questionnaire,
                title=plan().texts.reading[lang].format(institution=row["institution"]),
                year=int(row["campaign"]),
                kind=row["kind"],
                scope=row["scope"],
                form=row["form"],
                languages=load_matrix().languages,
                out_of_scope=dict.fromkeys(row["out_of_scope"].split(), row["out_of_scope_reason"]),
                id=id_,
            )
        if not store.progress(id_):
            file = READINGS / f"{id_.removeprefix('reading-')}.answers.csv"
            store.save_many(_as_answers(read_table(file, "answers", questionnaire).frame))
    return made


def _network(
    store: Store, questionnaire: Questionnaire, count: int, seed: int, lang: str, on: dt.date
) -> list[str]:
    """Invented institutions of drawn kinds; the first are the same however many there are."""
    kinds = [one for id_, one in profiles().items() if id_ != EXAMPLE_PROFILE]
    traits = plan().network
    made = [f"demo-{seed}-{number:03}" for number in range(1, count + 1)]
    there = {one.id: one for one in store.campaigns()}
    batch: list[tuple[str, Profile, Simulated]] = []
    for number, id_ in enumerate(made, 1):
        if id_ in there and _finished(store, there[id_]):
            continue
        chance = np.random.default_rng([seed, number])
        profile = kinds[int(chance.integers(len(kinds)))]
        country, type_ = (
            list(shares)[int(np.searchsorted(np.cumsum(list(shares.values())), chance.random()))]
            for shares in (traits.countries, traits.types)
        )
        name = plan().texts.network_institution[lang].format(number=f"{seed}-{number:03}")
        _institution(store, id_, name, country, type_, int(chance.integers(traits.beds[0], traits.beds[1])))
        turnout = float(chance.uniform(traits.turnout[0], traits.turnout[1]))
        simulated = simulate(
            profile, questionnaire, assessment=id_, seed=seed, on=on, lang=lang, turnout=turnout
        )
        batch.append((id_, profile, simulated))
        if len(batch) == BATCH:
            _fill(store, batch, questionnaire, lang, on)
            batch = []
    _fill(store, batch, questionnaire, lang, on)
    return made
