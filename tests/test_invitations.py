"""Links open what they should and no more, a receipt gives the right to withdraw, and what is erased is gone."""

from __future__ import annotations

import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import postgres
import pytest
import sqlalchemy as sa
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from data import Answer, Invitations, Respondent, Standing, Store, StoreError, layout
from data import invitations as module
from matrix import load_matrix

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[1]
QUESTIONNAIRE: Any = SimpleNamespace(id="hospital", version=2, fingerprint="ab" * 32)


def new_campaign(store: Store, **given: Any) -> str:  # as add_campaign has them
    """The id of a campaign in an institution of its own."""
    institution = store.add_institution("Hôpital d'essai", country="be")
    return store.add_campaign(institution.id, QUESTIONNAIRE, title="Essai", year=2026, **given).id


def refusal(code: str, call: Callable[[], object]) -> str:
    """The text of the error of a call that must be refused with this code, readable in every language."""
    with pytest.raises(StoreError) as caught:
        call()
    assert [problem.code for problem in caught.value.problems] == [code]
    assert all("{" not in caught.value.text(lang) for lang in ("fr", "nl", "en"))
    return str(caught.value)


def acts(store: Store, campaign: str) -> list[str]:
    """The words of a campaign's history, first to last."""
    return [one.what for one in reversed(store.events(campaign=campaign))]


def files_of(folder: Path) -> bytes:
    """Everything a store has on disk, to the last byte."""
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()))


@pytest.fixture
def campaign(store: Store) -> str:
    """The id of an open campaign in that store."""
    return new_campaign(store)


@pytest.fixture
def invitations(store: Store) -> Invitations:
    """The invitations of that store."""
    return Invitations(store)


def answer_all(store: Store, campaign: str, code: str, *, comment: str = "") -> None:
    """Three answers of a respondent, one of them changed once."""
    store.save_many(
        [
            Answer(campaign, code, "patient", "i", "never", "", comment),
            Answer(campaign, code, "patient", "i", "often", "", comment),
            Answer(campaign, code, "patient", "j", "na", f"{comment} why", ""),
        ]
    )


# Links


def test_each_personal_link_opens_its_own_respondent(
    store: Store, campaign: str, invitations: Invitations
) -> None:
    """Personal links come with codes, tokens and invitations that are all different, and each opens its own."""
    issued = invitations.personal(campaign, "patient", 50, label="Dialyse", author="anne")
    assert len({one.code for one in issued}) == len({one.token for one in issued}) == 50
    assert [one.invitation.id for one in issued] != [issued[0].invitation.id] * 50
    for one in issued:
        found = invitations.open_personal(one.token)
        assert isinstance(found, Respondent)
        assert (found.campaign, found.code, found.role) == (campaign, one.code, "patient")
        assert (found.invitation, found.state) == (one.invitation.id, "open")
        assert re.fullmatch(r"p-[2-9a-z]{5}", found.code)
    assert sorted(invitations.every(campaign)) == sorted(one.invitation for one in issued)
    assert {one.code for one in invitations.respondents(campaign)} == {one.code for one in issued}
    [told] = [one for one in store.events(campaign=campaign) if one.what == "invited"]
    assert (told.author, told.detail) == ("anne", {"role": "patient", "count": 50})


def test_a_shared_link_makes_a_respondent_of_each_who_begins(campaign: str, invitations: Invitations) -> None:
    """Who begins on a shared link gets a code, a role, a language and a token that opens them again."""
    link = invitations.shared(campaign, "relative", label="Affiche", expected=40)
    assert link.code == ""
    assert invitations.open_shared(link.token) == link.invitation
    begun = invitations.begin(link.token, "nl")
    assert begun is not None
    new, token = begun
    assert invitations.open_personal(token) == new
    assert (new.role, new.language, new.submitted) == ("relative", "nl", None)
    assert new.started == new.created


def test_a_link_of_one_kind_opens_nothing_of_the_other(campaign: str, invitations: Invitations) -> None:
    """A personal token is no shared one, a shared one no personal one, and a wrong one opens nothing."""
    [own] = invitations.personal(campaign, "patient", 1)
    shared = invitations.shared(campaign, "patient")
    assert invitations.open_shared(own.token) is None
    assert invitations.begin(own.token, "fr") is None
    assert invitations.open_personal(shared.token) is None
    for wrong in ("", "x", own.token[:-1], own.token.swapcase(), "\0", "\ud800", "é" * 10_000, own.code):
        assert invitations.open_personal(wrong) is None
        assert invitations.open_shared(wrong) is None
        assert invitations.begin(wrong, "fr") is None


