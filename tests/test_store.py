"""The store keeps what it acknowledged, exactly, forever, and says clearly what it cannot keep."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import sqlite3
import stat
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
import sqlalchemy as sa
import yaml
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data import Answer, Campaign, Invitations, Store, StoreError, default_file, layout
from data import store as module
from matrix import Refused, load_matrix

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[1]
QUESTIONNAIRE: Any = SimpleNamespace(id="hospital", version=2, fingerprint="ab" * 32)
ONE_STORE = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
"""Examples share a store, each in a campaign of its own."""
ODD = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)


def building(id_: str) -> Callable[[sa.Connection], str]:
    """Work that adds an institution and returns its id."""
    plain = {"country": "", "type": "", "beds": None, "synthetic": False, "archived": False}
    row = {"id": id_, "name": "n", "created": datetime.now(UTC), **plain}

    def work(connection: sa.Connection) -> str:
        connection.execute(layout.institution.insert(), row)
        return id_

    return work


def url_of(folder: Path, query: str = "") -> str:
    """The address of a store in a folder."""
    return f"sqlite:///{folder / 'pomey.db'}{query}"


def new_campaign(store: Store, **given: Any) -> Campaign:  # as add_campaign has them
    """A campaign in an institution of its own."""
    institution = store.add_institution("Hôpital d'essai", country="be")
    return store.add_campaign(institution.id, QUESTIONNAIRE, **{"title": "Essai", "year": 2026, **given})


def refusal(code: str, call: Callable[[], object]) -> StoreError:
    """The error of a call that must be refused with this code, readable in every language."""
    with pytest.raises(StoreError) as caught:
        call()
    assert code in {problem.code for problem in caught.value.problems}
    assert all("{" not in caught.value.text(lang) for lang in ("fr", "nl", "en"))
    return caught.value


@pytest.fixture
def campaign(store: Store) -> str:
    """The id of a campaign in that store."""
    return new_campaign(store).id


# What is kept


def test_an_answer_comes_back_as_it_was_given(store: Store, campaign: str) -> None:
    """A saved answer stands in the table, in the respondent's view and in the history."""
    before = datetime.now(UTC)
    saved = store.save(
        Answer(campaign, "p1", "patient", "care.listened", "often", "", "Très bien", "shared_link")
    )
    assert saved.at is not None
    assert before <= saved.at <= datetime.now(UTC)
    assert store.respondent(campaign, "p1", "patient") == {"care.listened": saved}
    assert store.history(campaign) == [saved]
    row = dataclasses.asdict(saved)
    row["assessment"] = row.pop("campaign")
    assert store.answers([campaign]).to_pylist() == [row]


def test_the_table_has_the_columns_of_the_format(store: Store) -> None:
    """An empty store gives a table of the right columns and types."""
    table = store.answers()
    assert table.num_rows == 0
    assert table.column_names == [
        *("assessment", "respondent", "role", "item"),
        *("answer", "reason", "comment", "channel", "at"),
    ]
    assert table.schema.field("at").type == pa.timestamp("us", tz="UTC")
    assert store.answers([]).schema == table.schema


def test_the_latest_answer_stands_and_the_earlier_ones_stay(store: Store, campaign: str) -> None:
    """A changed answer replaces the standing one and adds to the history."""
    for option in ("never", "often", "always"):
        store.save(Answer(campaign, "p1", "patient", "i", option))
    assert store.answers().column("answer").to_pylist() == ["always"]
    assert [answer.answer for answer in store.history(campaign)] == ["never", "often", "always"]


def test_an_empty_answer_takes_the_earlier_one_back(store: Store, campaign: str) -> None:
    """A taken-back answer is absent from every view but the history, until it is given again."""
    store.save(Answer(campaign, "p1", "patient", "i", "often"))
    store.save(Answer(campaign, "p1", "patient", "i", ""))
    assert store.answers().num_rows == 0
    assert store.respondent(campaign, "p1", "patient") == {}
    assert store.progress(campaign) == []
    assert len(store.history(campaign)) == 2
    store.save(Answer(campaign, "p1", "patient", "i", "dk"))
    assert store.answers().column("answer").to_pylist() == ["dk"]


def test_one_person_in_two_roles_is_two_answers(store: Store, campaign: str) -> None:
    """The role is part of an answer's key."""
    store.save(Answer(campaign, "p1", "patient", "i", "often"))
    store.save(Answer(campaign, "p1", "relative", "i", "never"))
    assert store.answers().num_rows == 2
    assert store.respondent(campaign, "p1", "relative")["i"].answer == "never"


def test_not_applicable_is_kept_with_or_without_a_reason(store: Store, campaign: str) -> None:
    """``na`` needs no reason to be stored: surveys from elsewhere have none."""
    store.save_many(
        [Answer(campaign, "p1", "patient", "i", "na"), Answer(campaign, "p1", "patient", "j", "na", "no lab")]
    )
    assert store.answers().column("reason").to_pylist() == ["", "no lab"]


