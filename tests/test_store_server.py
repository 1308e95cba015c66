"""Several programs on one store, a server that goes away, and what it says: nothing acknowledged is lost."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import postgres
import psycopg
import pytest
import sqlalchemy as sa

from data import Answer, Campaign, Invitations, Store, StoreError, Target, layout
from data import store as module

QUESTIONNAIRE: Any = SimpleNamespace(id="hospital", version=2, fingerprint="ab" * 32)


def new_campaign(store: Store, id_: str = "here") -> str:
    """An open campaign in an institution of its own."""
    house = store.add_institution("Hôpital d'essai")
    return store.add_campaign(house.id, QUESTIONNAIRE, title="Essai", year=2026, id=id_).id


def refusal(code: str, call: Callable[[], object]) -> StoreError:
    """The error of a call that must be refused with this code, readable in every language."""
    with pytest.raises(StoreError) as caught:
        call()
    assert [problem.code for problem in caught.value.problems] == [code]
    assert all("{" not in caught.value.text(lang) for lang in ("fr", "nl", "en"))
    return caught.value


def refused(store: Store, answer: Answer, *codes: str) -> bool:
    """Save it, and tell whether that was refused with one of these codes; another one is raised."""
    try:
        store.save(answer)
    except StoreError as error:
        if error.problems[0].code not in codes:
            raise
        return True
    return False


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is waited for longer than a moment."""
    monkeypatch.setattr(module, "BUSY_SECONDS", 0.3)


@pytest.fixture
def stopping(postgres_server: postgres.Server) -> Iterator[postgres.Server]:
    """The server, for a test that stops it; it runs again at the end."""
    yield postgres_server
    if not (postgres_server.data / "postmaster.pid").exists():
        postgres_server.start()


# Several programs


def test_closing_and_saving_at_once_agree(store_url: str) -> None:
    """While two programs save, closing draws a line: what was acknowledged is kept, and nothing after it is taken."""
    with Store.open(store_url) as one, Store.open(store_url) as other:
        for turn in range(5):
            campaign = new_campaign(one, f"turn-{turn}")
            closed = threading.Event()

            def answer(
                who: int, campaign: str = campaign, closed: threading.Event = closed
            ) -> tuple[set[str], int]:
                store, kept, late = (one, other)[who % 2], set(), 0
                while True:
                    over = closed.is_set()
                    item = f"i{len(kept)}"
                    if refused(
                        store, Answer(campaign, f"p{who}", "patient", item, "often"), "store-not-open"
                    ):
                        return kept, late
                    kept.add(f"p{who} {item}")
                    late += over

            with ThreadPoolExecutor(8) as pool:
                savers = [pool.submit(answer, who) for who in range(8)]
                time.sleep(0.1)
                end = other.close_campaign(campaign)
                closed.set()
                done = [saver.result() for saver in savers]
            kept = one.history(campaign)
            assert {f"{a.respondent} {a.item}" for a in kept} == {key for keys, _ in done for key in keys}
            assert len(kept) > 8
            assert sum(late for _, late in done) == 0
            assert end.closed is not None
            assert max(a.at for a in kept if a.at) <= end.closed
            ids = sa.select(sa.func.max(layout.answer.c.id)).where(layout.answer.c.campaign == campaign)
            last = one.read(lambda connection, ids=ids: connection.execute(ids).scalar())
            assert one.events(campaign=campaign)[0].detail == {"last_answer": last}


def test_opening_and_putting_away_at_once_agree(store_url: str) -> None:
    """Whoever opens a campaign while another program puts its institution away: one of the two is refused, never neither."""
    with Store.open(store_url) as one, Store.open(store_url) as other, ThreadPoolExecutor(2) as pool:
        for turn in range(20):
            house = one.add_institution("H").id
            draft = one.add_campaign(
                house, QUESTIONNAIRE, title="T", year=2026, id=f"turn-{turn}", state="draft"
            ).id
            deeds = [
                pool.submit(one.open_campaign, draft),
                pool.submit(other.edit_institution, house, archived=True),
            ]
            failures = [error for deed in deeds if (error := deed.exception()) is not None]
            assert len(failures) == 1
            assert isinstance(failures[0], StoreError)
            state = one.campaign(draft).state
            away = next(found.archived for found in one.institutions() if found.id == house)
            assert failures[0].problems[0].code == ("store-put-away" if away else "store-archive-open")
            assert (state == "open") is not away