def test_a_renewed_personal_link_keeps_the_respondent(
    store: Store, campaign: str, invitations: Invitations
) -> None:
    """After renewal the old token opens nothing, and the new one the same code with the same answers."""
    [old] = invitations.personal(campaign, "patient", 1)
    answer_all(store, campaign, old.code)
    new = invitations.renew(old.invitation.id, author="anne")
    assert (new.code, new.invitation) == (old.code, old.invitation)
    assert invitations.open_personal(old.token) is None
    found = invitations.open_personal(new.token)
    assert found is not None
    assert found.code == old.code
    assert invitations.answered(campaign) == {old.code: 2}
    assert acts(store, campaign) == ["created", "opened", "invited", "renewed"]


def test_a_renewed_shared_link_leaves_who_began_alone(campaign: str, invitations: Invitations) -> None:
    """After renewal nobody begins on the old shared link, and those who had begun go on."""
    old = invitations.shared(campaign, "patient")
    begun = invitations.begin(old.token, "fr")
    new = invitations.renew(old.invitation.id)
    assert begun is not None
    assert invitations.open_personal(begun[1]) == begun[0]
    assert invitations.open_shared(old.token) is None
    assert invitations.begin(old.token, "fr") is None
    assert invitations.open_shared(new.token) == old.invitation


def test_a_revoked_link_opens_nothing(store: Store, campaign: str, invitations: Invitations) -> None:
    """Revoking closes a link, those begun on it and their renewal, once; the answers stay."""
    [own] = invitations.personal(campaign, "patient", 1)
    shared = invitations.shared(campaign, "patient")
    begun = invitations.begin(shared.token, "fr")
    assert begun is not None
    answer_all(store, campaign, own.code)
    for one in (own, shared):
        invitations.revoke(one.invitation.id, author="anne")
        first = {found.id: found.revoked for found in invitations.every(campaign)}
        invitations.revoke(one.invitation.id, author="anne")
        assert first == {found.id: found.revoked for found in invitations.every(campaign)}
        refusal("invitation-revoked", lambda one=one: invitations.renew(one.invitation.id))
    assert invitations.open_personal(own.token) is None
    assert invitations.open_personal(begun[1]) is None
    assert invitations.open_shared(shared.token) is None
    assert invitations.begin(shared.token, "fr") is None
    assert invitations.answered(campaign) == {own.code: 2}
    assert acts(store, campaign).count("revoked") == 2