def test_history_is_narrowed_by_respondent_and_item(store: Store, campaign: str) -> None:
    """The history of one respondent or one item holds no other."""
    store.save_many(
        [Answer(campaign, who, "patient", item, "often") for who in ("p1", "p2") for item in ("i", "j")]
    )
    assert [a.item for a in store.history(campaign, respondent="p2")] == ["i", "j"]
    assert [a.respondent for a in store.history(campaign, item="j")] == ["p1", "p2"]
    assert len(store.history(campaign, "p1", "i")) == 1


def test_progress_counts_standing_answers_by_role(store: Store, campaign: str) -> None:
    """Progress gives respondents, standing answers and the last time, role by role."""
    store.save_many(
        [Answer(campaign, who, "patient", item, "often") for who in ("p1", "p2") for item in ("i", "j")]
    )
    last = store.save(Answer(campaign, "q", "quality", "i", "most"))
    store.save(Answer(campaign, "p1", "patient", "i", "always"))
    store.save(Answer(campaign, "p2", "patient", "j", ""))
    patient, quality = store.progress(campaign)
    assert patient[:3] == ("patient", 2, 3)
    assert quality == ("quality", 1, 1, last.at, 7)


def test_progress_differs_after_every_answer_and_every_erasure(store: Store, campaign: str) -> None:
    """A change that leaves counts and the last time as they were still shows, and so does what is erased."""
    links = Invitations(store)
    [gone] = links.personal(campaign, "patient", 1)
    early = datetime(2020, 1, 1, tzinfo=UTC)
    deeds: list[Callable[[], object]] = [
        lambda: store.save(Answer(campaign, "p1", "patient", "i", "often")),
        lambda: store.save(Answer(campaign, "p1", "patient", "j", "often", at=early)),
        lambda: store.save(Answer(campaign, "p1", "patient", "j", "never", at=early)),
        lambda: store.save(Answer(campaign, "p1", "patient", "j", "never", comment="c", at=early)),
        lambda: store.save(Answer(campaign, gone.code, "patient", "i", "often", at=early)),
        lambda: links.erase(links.submit(gone.token)),
        lambda: store.close_campaign(campaign),
        lambda: links.expire(date(2100, 1, 1)),
    ]
    seen = []
    for deed in deeds:
        deed()
        seen.append(f"{store.progress(campaign)}")
    assert len(set(seen)) == len(deeds) - 1  # closing says nothing new
    assert seen[-2] == seen[-3]
    store.save(Answer(new_campaign(store).id, "p", "patient", "i", "often"))
    assert f"{store.progress(campaign)}" == seen[-1]


def test_a_given_time_is_kept_to_the_microsecond(store: Store, campaign: str) -> None:
    """An imported answer keeps its own moment, whatever the time zone it was written in."""
    at = datetime(2025, 3, 30, 2, 30, 0, 123457, tzinfo=timezone(timedelta(hours=2)))
    store.save(Answer(campaign, "p1", "patient", "i", "often", at=at))
    assert store.history(campaign)[0].at == at
    assert store.answers().column("at").to_pylist() == [at]


def test_each_row_names_the_questionnaire_it_answers(store: Store) -> None:
    """An answer is stored with the questionnaire, version, fingerprint and form of its campaign."""
    store.save(Answer(new_campaign(store, form="express").id, "p1", "patient", "i", "often"))
    query = sa.text("select questionnaire, version, fingerprint, form from answer")
    rows = store.read(lambda connection: connection.execute(query).all())
    assert rows == [("hospital", 2, "ab" * 32, "express")]


@given(
    texts=st.lists(
        st.tuples(ODD.filter(str.strip), ODD.filter(str.strip), ODD, ODD, ODD), min_size=1, max_size=5
    )
)
@settings(ONE_STORE, max_examples=60)
def test_any_text_comes_back_unchanged(store: Store, texts: list[tuple[str, str, str, str, str]]) -> None:
    """Accents, emoji, quotes, newlines and right-to-left marks survive the store to the last character."""
    campaign = new_campaign(store).id
    given_ = [
        Answer(campaign, who, "patient", item, answer, why, more) for who, item, answer, why, more in texts
    ]
    saved = store.save_many(given_)
    assert store.history(campaign) == saved
    assert [dataclasses.replace(answer, at=None) for answer in saved] == given_


@given(
    steps=st.lists(
        st.tuples(
            *(st.sampled_from(w) for w in (["a", "b"], ["patient", "quality"], ["i", "j"], ["x", "y", ""]))
        )
    )
)
@settings(ONE_STORE, max_examples=60)
def test_every_view_agrees_with_a_plain_dictionary(
    store: Store, steps: list[tuple[str, str, str, str]]
) -> None:
    """After any run of saves, changes and take-backs, all views tell the same story."""
    model: dict[tuple[str, str, str], str] = {}
    campaign = new_campaign(store).id
    for who, role, item, answer in steps:
        store.save(Answer(campaign, who, role, item, answer))
        model[who, role, item] = answer
    standing = {key: answer for key, answer in model.items() if answer}
    rows = store.answers([campaign]).to_pylist()
    assert {(r["respondent"], r["role"], r["item"]): r["answer"] for r in rows} == standing
    assert len(rows) == len(standing)
    for who, role, _ in standing:
        mine = {item: a.answer for item, a in store.respondent(campaign, who, role).items()}
        assert mine == {i: a for (w, r, i), a in standing.items() if (w, r) == (who, role)}
    counts = {role: (people, answers) for role, people, answers, *_ in store.progress(campaign)}
    roles = {role for _, role, _ in standing}
    assert counts == {
        role: (len({w for w, r, _ in standing if r == role}), sum(r == role for _, r, _ in standing))
        for role in roles
    }
    assert len(store.history(campaign)) == len(steps)