def test_axes_settled_in_several_programs_at_once_are_all_kept(store_url: str) -> None:
    """Each of five axes of a campaign is settled from another program at the same moment; none is lost."""
    axes = ("care", "services", "policy", "teaching", "research")
    with ExitStack() as opened, ThreadPoolExecutor(len(axes)) as pool:
        stores = [opened.enter_context(Store.open(store_url)) for _ in axes]
        campaign = new_campaign(stores[0])
        for level in (1, 2, 3, 4):
            edits = [
                pool.submit(store.edit_campaign, campaign, by_axis={"targets": {axis: Target(level, axis)}})
                for store, axis in zip(stores, axes, strict=True)
            ]
            for edit in edits:
                edit.result()
            assert stores[0].campaign(campaign).targets == {axis: Target(level, axis) for axis in axes}


def test_an_answer_that_comes_while_the_campaign_closes_waits_for_the_end(postgres_url: str) -> None:
    """While another program is closing the campaign, an answer is neither taken nor refused; then it is refused."""
    with (
        Store.open(postgres_url) as store,
        psycopg.connect(postgres_url) as other,
        ThreadPoolExecutor(1) as pool,
    ):
        answer = Answer(new_campaign(store), "p1", "patient", "i", "often")
        other.execute("UPDATE campaign SET state = 'closed'")
        saving = pool.submit(refused, store, answer, "store-not-open")
        time.sleep(0.2)
        assert not saving.done()
        other.commit()
        assert saving.result(10)
        assert store.history(answer.campaign) == []


def test_an_id_is_taken_once_by_two_programs(store_url: str) -> None:
    """When two programs want the same id at once, one has it and the other is told that it is taken."""
    with Store.open(store_url) as one, Store.open(store_url) as other:
        for turn in range(10):
            start = threading.Barrier(2)

            def add(
                store: Store, id_: str = f"house-{turn}", start: threading.Barrier = start
            ) -> list[str] | None:
                start.wait(10)
                try:
                    store.add_institution("A", id=id_)
                except StoreError as error:
                    return [problem.code for problem in error.problems]
                return None

            with ThreadPoolExecutor(2) as pool:
                outcomes = list(pool.map(add, (one, other)))
            assert sorted(outcomes, key=str) == [None, ["store-id-taken"]]


def test_two_programs_that_block_each_other_both_finish(postgres_url: str) -> None:
    """When each waits for what the other holds, the one that the server ends does its work again."""
    with Store.open(postgres_url) as one, Store.open(postgres_url) as other:
        names = [one.add_institution(name, id=name).id for name in ("a", "b")]
        meet, tries = threading.Barrier(2), []

        def crossing(first: str, second: str) -> Callable[[sa.Connection], None]:
            def work(connection: sa.Connection) -> None:
                tries.append(first)
                table = layout.institution
                for place, id_ in enumerate((first, second)):
                    if place and tries.count(first) == 1:
                        meet.wait(10)
                    row = {"beds": (table.c.beds + 1)}
                    connection.execute(table.update().where(table.c.id == id_).values(row))

            return work

        one.write(lambda c: c.execute(layout.institution.update().values(beds=0)))
        with ThreadPoolExecutor(2) as pool:
            waiting = [
                pool.submit(one.write, crossing(*names)),
                pool.submit(other.write, crossing(*reversed(names))),
            ]
            for done in waiting:
                done.result(20)
        assert len(tries) == 3
        assert [house.beds for house in one.institutions()] == [2, 2]


def test_a_reader_sees_one_moment(store_url: str) -> None:
    """Two questions of one reading get the answers of the same moment, whatever is saved between them."""
    with Store.open(store_url) as store:
        count = sa.select(sa.func.count()).select_from(layout.institution)

        def work(connection: sa.Connection) -> tuple[object, object]:
            before = connection.execute(count).scalar()
            store.add_institution("A")
            return before, connection.execute(count).scalar()

        assert store.read(work) == (0, 0)
        assert len(store.institutions()) == 1