def test_a_link_opens_through_its_last_day(
    campaign: str, invitations: Invitations, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link opens on the day it expires and not on the next, and cannot be renewed then."""
    today = datetime.now(UTC).date()
    [own] = invitations.personal(campaign, "patient", 1, expires=today)
    shared = invitations.shared(campaign, "patient", expires=today)
    found = invitations.open_personal(own.token)
    assert found is not None
    assert found.expires == today
    assert invitations.open_shared(shared.token) is not None
    begun = invitations.begin(shared.token, "fr")
    assert begun is not None
    monkeypatch.setattr(module, "_today", lambda: today + timedelta(days=1))
    assert invitations.open_personal(own.token) is None
    assert invitations.open_personal(begun[1]) is None
    assert invitations.open_shared(shared.token) is None
    assert invitations.begin(shared.token, "fr") is None
    refusal("invitation-expired", lambda: invitations.renew(own.invitation.id))


def test_nobody_begins_while_the_campaign_is_not_open(store: Store, invitations: Invitations) -> None:
    """Links can be made before the opening, nobody begins before it or after the closing, and none is made then."""
    campaign = new_campaign(store, state="draft")
    [own] = invitations.personal(campaign, "patient", 1)
    shared = invitations.shared(campaign, "patient")

    def nothing_begins() -> None:
        refusal("store-not-open", lambda: invitations.begin(shared.token, "fr"))
        refusal("store-not-open", lambda: invitations.start(campaign, own.code, "fr"))

    nothing_begins()
    refusal("store-not-open", lambda: invitations.submit(own.token))
    store.open_campaign(campaign)
    invitations.start(campaign, own.code, "fr")
    assert invitations.begin(shared.token, "fr") is not None
    store.close_campaign(campaign)
    nothing_begins()
    refusal("store-not-open", lambda: invitations.personal(campaign, "patient", 1))
    refusal("store-not-open", lambda: invitations.shared(campaign, "patient"))
    found = invitations.open_personal(own.token)
    assert found is not None
    assert found.state == "closed"


def test_many_begin_at_once(campaign: str, invitations: Invitations) -> None:
    """Twenty people who begin at the same moment are twenty respondents."""
    link = invitations.shared(campaign, "patient")
    together = threading.Barrier(20)

    def begin(_: int) -> tuple[Respondent, str]:
        together.wait()
        begun = invitations.begin(link.token, "fr")
        assert begun is not None
        return begun

    with ThreadPoolExecutor(20) as pool:
        begun = list(pool.map(begin, range(20)))
    assert len({one.code for one, _ in begun}) == len({token for _, token in begun}) == 20
    assert len(invitations.respondents(campaign)) == 20


def test_a_code_in_use_is_not_given_again(
    store: Store, campaign: str, invitations: Invitations, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new respondent never gets a code that somebody answers under, an imported one included."""
    store.save(Answer(campaign, "p-22222", "patient", "i", "often", channel="import"))
    draws = iter("2222233333333334444")
    monkeypatch.setattr(module.secrets, "choice", lambda letters: next(draws, letters[0]))
    codes = [invitations.personal(campaign, "patient", 1)[0].code for _ in range(2)]
    assert codes == ["p-33333", "p-44442"]


# How far they are


def test_standing_counts_each_role(campaign: str, invitations: Invitations) -> None:
    """Invited, started and submitted are counted role by role, in the matrix's order."""
    patients = invitations.personal(campaign, "patient", 3)
    invitations.shared(campaign, "direction", expected=12)
    invitations.shared(campaign, "association")
    invitations.start(campaign, patients[0].code, "fr")
    invitations.submit(patients[1].token)
    shared = invitations.shared(campaign, "patient", expected=10)
    invitations.begin(shared.token, "fr")
    assert invitations.standing(campaign) == [
        Standing("direction", 12, 0, 0),
        Standing("patient", 13, 3, 1),
        Standing("association", None, 0, 0),
    ]


def test_a_rate_is_told_only_where_everybody_invited_is_known(
    campaign: str, invitations: Invitations
) -> None:
    """Personal links beside a shared one of unknown reach give no rate, nor do more answers than a link was to reach."""
    for role, reach in (("patient", None), ("relative", 1), ("quality", 4)):
        invitations.personal(campaign, role, 2)
        link = invitations.shared(campaign, role, expected=reach)
        for _ in range(4):
            begun = invitations.begin(link.token, "fr")
            assert begun is not None
            invitations.submit(begun[1])
    assert {one.role: one.rate for one in invitations.standing(campaign)} == {
        "patient": None,
        "relative": None,
        "quality": 4 / 6,
    }


def test_standing_leaves_out_revoked_links_and_who_withdrew(campaign: str, invitations: Invitations) -> None:
    """A revoked link invites nobody unless its person had started, and who withdrew is in no count."""
    people = invitations.personal(campaign, "patient", 4)
    shared = invitations.shared(campaign, "quality", expected=7)
    invitations.start(campaign, people[0].code, "fr")
    for one in (people[0], people[1], shared):
        invitations.revoke(one.invitation.id)
    invitations.erase(invitations.submit(people[2].token))
    assert invitations.standing(campaign) == [Standing("patient", 2, 1, 0)]


@given(
    st.lists(
        st.tuples(st.sampled_from(["start", "submit", "erase", "revoke", "begin"]), st.integers(0, 4)),
        max_size=25,
    )
)
@settings(max_examples=40, deadline=None)
def test_standing_never_counts_more_than_came_before(steps: list[tuple[str, int]]) -> None:
    """Whatever happens in whatever order, submitted are among started, and on personal links started among invited."""
    with Store.open("sqlite://") as store:
        campaign = new_campaign(store)
        invitations = Invitations(store)
        people = invitations.personal(campaign, "patient", 5)
        shared = invitations.shared(campaign, "relative")
        receipts: dict[int, str] = {}
        gone: set[int] = set()
        for what, n in steps:
            if what == "begin":
                invitations.begin(shared.token, "fr")
            elif what == "revoke":
                invitations.revoke(people[n].invitation.id)
            elif what == "erase" and n in receipts:
                gone.add(n)
                invitations.erase(receipts.pop(n))
            elif what == "start" and n not in gone:
                invitations.start(campaign, people[n].code, "fr")
            elif what == "submit" and invitations.open_personal(people[n].token):
                receipts[n] = invitations.submit(people[n].token)
        standing = {one.role: one for one in invitations.standing(campaign)}
        relatives, patients = standing["relative"], standing.get("patient", Standing("patient", 0, 0, 0))
        assert patients.invited is not None
        assert patients.submitted == len(receipts) <= patients.started <= patients.invited <= 5 - len(gone)
        assert relatives.started == sum(what == "begin" for what, _ in steps)


def test_starting_twice_keeps_the_first_time_and_the_latest_language(
    campaign: str, invitations: Invitations
) -> None:
    """Starting again changes the language only."""
    [own] = invitations.personal(campaign, "patient", 1)
    invitations.start(campaign, own.code, "fr")
    [first] = invitations.respondents(campaign)
    invitations.start(campaign, own.code, "nl")
    [second] = invitations.respondents(campaign)
    assert first.started is not None
    assert (second.started, second.language) == (first.started, "nl")


def test_what_respondents_do_is_not_told_one_by_one(
    store: Store, campaign: str, invitations: Invitations
) -> None:
    """The history tells no start and no submission: with their times it would tell who is who."""
    shared = invitations.shared(campaign, "patient")
    begun = invitations.begin(shared.token, "fr")
    assert begun is not None
    invitations.submit(begun[1])
    assert acts(store, campaign) == ["created", "opened", "shared"]


# Answering by a link


def test_an_answer_by_a_link_is_kept_once(store: Store, campaign: str, invitations: Invitations) -> None:
    """What a link's holder says is kept under their code and way of coming; saying it again adds nothing."""
    pinned = store.campaign(campaign)
    begun = invitations.begin(invitations.shared(campaign, "patient").token, "fr")
    assert begun is not None
    who, token = begun
    for _ in range(2):
        kept = invitations.keep(token, pinned, "i", ("often", "", "a word")).result()
        assert kept is not None
        assert kept.who.code == who.code
        assert kept.answers == store.respondent(campaign, who.code, "patient")
    assert [(one.answer, one.comment, one.channel) for one in store.history(campaign)] == [
        ("often", "a word", "shared_link")
    ]
    taken_back = invitations.keep(token, pinned, "i", ("", "", "")).result()
    assert taken_back is not None
    assert taken_back.answers == store.respondent(campaign, who.code, "patient") == {}
    assert len(store.history(campaign)) == 2


def test_an_answer_that_cannot_be_taken_is_not_kept(
    store: Store, campaign: str, invitations: Invitations
) -> None:
    """An unknown link, one of another campaign, one nobody has begun on, a closed campaign: nothing is kept."""
    pinned = store.campaign(campaign)
    said = ("often", "", "")
    issued = invitations.personal(campaign, "patient", 1)[0]
    assert invitations.keep("nobody", pinned, "i", said).result() is None
    assert invitations.keep(issued.token, store.campaign(new_campaign(store)), "i", said).result() is None
    not_begun = invitations.keep(issued.token, pinned, "i", said).result()
    assert not_begun is not None
    assert not_begun.answers == {}
    invitations.start(campaign, issued.code, "nl")
    assert invitations.keep(issued.token, pinned, "i", said).result() is not None
    store.close_campaign(campaign)
    closed = invitations.keep(issued.token, pinned, "i", ("never", "", "")).result()
    assert closed is not None
    assert (closed.who.state, closed.answers["i"].answer) == ("closed", "often")
    assert len(store.history(campaign)) == 1


# Receipts


def test_a_receipt_is_found_however_it_is_spelled(campaign: str, invitations: Invitations) -> None:
    """Capitals, spaces and dashes make no difference to a receipt, and a wrong letter does."""
    [own] = invitations.personal(campaign, "patient", 1)
    receipt = invitations.submit(own.token)
    assert re.fullmatch(r"([2-9a-z]{4}-){3}[2-9a-z]{4}", receipt)
    for spelled in (receipt, receipt.upper(), receipt.replace("-", ""), f" {receipt.replace('-', ' - ')}\n"):
        found = invitations.by_receipt(spelled)
        assert found is not None
        assert (found.code, found.submitted is None) == (own.code, False)
    wrong = receipt[:-1] + ("2" if receipt[-1] != "2" else "3")
    for unknown in (wrong, "", "----", receipt[:-1], own.token):
        assert invitations.by_receipt(unknown) is None


def test_a_receipt_stays_the_same(campaign: str, invitations: Invitations) -> None:
    """Submitting again gives the same receipt, each person has their own, and it does not tell the link."""
    own, other = invitations.personal(campaign, "patient", 2)
    first, second = (invitations.submit(own.token) for _ in range(2))
    assert first == second != invitations.submit(other.token)
    assert invitations.by_receipt(first) is not None
    assert invitations.standing(campaign) == [Standing("patient", 2, 2, 2)]


def test_a_receipt_can_be_had_after_the_closing(
    store: Store, campaign: str, invitations: Invitations
) -> None:
    """Who had not submitted when the campaign closed can still get a receipt, and withdraw with it."""
    [own] = invitations.personal(campaign, "patient", 1)
    answer_all(store, campaign, own.code)
    store.close_campaign(campaign)
    assert invitations.erase(invitations.submit(own.token)) == 3


# Withdrawing


@pytest.mark.parametrize("closed", [False, True])
def test_withdrawing_empties_everything_and_keeps_the_facts(
    store: Store, campaign: str, invitations: Invitations, *, closed: bool
) -> None:
    """Open or closed, after a withdrawal no view holds an answer of that person and the history only that they gave some."""
    gone, other = invitations.personal(campaign, "patient", 2)
    for one in (gone, other):
        answer_all(store, campaign, one.code, comment="Merci")
    receipt = invitations.submit(gone.token)
    before = store.history(campaign, other.code)
    if closed:
        store.close_campaign(campaign)
    assert invitations.erase(receipt.upper()) == 3
    assert set(store.answers([campaign]).column("respondent").to_pylist()) == {other.code}
    assert store.respondent(campaign, gone.code, "patient") == {}
    assert store.progress(campaign)[0][:3] == ("patient", 1, 2)
    assert invitations.answered(campaign) == {other.code: 2}
    assert [(a.item, a.answer, a.reason, a.comment) for a in store.history(campaign, gone.code)] == [
        ("i", "", "", ""),
        ("i", "", "", ""),
        ("j", "", "", ""),
    ]
    assert store.history(campaign, other.code) == before
    assert invitations.open_personal(gone.token) is None
    assert invitations.open_personal(other.token) is not None
    [found] = [one for one in invitations.respondents(campaign) if one.code == gone.code]
    assert (found.erased is not None, found.language) == (True, "")
    told = store.events(campaign=campaign)[0]
    assert (told.what, told.author, told.detail) == ("withdrawn", "", {})
    rows = store.read(lambda connection: connection.execute(sa.select(layout.erasure)).all())
    assert [(row.respondent, row.cause, row.answers) for row in rows] == [(gone.code, "withdrawal", 3)]


def test_nobody_withdraws_twice(store: Store, campaign: str, invitations: Invitations) -> None:
    """A receipt that was used is unknown afterwards, and nothing more can be done under its code."""
    [own] = invitations.personal(campaign, "patient", 1)
    receipt = invitations.submit(own.token)
    assert invitations.erase(receipt) == 0
    assert invitations.by_receipt(receipt) is None
    refusal("invitation-receipt", lambda: invitations.erase(receipt))
    refusal("invitation-respondent", lambda: invitations.start(campaign, own.code, "fr"))
    refusal("invitation-link", lambda: invitations.submit(own.token))
    refusal("invitation-withdrawn", lambda: invitations.renew(own.invitation.id))
    assert acts(store, campaign).count("withdrawn") == 1


def test_two_withdrawals_at_once_are_one(store: Store, campaign: str, invitations: Invitations) -> None:
    """Of threads that use one receipt at the same moment, one withdraws and the others are told it is used."""
    [own] = invitations.personal(campaign, "patient", 1)
    answer_all(store, campaign, own.code)
    receipt = invitations.submit(own.token)
    together = threading.Barrier(4)

    def erase(_: int) -> int | str:
        together.wait()
        try:
            return invitations.erase(receipt)
        except StoreError as error:
            return error.problems[0].code

    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(erase, range(4)))
    assert sorted(map(str, outcomes)) == ["3", *["invitation-receipt"] * 3]