# Institutions, campaigns, evidence


def test_ids_can_be_read_and_never_collide(store: Store) -> None:
    """An id is made from the name, in plain letters, and differs for equal names."""
    made = [store.add_institution("CHU Sœur Émilie, site n° 2") for _ in range(20)]
    assert all(re.fullmatch(r"chu-soeur-emilie-site-n-2-[a-z0-9]{4}", i.id) for i in made)
    assert len({i.id for i in made}) == 20
    assert store.add_institution("病院").id.startswith("institution-")
    assert new_campaign(store, title="Évaluation", year=2025).id.startswith("evaluation-2025-")
    assert new_campaign(store, title="Évaluation 2025", year=2025).id.startswith("evaluation-2025-")
    assert sorted(store.institutions(), key=lambda i: (i.name, i.id)) == store.institutions()


def test_a_given_id_is_used_once(store: Store) -> None:
    """A given id is accepted when it is free and well formed."""
    assert store.add_institution("A", id="chuv").id == "chuv"
    assert "'chuv'" in str(refusal("store-id-taken", lambda: store.add_institution("B", id="chuv")))
    for bad in ("", " ", "a b", "é", "../etc", "x" * 101):
        with pytest.raises(StoreError):
            store.add_institution("B", id=bad)
    assert [i.id for i in store.institutions()] == ["chuv"]


def test_a_campaign_is_kept_whole(store: Store) -> None:
    """A campaign comes back with every field, and pins the questionnaire it was made with."""
    made = new_campaign(
        store,
        kind="reading",
        scope="Oncologie",
        form="express",
        languages=("fr", "nl"),
        programme_start=date(2024, 2, 29),
        out_of_scope={"research": "Pas d'unité de recherche", "teaching": "École à part"},
        synthetic=True,
        id="lecture-2026",
    )
    assert (made.questionnaire, made.version, made.fingerprint) == ("hospital", 2, "ab" * 32)
    assert store.campaign("lecture-2026") == made
    assert store.campaigns() == store.campaigns(made.institution) == [made]
    assert store.campaigns("elsewhere") == []
    (row,) = store.assessments().to_pylist()
    assert row == {
        "assessment": "lecture-2026",
        "kind": "reading",
        "institution": made.institution,
        "country": "be",
        "type": "",
        "beds": None,
        "scope": "Oncologie",
        "campaign": "2026",
        "form": "express",
        "programme_start": "2024-02-29",
        "out_of_scope": "research teaching",
        "out_of_scope_reason": "Pas d'unité de recherche; École à part",
    }


def test_a_wrong_campaign_is_refused(store: Store, campaign: str) -> None:
    """A campaign needs an institution, a title, a known kind and form, and a reason for each axis left out."""
    institution = store.campaign(campaign).institution

    def add(institution_id: str = institution, **changes: Any) -> Campaign:  # likewise
        return store.add_campaign(institution_id, QUESTIONNAIRE, **{"title": "T", "year": 2026, **changes})

    near = refusal("store-unknown-institution", lambda: add(institution[:-1]))
    assert near.problems[0].suggestion == institution
    assert "assessment, reading" in str(refusal("not-among", lambda: add(kind="audit")))
    refusal("not-among", lambda: add(form="short"))
    refusal("empty-text", lambda: add(title=" "))
    refusal("empty-text", lambda: add(out_of_scope={"research": ""}))
    assert len(store.campaigns()) == 1


def test_an_unknown_campaign_is_named_with_its_nearest(store: Store) -> None:
    """A mistyped campaign id is answered with the one probably meant."""
    new_campaign(store, id="chuv-2026")
    assert (
        refusal("store-unknown-campaign", lambda: store.campaign("chuv-2025")).problems[0].suggestion
        == "chuv-2026"
    )


def test_answers_are_chosen_by_campaign(store: Store) -> None:
    """A list of campaigns limits the table, however long the list is and even when names repeat."""
    ids = [new_campaign(store).id for _ in range(3)]
    store.save_many([Answer(campaign, "p", "patient", "i", "often") for campaign in ids])
    assert store.answers().num_rows == 3
    assert set(store.answers(ids[:2]).column("assessment").to_pylist()) == set(ids[:2])
    many = [f"none-{n}" for n in range(40_000)]
    assert store.answers([*many, ids[0], ids[0]]).num_rows == 1
    assert store.assessments([*many, ids[0]]).num_rows == 1