@pytest.mark.usefixtures("impatient")
def test_a_row_that_another_program_holds_is_not_waited_for_for_ever(postgres_url: str) -> None:
    """While another program holds the campaign, saving raises; afterwards it works again."""
    with Store.open(postgres_url) as store, psycopg.connect(postgres_url) as other:
        campaign = new_campaign(store)
        answer = Answer(campaign, "p1", "patient", "i", "often")
        other.execute("SELECT id FROM campaign FOR UPDATE")
        refusal("store-locked", lambda: store.save(answer))
        assert store.history(campaign) == []
        other.rollback()
        store.save(answer)
        assert len(store.history(campaign)) == 1


# A server that goes away


def test_a_server_that_came_back_is_found_again(postgres_url: str, stopping: postgres.Server) -> None:
    """After the server was restarted, saving and reading go on as if nothing had happened."""
    with Store.open(postgres_url) as store:
        campaign = new_campaign(store)
        for turn, how in enumerate(("fast", "immediate")):
            store.save(Answer(campaign, "p1", "patient", f"i{turn}", "often"))
            stopping.stop(how)
            stopping.start()
            store.save(Answer(campaign, "p1", "patient", f"j{turn}", "often"))
        assert [a.item for a in store.history(campaign)] == ["i0", "j0", "i1", "j1"]


@pytest.mark.usefixtures("impatient")
def test_while_the_server_is_away_everybody_is_told(postgres_url: str, stopping: postgres.Server) -> None:
    """Without the server, saving, reading and opening raise; each acknowledged answer is there when it is back."""
    with Store.open(postgres_url) as store:
        campaign = new_campaign(store)
        gone = threading.Event()

        def answer(who: int) -> int:
            for n in range(100_000):
                # Whoever was just being committed when the server went is told that nobody knows.
                answer = Answer(campaign, f"p{who}", "patient", f"i{n}", "often")
                if refused(store, answer, "store-lost", "store-unsure"):
                    assert gone.is_set()
                    return n
            raise AssertionError

        with ThreadPoolExecutor(6) as pool:
            savers = [pool.submit(answer, who) for who in range(6)]
            time.sleep(0.3)
            gone.set()
            stopping.stop("fast")
            kept = [saver.result(30) for saver in savers]
        assert sum(kept)
        refusal("store-lost", store.institutions)
        assert "No such file" in str(refusal("store-connect", lambda: Store.open(postgres_url)))
        stopping.start()
        for who, acknowledged in enumerate(kept):
            there = len(store.history(campaign, f"p{who}"))
            assert there in {acknowledged, acknowledged + 1}
        store.save(Answer(campaign, "p", "patient", "i", "often"))


def cut(server: postgres.Server, connection: sa.Connection) -> None:
    """End this connection as an administrator or a broken line would."""
    pid = connection.connection.driver_connection.info.backend_pid  # type: ignore[union-attr]
    server.execute(f"SELECT pg_terminate_backend({pid}, 5000)")


def test_work_that_was_cut_off_is_done_again_once(
    postgres_server: postgres.Server, postgres_url: str
) -> None:
    """A connection that ends in the middle of a transaction leaves nothing of it, and it is done again."""
    tries: list[int] = []

    def work(connection: sa.Connection) -> None:
        row = {"id": f"try-{len(tries)}", "name": "n", "country": "", "type": "", "synthetic": False}
        connection.execute(layout.institution.insert(), row | {"created": datetime.now(UTC)})
        tries.append(1)
        if len(tries) == 1:
            cut(postgres_server, connection)
        connection.execute(sa.select(layout.institution.c.id))

    with Store.open(postgres_url) as store:
        store.write(work)
        assert [house.id for house in store.institutions()] == ["try-1"]