def test_the_database_takes_no_answer_of_who_withdrew(
    store: Store, campaign: str, invitations: Invitations
) -> None:
    """An answer that was under way while its respondent withdrew is refused, alone and among others."""
    gone, other = invitations.personal(campaign, "patient", 2)
    invitations.erase(invitations.submit(gone.token))
    late = Answer(campaign, gone.code, "patient", "i", "often", "", "trop tard")
    refusal("store-withdrawn", lambda: store.save(late))
    refusal(
        "store-withdrawn",
        lambda: store.save_many([Answer(campaign, other.code, "patient", "i", "often"), late]),
    )
    assert store.history(campaign) == []
    store.save(Answer(campaign, other.code, "patient", "i", "often"))


def test_what_was_erased_is_in_no_file(tmp_path: Path) -> None:
    """After a withdrawal the raw files of the store hold no byte of what was said, among many who stay."""
    with Store.open(f"sqlite:///{tmp_path}/pomey.db") as store:
        invitations, campaign = Invitations(store), new_campaign(store)
        people = invitations.personal(campaign, "patient", 12)
        for n in range(30):
            store.save_many(
                [
                    Answer(
                        campaign,
                        one.code,
                        "patient",
                        f"q{n}",
                        "often",
                        "",
                        f"<{one.code}>" + "x" * 97 * (n % 7),
                    )
                    for one in people
                ]
            )
        receipts = [invitations.submit(one.token) for one in people]
        assert all(f"<{one.code}>".encode() in files_of(tmp_path) for one in people)
        for k in (5, 0, 11):
            assert invitations.erase(receipts[k]) == 30
            assert f"<{people[k].code}>".encode() not in files_of(tmp_path)
        assert store.answers().num_rows == 9 * 30
        assert f"<{people[1].code}>".encode() in files_of(tmp_path)