def test_evidence_comes_back_as_the_format_has_it(store: Store, campaign: str) -> None:
    """Evidence is kept all or none, with dates as ISO texts and nothing left null."""
    row = {"assessment": campaign, "item": "i", "title": "PV n° 3", "kind": "minutes", "date": "2026-02-28"}
    assert store.add_evidence([row, {**row, "valid_until": date(2027, 1, 1), "units": "all"}]) == 2
    first, second = store.evidence([campaign]).to_pylist()
    assert first == {**row, "valid_until": "", "added_by": "", "accepted_by": "", "units": "one", "file": ""}
    assert (second["valid_until"], second["units"]) == ("2027-01-01", "all")
    assert store.add_evidence(store.evidence()) == 2
    refusal("store-bad-date", lambda: store.add_evidence([row, {**row, "date": "28/02/2026"}]))
    refusal("store-unknown-campaign", lambda: store.add_evidence([row, {**row, "assessment": "none"}]))
    refusal("empty-text", lambda: store.add_evidence([row, {**row, "title": ""}]))
    assert store.evidence().num_rows == 4
    assert store.evidence([]).num_rows == 0


def test_a_closed_campaign_takes_no_evidence(store: Store, campaign: str) -> None:
    """What the results rest on waits for a reopening, and whoever adds some stands in each campaign's history."""
    other = new_campaign(store, state="draft").id
    rows: list[Any] = [
        {"assessment": one, "item": "i", "title": "PV", "kind": "minutes"} for one in (other, campaign, other)
    ]
    store.close_campaign(campaign)
    refusal("store-evidence-closed", lambda: store.add_evidence(rows, author="anna"))
    assert store.evidence().num_rows == 0
    store.reopen_campaign(campaign, "raison")
    assert store.add_evidence(rows, author="anna") == 3
    for id_, count in ((campaign, 1), (other, 2)):
        latest, before = store.events(campaign=id_)[:2]
        assert (latest.author, latest.what, latest.detail) == ("anna", "evidence_added", {"pieces": count})
        assert before.what != "evidence_added"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE evidence SET accepted_by = 'me'",
        "UPDATE evidence SET campaign = 'open'",
        "UPDATE evidence SET campaign = 'closed'",
        "DELETE FROM evidence",
        "INSERT INTO evidence (campaign, {rest}) SELECT 'closed', {rest} FROM evidence",
        "emptied or replaced",
    ],
)
def test_the_database_itself_keeps_the_evidence_of_a_closed_campaign(store: Store, statement: str) -> None:
    """No statement adds, accepts, moves or removes what the results of a closed campaign rest on; an open one's may change."""
    for id_ in ("open", "closed"):
        row = {"assessment": new_campaign(store, id=id_).id, "item": "i", "title": "PV", "kind": "minutes"}
        store.add_evidence([row])
    store.close_campaign("closed")
    rest = "item, title, kind, added_by, accepted_by, units, file, at"
    special = {
        "sqlite": f"INSERT OR REPLACE INTO evidence (id, campaign, {rest}) SELECT id, 'open', {rest} FROM evidence",  # noqa: S608
        "postgresql": "TRUNCATE evidence",
    }
    text = special[store._writer.dialect.name] if statement == "emptied or replaced" else statement
    before = store.evidence()
    text = text.format(rest=rest)
    refusal(
        "store-evidence-closed", lambda: store.write(lambda connection: connection.execute(sa.text(text)))
    )
    assert store.evidence() == before
    accept = sa.text("UPDATE evidence SET accepted_by = 'bea' WHERE campaign = 'open'")
    store.write(lambda connection: connection.execute(accept))
    remove = sa.text("DELETE FROM evidence WHERE campaign = 'open'")
    assert store.write(lambda connection: connection.execute(remove).rowcount) == 1


# What is refused


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"campaign": "none"}, "store-unknown-campaign"),
        ({"respondent": ""}, "empty-text"),
        ({"role": " "}, "empty-text"),
        ({"role": "nurse"}, "not-among"),
        ({"role": ["patient"]}, "not-text"),
        ({"role": "Patient"}, "not-among"),
        ({"role": "x" * 301}, "store-too-long"),
        ({"item": ""}, "empty-text"),
        ({"answer": None}, "not-text"),
        ({"item": 3}, "not-text"),
        ({"comment": "x" * 4001}, "store-too-long"),
        ({"reason": "x" * 4001}, "store-too-long"),
        ({"item": "x" * 301}, "store-too-long"),
        ({"comment": "a\0b"}, "store-bad-character"),
        ({"comment": "a\ud800b"}, "store-bad-character"),
        ({"at": datetime(2026, 1, 1)}, "store-naive-time"),  # noqa: DTZ001  # that is what is refused
    ],
)
def test_what_cannot_be_kept_is_refused_and_nothing_is_kept(
    store: Store, campaign: str, change: dict[str, Any], code: str
) -> None:
    """One answer that cannot be kept refuses the whole call, and names its place in the list."""
    good = Answer(campaign, "p1", "patient", "i", "often")
    error = refusal(code, lambda: store.save_many([good, dataclasses.replace(good, **change)]))
    assert [problem.line for problem in error.problems] == [2]
    assert isinstance(error, Refused)
    assert store.history(campaign) == []


def test_every_problem_is_told_at_once(store: Store, campaign: str) -> None:
    """A list with several wrong answers is refused with all of them, in order."""
    wrong = [Answer(campaign, "", "", "i", "often"), Answer("none", "p", "patient", "i", "often")]
    error = refusal("empty-text", lambda: store.save_many(wrong))
    assert [(p.line, p.code) for p in error.problems] == [(1, "empty-text")] * 2 + [
        (2, "store-unknown-campaign")
    ]