def test_a_group_that_was_cut_off_is_done_again_apart(
    postgres_server: postgres.Server, postgres_url: str
) -> None:
    """When the line ends under a group of saves, each is done again by itself: all are kept once, one fails alone."""
    cuts: list[int] = []

    def wrong(_: sa.Connection) -> str:
        raise ZeroDivisionError

    def cutting(connection: sa.Connection) -> str:
        adding("cut")(connection)
        cuts.append(1)
        if len(cuts) == 2:  # the first try is together with the one that fails
            cut(postgres_server, connection)
        connection.execute(sa.select(layout.institution.c.id))
        return "cut"

    def adding(id_: str) -> Callable[[sa.Connection], str]:
        def work(connection: sa.Connection) -> str:
            row = {"id": id_, "name": "n", "country": "", "type": "", "synthetic": False}
            connection.execute(layout.institution.insert(), row | {"created": datetime.now(UTC)})
            return id_

        return work

    with Store.open(postgres_url) as store:
        jobs = [module._Job(work) for work in (adding("a"), cutting, wrong, adding("z"))]
        outcomes = store._commit(jobs)
        assert [outcomes[0], outcomes[1], outcomes[3]] == ["a", "cut", "z"]
        assert isinstance(outcomes[2], ZeroDivisionError)
        assert len(cuts) == 3
        assert [house.id for house in store.institutions()] == ["a", "cut", "z"]


def test_a_commit_that_did_not_arrive_is_refused(postgres_server: postgres.Server, postgres_url: str) -> None:
    """Cut off just before the commit, the store learns from the server that nothing was kept, and says so."""
    with Store.open(postgres_url) as store:
        sa.event.listen(store._writer, "commit", lambda c: cut(postgres_server, c), once=True)
        refusal("store-lost", lambda: store.add_institution("A"))
        assert store.institutions() == []
        store.add_institution("B")
        assert [house.name for house in store.institutions()] == ["B"]


def committing_and_gone(store: Store, monkeypatch: pytest.MonkeyPatch, gone: Callable[[Any], None]) -> None:
    """Let the next commit succeed and its acknowledgement be lost."""
    dialect = store._writer.dialect
    commit = dialect.do_commit

    def do_commit(connection: Any) -> None:
        monkeypatch.setattr(dialect, "do_commit", commit)
        commit(connection)
        gone(connection)
        connection.execute("SELECT 1")  # finds the line dead

    monkeypatch.setattr(dialect, "do_commit", do_commit)