def test_a_link_past_its_end_opens_again_once_the_campaign_is_closed(
    store: Store, campaign: str, invitations: Invitations, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end date ends the answering: what was said and done is read with the same link after the closing."""
    today = datetime.now(UTC).date()
    [own] = invitations.personal(campaign, "patient", 1, expires=today)
    shared = invitations.shared(campaign, "patient", expires=today)
    monkeypatch.setattr(module, "_today", lambda: today + timedelta(days=1))
    assert (invitations.open_personal(own.token), invitations.open_shared(shared.token)) == (None, None)
    store.close_campaign(campaign)
    opened = invitations.open_personal(own.token)
    assert opened is not None
    assert opened.state == "closed"
    assert invitations.open_shared(shared.token) is not None
    store.reopen_campaign(campaign, "raison")
    assert (invitations.open_personal(own.token), invitations.open_shared(shared.token)) == (None, None)


def test_after_a_withdrawal_a_database_server_holds_no_text_either(
    postgres_url: str, postgres_server: postgres.Server
) -> None:
    """The files of the PostgreSQL table hold no byte of what was said, once what was is written to disk."""
    with Store.open(postgres_url) as store:
        invitations, campaign = Invitations(store), new_campaign(store)
        [one] = invitations.personal(campaign, "patient", 1)
        answer_all(store, campaign, one.code, comment="xQ7-unique-words")

        def kept() -> bytes:
            with store._writer.connect() as connection:
                free = connection.execution_options(isolation_level="AUTOCOMMIT")
                free.exec_driver_sql("CHECKPOINT")
                path = free.exec_driver_sql("SELECT pg_relation_filepath('answer')").scalar_one()
            return (postgres_server.data / str(path)).read_bytes()

        assert b"xQ7-unique-words" in kept()
        invitations.erase(invitations.submit(one.token))
        assert b"xQ7-unique-words" not in kept()


def test_a_reader_at_work_does_not_keep_anybody_from_withdrawing(tmp_path: Path) -> None:
    """While another program reads, a withdrawal is done all the same, and its traces go with the next one."""
    with Store.open(f"sqlite:///{tmp_path}/pomey.db") as store:
        invitations, campaign = Invitations(store), new_campaign(store)
        people = invitations.personal(campaign, "patient", 2)
        for one in people:
            answer_all(store, campaign, one.code, comment=f"<{one.code}>")
        receipts = [invitations.submit(one.token) for one in people]
        other = sa.create_engine(f"sqlite:///{tmp_path}/pomey.db")
        with other.connect() as reader:
            reader.exec_driver_sql("BEGIN")
            assert reader.exec_driver_sql("SELECT count(*) FROM answer").scalar() == 6
            begun = time.monotonic()
            assert invitations.erase(receipts[0]) == 3
            assert time.monotonic() - begun < 5
            assert store.respondent(campaign, people[0].code, "patient") == {}
        other.dispose()
        invitations.erase(receipts[1])
        assert not any(f"<{one.code}>".encode() in files_of(tmp_path) for one in people)


def test_no_token_and_no_receipt_is_kept(tmp_path: Path) -> None:
    """Whoever reads the store's files finds no token and no receipt, in use or replaced."""
    with Store.open(f"sqlite:///{tmp_path}/pomey.db") as store:
        invitations, campaign = Invitations(store), new_campaign(store)
        issued = invitations.personal(campaign, "patient", 3)
        shared = invitations.shared(campaign, "patient")
        begun = invitations.begin(shared.token, "fr")
        assert begun is not None
        receipt = invitations.submit(begun[1])
        secret = [one.token for one in (*issued, shared, invitations.renew(issued[0].invitation.id))]
        secret += [begun[1], receipt, receipt.replace("-", "")]
        kept = files_of(tmp_path)
        assert issued[0].code.encode() in kept
        assert not [one for one in secret if one.encode() in kept]


# Forgetting when the time has come


def closed_on(store: Store, campaign: str, when: datetime) -> None:
    """Have a campaign closed on a day of the past."""
    store.close_campaign(campaign)
    change = layout.campaign.update().where(layout.campaign.c.id == campaign)
    store.write(lambda connection: connection.execute(change, {"closed": when}))


def test_texts_are_forgotten_when_their_time_has_come(
    store: Store, campaign: str, invitations: Invitations
) -> None:
    """After the retention period reasons, comments, links and receipts are gone and the chosen answers stay."""
    own, other = invitations.personal(campaign, "patient", 2)
    receipt = invitations.submit(own.token)
    for one in (own, other):
        answer_all(store, campaign, one.code, comment="Merci")
    before = store.answers().column("answer").to_pylist()
    closed_on(store, campaign, datetime(2026, 8, 31, 10, tzinfo=UTC))
    store.edit_campaign(campaign, retention_months=6)
    assert invitations.expire(date(2027, 2, 28)) == []
    assert invitations.open_personal(own.token) is not None
    assert invitations.expire(date(2027, 3, 1)) == [campaign]
    assert store.answers().column("answer").to_pylist() == before
    assert {(one.reason, one.comment) for one in store.history(campaign)} == {("", "")}
    assert len(store.history(campaign)) == 6
    assert invitations.open_personal(own.token) is None
    assert invitations.by_receipt(receipt) is None
    assert store.events(campaign=campaign)[0].detail == {"answers": 6}


def test_forgetting_is_done_once_a_closing(store: Store, campaign: str, invitations: Invitations) -> None:
    """A second run changes nothing; a campaign reopened and closed again is treated again when it is due."""
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    closed_on(store, campaign, long_ago)
    today = datetime.now(UTC).date()
    assert invitations.expire(today) == [campaign]
    told = acts(store, campaign)
    assert invitations.expire(today) == invitations.expire(today + timedelta(days=9999)) == []
    assert acts(store, campaign) == told
    store.reopen_campaign(campaign, "Oubli")
    store.save(Answer(campaign, "p1", "patient", "i", "often", "", "de plus"))
    store.close_campaign(campaign)
    assert invitations.expire(today) == []
    assert invitations.expire(today + timedelta(days=800)) == [campaign]
    assert [one.comment for one in store.history(campaign)] == [""]


def test_only_closed_campaigns_are_forgotten(store: Store, campaign: str, invitations: Invitations) -> None:
    """What is still open, in preparation or within its time keeps every word."""
    draft, fresh = new_campaign(store, state="draft"), new_campaign(store)
    store.save(Answer(campaign, "p1", "patient", "i", "often", "", "Merci"))
    store.save(Answer(fresh, "p1", "patient", "i", "often", "", "Merci"))
    closed_on(store, fresh, datetime(2026, 1, 15, 23, 59, tzinfo=UTC))
    assert invitations.expire(date(2028, 1, 15)) == []
    assert invitations.expire(date(2028, 1, 16)) == [fresh]
    assert store.history(campaign)[0].comment == "Merci"
    assert acts(store, draft) == ["created"]


def test_a_withdrawal_after_the_closing_does_not_stand_for_forgetting(
    store: Store, campaign: str, invitations: Invitations
) -> None:
    """One person's withdrawal from a closed campaign leaves the others' texts to be forgotten in their time."""
    [own] = invitations.personal(campaign, "patient", 1)
    store.save(Answer(campaign, "p1", "patient", "i", "often", "", "Merci"))
    receipt = invitations.submit(own.token)
    closed_on(store, campaign, datetime(2020, 1, 1, tzinfo=UTC))
    invitations.erase(receipt)
    assert invitations.expire(date(2030, 1, 1)) == [campaign]
    assert store.history(campaign)[0].comment == ""


def test_what_was_forgotten_is_in_no_file(tmp_path: Path) -> None:
    """After the retention period the raw files of the store hold none of the comments and reasons."""
    with Store.open(f"sqlite:///{tmp_path}/pomey.db") as store:
        invitations, campaign = Invitations(store), new_campaign(store)
        store.save_many(
            [
                Answer(
                    campaign,
                    f"p{n % 9}",
                    "patient",
                    f"q{n}",
                    "na",
                    f"~reason{n}~",
                    f"~comment{n}~" + "x" * 37 * (n % 50),
                )
                for n in range(500)
            ]
        )
        assert b"~comment499~" in files_of(tmp_path)
        closed_on(store, campaign, datetime(2020, 1, 1, tzinfo=UTC))
        assert invitations.expire(date(2030, 1, 1)) == [campaign]
        assert re.findall(rb"~(?:reason|comment)\d+~", files_of(tmp_path)) == []
        assert store.answers().num_rows == 500


# Bad input


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"role": "patiant"}, "not-among"),
        ({"role": ""}, "not-among"),
        ({"campaign": "none"}, "store-unknown-campaign"),
        ({"label": "x" * 121}, "invitation-label"),
        ({"label": "a\0b"}, "store-bad-character"),
        ({"label": "a\ud800b"}, "store-bad-character"),
        ({"expires": date(2020, 1, 1)}, "invitation-past"),
        ({"count": 0}, "invitation-count"),
        ({"count": -1}, "invitation-count"),
        ({"count": 501}, "invitation-count"),
        ({"expected": 0}, "invitation-expected"),
        ({"expected": 100_001}, "invitation-expected"),
    ],
)
def test_an_impossible_invitation_is_refused(
    store: Store, campaign: str, invitations: Invitations, change: dict[str, Any], code: str
) -> None:
    """What no invitation can be is refused with what to do, and nothing of it is kept."""
    given = {"campaign": campaign, "role": "patient", "label": "", **change}
    if "expected" not in change:
        refusal(code, lambda: invitations.personal(**{"count": 1, **given}))
    if "count" not in change:
        refusal(code, lambda: invitations.shared(**given))
    assert invitations.every(campaign) == invitations.respondents(campaign) == []
    assert acts(store, campaign) == ["created", "opened"]