def test_a_role_that_the_matrix_lacks_is_told_with_its_nearest(store: Store, campaign: str) -> None:
    """Nobody answers in a role that no side has: the refusal names the one that was probably meant, and all others."""
    error = refusal("not-among", lambda: store.save(Answer(campaign, "p1", "qualty", "i", "often")))
    assert error.problems[0].suggestion == "quality"
    assert set(error.problems[0].known) == set(load_matrix().lens_of)


def test_saving_nothing_is_fine(store: Store) -> None:
    """An empty list is saved as nothing."""
    assert store.save_many([]) == []


def test_the_longest_comment_is_kept(store: Store, campaign: str) -> None:
    """Four thousand characters fit, whatever their size in bytes."""
    store.save(Answer(campaign, "p1", "patient", "i", "often", comment="🙂" * 4000))
    assert store.history(campaign)[0].comment == "🙂" * 4000


@pytest.mark.parametrize(
    "statement",
    [
        "update answer set answer = 'always'",
        "update answer set at = 0 where id = 1",
        "delete from answer",
        "insert or replace into answer select * from answer",
        "replace into answer select * from answer",
    ],
)
def test_the_database_itself_refuses_to_change_an_answer(tmp_path: Path, statement: str) -> None:
    """Not even another program can change or remove an answer with an ordinary statement."""
    with Store.open(url_of(tmp_path)) as store:
        campaign = new_campaign(store).id
        saved = store.save(Answer(campaign, "p1", "patient", "i", "often"))
        other = sqlite3.connect(tmp_path / "pomey.db")
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            other.execute(statement)
        other.close()
        assert store.history(campaign) == [saved]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE respondent SET erased = NULL",
        "UPDATE respondent SET erased = erased + 1",
        "UPDATE respondent SET code = code || 'x'",
        "DELETE FROM respondent",
        "emptied or replaced",
    ],
)
def test_the_database_itself_keeps_a_withdrawal(store: Store, campaign: str, statement: str) -> None:
    """No statement undoes a withdrawal, so that nobody answers under that code again; what forgets more is let through."""
    links = Invitations(store)
    gone, stays = links.personal(campaign, "patient", 2)
    receipt = links.submit(gone.token)
    assert links.erase(receipt) == 0
    key = "campaign, code, role, invitation, language, created"
    special = {
        "sqlite": f"INSERT OR REPLACE INTO respondent ({key}) SELECT {key} FROM respondent",  # noqa: S608
        "postgresql": "TRUNCATE respondent",
    }
    before = links.respondents(campaign)
    text = special[store._writer.dialect.name] if statement == "emptied or replaced" else statement
    refusal("store-withdrawn", lambda: store.write(lambda connection: connection.execute(sa.text(text))))
    refusal("store-withdrawn", lambda: store.save(Answer(campaign, gone.code, "patient", "i", "often")))
    assert links.respondents(campaign) == before
    forget = sa.text("UPDATE respondent SET token_hash = NULL, language = ''")
    store.write(lambda connection: connection.execute(forget))
    store.save(Answer(campaign, stays.code, "patient", "i", "often"))


def test_a_closed_store_says_so(store: Store, campaign: str) -> None:
    """Every call on a closed store raises, and closing twice is fine."""
    store.close()
    store.close()
    refusal("store-closed", lambda: store.save(Answer(campaign, "p1", "patient", "i", "often")))
    refusal("store-closed", store.answers)
    refusal("store-closed", store.institutions)
    refusal("store-closed", lambda: store.add_institution("A"))
    refusal("store-closed", lambda: store.campaign(campaign))


# The writer thread


def held(store: Store, jobs: list[Callable[[sa.Connection], object]]) -> list[object]:
    """What each job returns or raises when all of them wait together behind a slow one."""
    release = threading.Event()
    started = threading.Event()

    def slow(_: sa.Connection) -> None:
        started.set()
        release.wait(10)

    def run(job: Callable[[sa.Connection], object]) -> object:
        try:
            return store.write(job)
        except Exception as error:  # noqa: BLE001  # the error is the result
            return error

    with ThreadPoolExecutor(len(jobs) + 1) as pool:
        first = pool.submit(run, slow)
        started.wait(10)
        waiting = [pool.submit(run, job) for job in jobs]
        while store._queue.qsize() < len(jobs):
            time.sleep(0.001)
        release.set()
        first.result()
        return [future.result() for future in waiting]


def test_a_failing_neighbour_harms_nobody(store: Store) -> None:
    """In a group that is committed together, only the failing jobs fail, and their halves are undone."""

    def bad(connection: sa.Connection) -> object:
        building("half")(connection)
        raise ZeroDivisionError

    def clash(connection: sa.Connection) -> object:
        return [building("half")(connection) for _ in range(2)]

    outcomes = held(store, [building("a"), bad, building("b"), clash, building("c")])
    assert [outcomes[0], outcomes[2], outcomes[4]] == ["a", "b", "c"]
    assert isinstance(outcomes[1], ZeroDivisionError)
    assert isinstance(outcomes[3], StoreError)
    assert [i.id for i in store.institutions()] == ["a", "b", "c"]