def test_a_commit_whose_word_was_lost_is_acknowledged_once(
    postgres_server: postgres.Server, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut off just after the commit, the store learns from the server that all was kept, and does not repeat it."""
    with Store.open(postgres_url) as store:

        def gone(connection: Any) -> None:
            pid = connection.driver_connection.info.backend_pid
            postgres_server.execute(f"SELECT pg_terminate_backend({pid}, 5000)")

        committing_and_gone(store, monkeypatch, gone)
        made = store.add_institution("A")
        assert [house.id for house in store.institutions()] == [made.id]


@pytest.mark.usefixtures("impatient")
def test_a_server_that_never_says_is_not_guessed_about(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, stopping: postgres.Server
) -> None:
    """When the server is lost while it commits and stays away, the error says that nobody knows."""
    with Store.open(postgres_url) as store:
        committing_and_gone(store, monkeypatch, lambda _: stopping.stop())
        refusal("store-unsure", lambda: store.add_institution("A"))
        stopping.start()
        assert [house.name for house in store.institutions()] == ["A"]


# What a server says


@pytest.mark.parametrize(
    ("user", "database", "words"),
    [
        ("postgres", "nowhere", "nowhere"),
        ("guarded", "postgres", "password"),
        ("guarded:wrong", "postgres", "guarded"),
        ("stranger", "postgres", "stranger"),
        ("nobody", "postgres", "nobody"),
    ],
)
def test_a_server_that_lets_nobody_in_is_told(
    postgres_server: postgres.Server, user: str, database: str, words: str
) -> None:
    """A missing database, user or password is named, without the password that was given."""
    error = refusal("store-connect", lambda: Store.open(postgres_server.url(database, user)))
    assert words in str(error)
    assert "wrong" not in str(error)


def test_no_server_is_told() -> None:
    """An address where no server listens is refused at once."""
    for address in ("postgresql://127.0.0.1:1/pomey", "postgres://127.0.0.1:1/pomey"):
        assert "127.0.0.1" in str(refusal("store-connect", lambda address=address: Store.open(address)))


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("53100", "store-full"),
        ("25006", "store-read-only"),
        ("42501", "store-rights"),
        ("40001", "store-locked"),
        ("55P03", "store-locked"),
        ("XX001", "store-damaged"),
        ("23514", "store-failed"),
    ],
)
def test_what_the_server_refuses_is_translated(
    postgres_server: postgres.Server, postgres_url: str, state: str, code: str
) -> None:
    """A full disk and its like have sentences of their own, and the row that failed is in none of them."""
    database = postgres_url.partition("@/")[2].partition("?")[0]
    postgres_server.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no more' "
        f"USING ERRCODE = '{state}', DETAIL = NEW.name; END $$",
        database,
    )
    postgres_server.execute(
        "CREATE TRIGGER refuse BEFORE INSERT ON institution FOR EACH ROW EXECUTE FUNCTION refuse()", database
    )
    with Store.open(postgres_url) as store:
        error = refusal(code, lambda: store.add_institution("A private name"))
        assert "private" not in str(error)
        assert store.institutions() == []
        assert store.events() == []


def test_a_store_that_may_only_be_read_is_read(postgres_server: postgres.Server, postgres_url: str) -> None:
    """On a database that is set to read only, reading works and saving is refused."""
    with Store.open(postgres_url) as store:
        store.add_institution("A")
    database = postgres_url.partition("@/")[2].partition("?")[0]
    postgres_server.execute(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
    with Store.open(postgres_url) as store:
        refusal("store-read-only", lambda: store.add_institution("B"))
        assert [house.name for house in store.institutions()] == ["A"]


def test_a_user_without_rights_is_told(postgres_server: postgres.Server) -> None:
    """A user who may not make tables gets no store, and learns who can mend it."""
    postgres_server.execute("CREATE ROLE guest LOGIN")
    try:
        with postgres_server.database() as url:
            guest = url.replace("postgres@", "guest@")
            assert "owner" in str(refusal("store-rights", lambda: Store.open(guest)))
    finally:
        postgres_server.execute("DROP ROLE guest")


def test_a_database_that_cannot_keep_every_letter_is_refused(postgres_server: postgres.Server) -> None:
    """A database in another character set than UTF-8 is refused before anything is made in it."""
    with postgres_server.database("template0", "ENCODING 'LATIN1'") as url:
        assert "LATIN1" in str(refusal("store-encoding", lambda: Store.open(url)))
        with psycopg.connect(url) as connection:
            tables = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
            assert tables.fetchone() == (0,)


def test_a_database_may_hold_other_programs_tables(postgres_server: postgres.Server) -> None:
    """On a server, the store lives beside other tables and leaves them alone."""
    with postgres_server.database() as url:
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE bookmarks AS SELECT 'x' AS url")
        with Store.open(url) as store:
            store.add_institution("A")
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT url FROM bookmarks").fetchall() == [("x",)]


def test_the_server_acknowledges_what_is_on_its_disk(
    postgres_server: postgres.Server, postgres_url: str
) -> None:
    """Where the server is set to acknowledge early, the store's writes wait for the disk all the same."""
    database = postgres_url.partition("@/")[2].partition("?")[0]
    postgres_server.execute(f"ALTER DATABASE {database} SET synchronous_commit = off")
    with Store.open(postgres_url) as store:
        shown = store.write(lambda c: c.execute(sa.text("SHOW synchronous_commit")).scalar())
    assert shown == "on"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE answer SET answer = 'always'",
        "UPDATE answer SET at = 0 WHERE id = 1",
        "DELETE FROM answer",
        "TRUNCATE answer",
        "INSERT INTO answer SELECT * FROM answer ON CONFLICT (id) DO UPDATE SET answer = 'always'",
        "UPDATE event SET author = 'me'",
        "DELETE FROM event",
        "TRUNCATE event",
    ],
)
def test_the_server_itself_refuses_to_change_what_was_said(postgres_url: str, statement: str) -> None:
    """Not even another program can change or remove an answer or a line of history with an ordinary statement."""
    with Store.open(postgres_url) as store:
        campaign = new_campaign(store)
        saved = store.save(Answer(campaign, "p1", "patient", "i", "often"))
        with (
            psycopg.connect(postgres_url) as other,
            pytest.raises(psycopg.errors.RaiseException, match="append-only"),
        ):
            other.execute(statement.encode())
        assert store.history(campaign) == [saved]
        assert len(store.events()) == 3