def test_a_near_miss_of_a_role_is_named(campaign: str, invitations: Invitations) -> None:
    """The refusal of a misspelled role names the likely one and all there are."""
    text = refusal("not-among", lambda: invitations.shared(campaign, "patiant"))
    assert "'patient'" in text
    assert all(role.id in text for role in load_matrix().roles)


def test_the_limits_themselves_are_accepted(campaign: str, invitations: Invitations) -> None:
    """Five hundred links at once, a label of 120 characters in any script, and every role are accepted."""
    assert len(invitations.personal(campaign, "patient", 500, label="é" * 120)) == 500
    for role in load_matrix().roles:
        invitations.shared(campaign, role.id, label="Unité\u00a0: 👩‍⚕️", expected=100_000)
    assert {one.role for one in invitations.standing(campaign)} == {role.id for role in load_matrix().roles}


def test_what_is_unknown_is_refused_or_empty(campaign: str, invitations: Invitations) -> None:
    """An unknown invitation, respondent, language or receipt is refused; an unknown campaign has nothing to list."""
    shared = invitations.shared(campaign, "patient")
    [own] = invitations.personal(campaign, "patient", 1)
    refusal("invitation-unknown", lambda: invitations.renew("i-none"))
    refusal("invitation-unknown", lambda: invitations.revoke(""))
    refusal("invitation-respondent", lambda: invitations.start(campaign, "p-none", "fr"))
    refusal("invitation-link", lambda: invitations.submit("none"))
    refusal("not-among", lambda: invitations.start(campaign, own.code, "xx"))
    refusal("not-among", lambda: invitations.begin(shared.token, ""))
    refusal("invitation-receipt", lambda: invitations.erase(""))
    assert invitations.every("none") == invitations.respondents("none") == invitations.standing("none") == []
    assert invitations.answered("none") == {}


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    """After the store is closed every call is refused as such."""
    store = Store.open(f"sqlite:///{tmp_path}/pomey.db")
    invitations = Invitations(store)
    store.close()
    refusal("store-closed", lambda: invitations.open_personal("x"))
    refusal("store-closed", lambda: invitations.erase("x"))


def test_every_refusal_of_invitations_is_in_the_catalogue() -> None:
    """The codes the program uses are those of the catalogue, in three languages."""
    catalogue = yaml.safe_load((ROOT / "data" / "refusals.yaml").read_text(encoding="utf-8"))
    used = set(re.findall(r'"(invitation-[a-z-]+)"', (ROOT / "data" / "invitations.py").read_text("utf-8")))
    mine = {code: text for code, text in catalogue.items() if code.startswith("invitation-")}
    assert mine.keys() == used
    assert all(text.keys() == {"fr", "nl", "en"} for text in mine.values())