def test_what_waits_together_is_committed_together(store: Store) -> None:
    """Saves that wait for the disk share one commit."""
    commits: list[sa.Connection] = []
    sa.event.listen(store._writer, "commit", commits.append)
    held(store, [building(f"i{n}") for n in range(12)])
    assert len(commits) == 2  # the slow one, then the twelve that waited
    assert len(store.institutions()) == 12


def test_who_no_longer_waits_harms_nobody(store: Store) -> None:
    """Work that is given up while it waits is not done, work that is given up while it runs is, and the store lives on."""
    release, started = threading.Event(), threading.Event()

    def slow(connection: sa.Connection) -> str:
        started.set()
        release.wait(10)
        return building("slow")(connection)

    running = store.writing(slow)
    started.wait(10)
    waiting = store.writing(building("given-up"))
    assert (running.cancel(), waiting.cancel()) == (False, True)
    release.set()
    assert running.result() == "slow"
    assert store.write(building("after")) == "after"
    assert [i.id for i in store.institutions()] == ["after", "slow"]


def test_sixteen_threads_lose_nothing_and_get_equal_shares(store: Store) -> None:
    """Threads that save as fast as they can all progress alike, and every acknowledged answer is there."""
    campaign = new_campaign(store).id
    end = time.monotonic() + 1.5

    def answer(who: int) -> int:
        done = 0
        while time.monotonic() < end:
            store.save(Answer(campaign, f"r{who}", "patient", f"i{done}", "often"))
            done += 1
        return done

    with ThreadPoolExecutor(16) as pool:
        counts = list(pool.map(answer, range(16)))
    assert min(counts) > 0.5 * max(counts)
    rows = store.answers().to_pylist()
    kept = {(row["respondent"], row["item"]) for row in rows}
    assert kept == {(f"r{who}", f"i{n}") for who, count in enumerate(counts) for n in range(count)}
    assert len(rows) == len(kept)
    assert store.progress(campaign)[0][:3] == ("patient", 16, sum(counts))


def test_readers_see_their_own_saves_and_never_halves(store: Store) -> None:
    """While pairs are saved together, a reader always sees whole pairs, and a saver sees what it saved."""
    campaign = new_campaign(store).id
    stop = threading.Event()
    odd: list[int] = []

    def read() -> None:
        while not stop.is_set():
            odd.extend(n for n in [store.answers([campaign]).num_rows] if n % 2)

    reader = threading.Thread(target=read)
    reader.start()
    for n in range(60):
        pair = [
            Answer(campaign, "p", "patient", f"i{n}", "often"),
            Answer(campaign, "p", "patient", f"j{n}", "often"),
        ]
        store.save_many(pair)
        assert len(store.respondent(campaign, "p", "patient")) == 2 * (n + 1)
    stop.set()
    reader.join()
    assert odd == []


def test_closing_in_the_middle_answers_everybody(store_url: str) -> None:
    """Whoever was saving when the store closed has either an acknowledged answer or an error."""
    store = Store.open(store_url)
    campaign = new_campaign(store).id

    def answer(who: int) -> int:
        for done in range(100_000):
            try:
                store.save(Answer(campaign, f"r{who}", "patient", f"i{done}", "often"))
            except StoreError as error:
                if error.problems[0].code != "store-closed":
                    raise
                return done
        raise AssertionError

    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(answer, who) for who in range(8)]
        time.sleep(0.2)
        store.close()
        counts = [future.result(timeout=10) for future in waiting]
    with Store.open(store_url) as again:
        assert again.answers().num_rows == sum(counts)


@pytest.mark.skipif(sys.platform == "win32", reason="rights are kept otherwise there")
def test_a_new_store_is_its_owners_alone(tmp_path: Path) -> None:
    """Nobody else on the computer reads a new store or what stands beside it, in a folder open to all either."""
    tmp_path.chmod(0o755)
    before = os.umask(0o022)
    try:
        with Store.open(url_of(tmp_path)) as store:
            new_campaign(store)
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(("pomey.db", "pomey.db-wal", "pomey.db-shm"), 0o600)


def test_a_locked_store_is_an_error_and_not_the_end(tmp_path: Path) -> None:
    """While another program holds the file, saving raises; afterwards it works again."""
    with Store.open(url_of(tmp_path, "?timeout=0.05")) as store:
        campaign = new_campaign(store).id
        other = sqlite3.connect(tmp_path / "pomey.db", isolation_level=None)
        other.execute("begin immediate")
        refusal("store-locked", lambda: store.save(Answer(campaign, "p1", "patient", "i", "often")))
        assert store.history(campaign) == []
        other.execute("rollback")
        other.close()
        store.save(Answer(campaign, "p1", "patient", "i", "always"))
        assert [a.answer for a in store.history(campaign)] == ["always"]