# A store of before


def test_a_withdrawal_of_before_stands_too(
    empty_places: Iterator[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who withdrew from a store of the second layout cannot be brought back once it is up to date."""
    place = next(empty_places)
    undo = sa.text("UPDATE respondent SET erased = NULL")
    with monkeypatch.context() as patched:
        patched.setattr(module, "REVISION", "0002")
        with Store.open(place) as store:
            links = Invitations(store)
            [gone] = links.personal(new_campaign(store), "patient", 1)
            links.erase(links.submit(gone.token))
    with Store.open(place) as store:
        refusal("store-withdrawn", lambda: store.write(lambda connection: connection.execute(undo)))
        assert [one.erased is not None for one in Invitations(store).respondents("here")] == [True]


def test_a_store_of_the_first_layout_is_brought_up_to_date(
    empty_places: Iterator[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answers and campaigns of the first layout are all there afterwards; its campaigns are open, and can be closed."""
    empty_url = next(empty_places)
    with monkeypatch.context() as patched:
        patched.setattr(module, "REVISION", "0001")
        with Store.open(empty_url) as store:
            created = datetime(2026, 1, 31, 12, tzinfo=UTC)
            moment = layout.Moment().process_bind_param(created, store._writer.dialect)
            texts = ("respondent", "role", "item", "answer", "reason", "comment", "channel", "questionnaire")
            rows = [
                ("institution", {"id": "h", "name": "H", "country": "be", "type": "", "beds": 3,
                                 "synthetic": False, "created": moment}),
                ("campaign", {"id": "c", "institution": "h", "title": "T", "kind": "assessment", "year": 2025,
                              "scope": "", "questionnaire": "hospital", "version": 2, "fingerprint": "f",
                              "form": "full", "languages": "fr", "out_of_scope": "{}", "synthetic": False,
                              "created": moment}),
                *(("answer", {**dict.fromkeys(texts, f"é{n}"), "campaign": "c", "at": moment + n, "version": 2,
                              "fingerprint": "f", "form": "full"}) for n in range(3)),
            ]  # fmt: skip

            def fill(connection: sa.Connection) -> None:
                for name, row in rows:
                    table = sa.table(name, *map(sa.column, row))
                    connection.execute(table.insert(), row)

            store.write(fill)
    for _ in range(2):
        with Store.open(empty_url) as store:
            (campaign,) = store.campaigns()
            assert isinstance(campaign, Campaign)
            assert (campaign.state, campaign.opened, campaign.closed) == ("open", created, None)
            assert (campaign.targets, campaign.committee, campaign.archived) == ({}, "not_consulted", False)
            assert not store.institutions()[0].archived
            assert [a.answer for a in store.history("c")] == ["é0", "é1", "é2"]
    with Store.open(empty_url) as store:
        store.save(Answer("c", "p", "patient", "i", "often"))
        store.close_campaign("c")
        refusal("store-not-open", lambda: store.save(Answer("c", "p", "patient", "i", "often")))
        assert len(store.history("c")) == 4


@pytest.mark.skipif(
    sys.platform == "win32", reason="there, a file that another program has open is not replaced"
)
def test_a_file_that_may_only_be_read_is_told(tmp_path: Path) -> None:
    """On a file opened for reading only, saving is refused as such."""
    path = tmp_path / "pomey.db"
    with Store.open(f"sqlite:///{path}") as store:
        store.add_institution("A")
    with Store.open(f"sqlite:///file:{path}?mode=ro&uri=true") as store:
        assert [house.name for house in store.institutions()] == ["A"]
        refusal("store-read-only", lambda: store.add_institution("B"))