def test_a_full_disk_reaches_every_caller(tmp_path: Path) -> None:
    """When the file may not grow, every unsaved answer raises, every acknowledged one stays, and room heals it."""
    with Store.open(url_of(tmp_path)) as store:
        campaign = new_campaign(store).id

        def limit(pages: int) -> None:
            raw = (
                store._writer.raw_connection()
            )  # the limit lives as long as this connection, and it is the only one
            raw.cursor().execute(f"pragma max_page_count = {pages}")
            raw.close()

        def answer(who: int) -> list[str]:
            saved = []
            for n in range(10_000):
                try:
                    store.save(Answer(campaign, f"r{who}", "patient", f"i{n}", "often", comment="c" * 3000))
                except StoreError as error:
                    if error.problems[0].code != "store-full":
                        raise
                    return saved
                saved.append(f"r{who} i{n}")
            raise AssertionError

        limit(200)
        with ThreadPoolExecutor(8) as pool:
            saved = {key for keys in pool.map(answer, range(8)) for key in keys}
        assert saved
        assert {f"{a.respondent} {a.item}" for a in store.history(campaign)} == saved
        limit(100_000)
        store.save(Answer(campaign, "r", "patient", "i", "often"))
        assert len(store.history(campaign)) == len(saved) + 1


def lost(file: Path) -> None:
    """Take the file away."""
    file.rename(file.with_suffix(".away"))


def replaced(file: Path) -> None:
    """Put a copy in the place of the file."""
    copy = file.with_suffix(".copy")
    shutil.copyfile(file, copy)
    copy.replace(file)


@pytest.mark.skipif(sys.platform == "win32", reason="there, a file that is open stays where it is")
@pytest.mark.parametrize("away", [lost, replaced, Path.unlink])
def test_nothing_is_acknowledged_into_a_file_that_is_gone(
    tmp_path: Path, away: Callable[[Path], object]
) -> None:
    """Once the file is moved, replaced or deleted, saving and reading raise and no file is made in its place."""
    file = tmp_path / "pomey.db"
    with Store.open(url_of(tmp_path)) as store:
        campaign = new_campaign(store).id
        answer = Answer(campaign, "p1", "patient", "i", "often")
        store.save(answer)
        away(file)
        there = file.exists()
        error = refusal("store-moved", lambda: store.save(answer))
        assert str(file) in str(error)
        refusal("store-moved", store.institutions)
        assert file.exists() == there


@pytest.mark.skipif(sys.platform == "win32", reason="likewise")
def test_a_file_that_goes_during_the_work_takes_nothing_with_it(tmp_path: Path) -> None:
    """What was written before the file went, but not committed, is refused; put back, the file goes on without it."""
    file = tmp_path / "pomey.db"
    with Store.open(url_of(tmp_path)) as store:

        def work(connection: sa.Connection) -> None:
            building("h")(connection)
            lost(file)

        refusal("store-moved", lambda: store.write(work))
        file.with_suffix(".away").rename(file)
        assert store.institutions() == []
        store.write(building("h"))
    with Store.open(url_of(tmp_path)) as store:
        assert [one.id for one in store.institutions()] == ["h"]


@pytest.mark.skipif(sys.platform == "win32", reason="likewise")
def test_a_writer_that_has_not_written_makes_no_file(tmp_path: Path) -> None:
    """The first save of a store that was only read so far does not begin a new file where the old one was."""
    file = tmp_path / "pomey.db"
    Store.open(url_of(tmp_path)).close()
    with Store.open(url_of(tmp_path)) as store:
        lost(file)
        refusal("store-moved", lambda: store.add_institution("A"))
        assert not file.exists()
        file.symlink_to(file)  # a name that leads nowhere is another failure of the disk
        refusal("store-failed", lambda: store.add_institution("A"))


def test_every_connection_is_durable(tmp_path: Path) -> None:
    """Write-ahead log, full synchronisation and foreign keys are on for writing and for reading."""
    with Store.open(url_of(tmp_path)) as store:
        for engine in (store._writer, store._readers):
            with engine.connect() as connection:
                connection.exec_driver_sql(
                    "select * from answer"
                )  # a connection learns the mode when it reads
                pragmas = {
                    name: connection.exec_driver_sql(f"pragma {name}").scalar()
                    for name in ("journal_mode", "synchronous", "foreign_keys")
                }
            assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


# Opening


def test_a_store_outlives_its_program(store_url: str) -> None:
    """What was kept is there when the store is opened again."""
    with Store.open(store_url) as store:
        campaign = new_campaign(store)
        saved = store.save(Answer(campaign.id, "p1", "patient", "i", "often"))
    for _ in range(2):
        with Store.open(store_url) as store:
            assert store.campaigns() == [campaign]
            assert store.history(campaign.id) == [saved]


def test_opening_again_changes_nothing(tmp_path: Path) -> None:
    """A store that is opened and closed is the same file to the last byte."""
    with Store.open(url_of(tmp_path)) as store:
        new_campaign(store)
    content = (tmp_path / "pomey.db").read_bytes()
    Store.open(url_of(tmp_path)).close()
    assert (tmp_path / "pomey.db").read_bytes() == content


def test_memory_stores_share_nothing() -> None:
    """Two stores in memory are two stores."""
    with Store.open("sqlite://") as one, Store.open("sqlite://") as other:
        one.add_institution("A")
        assert other.institutions() == []


def test_the_migrations_make_exactly_the_tables_in_use(store_url: str) -> None:
    """The folder of migrations ends at the revision the store expects, and leaves nothing to migrate."""
    assert ScriptDirectory(str(ROOT / "data" / "migrations")).get_current_head() == module.REVISION
    with Store.open(store_url) as store, store._writer.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": module.VERSION_TABLE})
        assert compare_metadata(context, layout.METADATA) == []


def test_a_newer_store_is_refused_untouched(tmp_path: Path) -> None:
    """A store with a layout from the future is refused with what to do, and not written to."""
    Store.open(url_of(tmp_path)).close()
    with sqlite3.connect(tmp_path / "pomey.db") as other:
        other.execute("update pomey_version set version_num = '9999'")
    other.close()
    before = (tmp_path / "pomey.db").read_bytes()
    text = str(refusal("store-newer", lambda: Store.open(url_of(tmp_path))))
    assert "9999" in text
    assert "Update the program" in text
    assert (tmp_path / "pomey.db").read_bytes() == before


@pytest.mark.parametrize("content", [b"Bonjour, ceci est un texte. " * 50, b"x", b"%PDF-1.7\n" + bytes(4096)])
def test_a_file_that_is_no_database_is_refused_untouched(tmp_path: Path, content: bytes) -> None:
    """Whatever the file is, the store says so and leaves it alone."""
    (tmp_path / "pomey.db").write_bytes(content)
    refusal("store-not-a-database", lambda: Store.open(url_of(tmp_path)))
    assert (tmp_path / "pomey.db").read_bytes() == content


def test_another_programs_database_is_refused_untouched(tmp_path: Path) -> None:
    """A database that holds somebody else's tables never gets ours."""
    with sqlite3.connect(tmp_path / "pomey.db") as other:
        other.execute("create table bookmarks (url text)")
    other.close()
    before = (tmp_path / "pomey.db").read_bytes()
    assert "bookmarks" in str(refusal("store-foreign", lambda: Store.open(url_of(tmp_path))))
    assert (tmp_path / "pomey.db").read_bytes() == before


def test_a_place_that_cannot_hold_a_store_is_refused(tmp_path: Path) -> None:
    """A folder in the file's place, or a file in the folder's place, is an error that names it."""
    (tmp_path / "file").write_text("x", encoding="utf-8")
    (tmp_path / "pomey.db").mkdir()
    assert str(tmp_path) in str(refusal("store-open", lambda: Store.open(url_of(tmp_path))))
    refusal("store-open", lambda: Store.open(url_of(tmp_path / "file")))


def test_a_wrong_address_is_refused_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address that leads nowhere is explained, and a password in it is never shown."""
    refusal("store-url", lambda: Store.open("C:/pomey.db"))
    refusal("store-url", lambda: Store.open("nosuchdatabase://host/x"))
    refusal("store-url", lambda: Store.open("mysql://host/x"))
    for address in ("postgresql+nosuchdriver://me:secret@host/pomey", "me:secret@host"):
        assert "secret" not in str(refusal("store-url", lambda address=address: Store.open(address)))
    monkeypatch.setitem(sys.modules, "psycopg", None)
    missing = refusal("store-driver", lambda: Store.open("postgresql://me:secret@host/pomey?password=secret"))
    assert "secret" not in str(missing)


def test_the_folder_is_made_and_may_have_any_name(tmp_path: Path) -> None:
    """A store is made in folders that do not exist yet, with spaces, accents and per cents in their names."""
    folder = tmp_path / "été à l'hôpital" / "100 % sûr"
    with Store.open(url_of(folder)) as store:
        assert store.institutions() == []
    assert (folder / "pomey.db").exists()


def test_the_environment_names_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """POMEY_STORE is used when no address is given, and ignored when empty."""
    monkeypatch.setenv("POMEY_STORE", url_of(tmp_path / "chosen"))
    Store.open().close()
    assert (tmp_path / "chosen" / "pomey.db").exists()
    monkeypatch.setenv("POMEY_STORE", "")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    monkeypatch.setattr(sys, "platform", "linux")
    Store.open().close()
    assert (tmp_path / "share" / "pomey" / "pomey.db").exists()


def test_the_default_file_is_where_the_system_keeps_data(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each system has its own place for a program's data."""
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    for name in ("XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    places = {"linux": ".local/share", "darwin": "Library/Application Support", "win32": "AppData/Local"}
    for platform, place in places.items():
        monkeypatch.setattr(sys, "platform", platform)
        assert default_file() == tmp_path / place / "pomey" / "pomey.db"
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert default_file() == tmp_path / "local" / "pomey" / "pomey.db"


# Words


def test_every_refusal_has_its_sentence_in_every_language() -> None:
    """Each code the store uses is in the catalogue, in three languages with the same blanks, and none is unused."""
    catalogue = yaml.safe_load((ROOT / "data" / "refusals.yaml").read_text(encoding="utf-8"))
    used = set(re.findall(r'"(store-[a-z-]+)"', (ROOT / "data" / "store.py").read_text(encoding="utf-8")))
    used.discard("store-writer")  # the thread's name
    assert {code for code in catalogue if code.startswith("store-")} == used
    for code in used:
        sentences = catalogue[code]
        assert set(sentences) == {"fr", "nl", "en"}
        assert len({frozenset(re.findall(r"\{\w+\}", sentence)) for sentence in sentences.values()}) == 1
