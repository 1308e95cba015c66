"""Programs that share a store, or are killed in the middle of it, lose nothing that was acknowledged."""

from __future__ import annotations

import multiprocessing
import os
import random
import sqlite3
import sys
import threading
import time
from itertools import islice
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from data.store import Answer, Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection
    from multiprocessing.synchronize import Barrier

KILLS = int(os.environ.get("POMEY_KILLS", "8"))
THREADS = 4

# A server process that has loaded everything forks each child at once; Windows has none, and starts afresh.
processes = multiprocessing.get_context("spawn" if sys.platform == "win32" else "forkserver")
if sys.platform != "win32":
    processes.set_forkserver_preload(["data.store", "alembic.command", "alembic.script"])


def answer_until_killed(url: str, campaign: str, run: int, acknowledged: Connection) -> None:
    """Save in several threads, and send each answer's key on as soon as the store has acknowledged it."""
    store = Store.open(url)
    sending = threading.Lock()

    def answer(who: str) -> None:
        for n in range(1_000_000):
            saved = store.save(
                Answer(campaign, who, "patient", f"i{n}", f"o{n % 7}", comment=f"{who} {n} é🙂")
            )
            with sending:
                acknowledged.send((saved.respondent, saved.item, saved.answer, saved.comment))

    for thread in range(THREADS):
        threading.Thread(target=answer, args=(f"run{run}-{thread}",)).start()


def open_until_killed(url: str, ready: Connection) -> None:
    """Make a store."""
    ready.send("ready")
    Store.open(url).add_institution("A")
    ready.send("made")


def open_together(urls: list[str], start: Barrier, done: Connection) -> None:
    """Make each store at the moment that all the others make it too."""
    for url in urls:
        start.wait(60)
        with Store.open(url) as store:
            store.add_institution("A")
    done.send("done")


def received(connection: Connection) -> list[Any]:
    """Everything that was sent whole before the sender died."""
    got = []
    try:
        while True:
            got.append(connection.recv())
    except (EOFError, OSError):  # cut off between two messages, or inside one
        return got


def sound(url: str) -> bool:
    """Whether SQLite finds the file in order; a server sees to its own."""
    if not url.startswith("sqlite"):
        return True
    database = sqlite3.connect(url.removeprefix("sqlite:///"))
    try:
        return database.execute("pragma integrity_check").fetchall() == [("ok",)]
    finally:
        database.close()


def kill_while_answering(url: str, kills: int) -> int:
    """Kill a process that saves, again and again on the same store; returns how many answers were acknowledged."""
    questionnaire: Any = SimpleNamespace(id="hospital", version=1, fingerprint="ab" * 32)
    with Store.open(url) as store:
        institution = store.add_institution("Hôpital").id
        campaigns = [
            store.add_campaign(institution, questionnaire, title="T", year=2026, id=f"run-{run}").id
            for run in range(kills)
        ]
    everything: set[tuple[str, ...]] = set()
    for run, campaign in enumerate(campaigns):
        receiver, sender = processes.Pipe(duplex=False)
        child = processes.Process(target=answer_until_killed, args=(url, campaign, run, sender))
        child.start()
        sender.close()
        assert receiver.poll(30), "the child never saved anything"
        time.sleep(random.uniform(0, 0.15))  # noqa: S311  # when the axe falls is no secret
        child.kill()
        acknowledged = set(received(receiver))
        child.join()
        assert acknowledged
        with Store.open(url) as store:
            kept = {(a.respondent, a.item, a.answer, a.comment) for a in store.history(campaign)}
        assert acknowledged <= kept, f"run {run} lost {len(acknowledged - kept)}"
        # What was kept without being acknowledged was on its way: one answer a thread, and what the pipe cut off.
        assert len(kept - acknowledged) <= 2 * THREADS
        assert sound(url)
        everything |= acknowledged
    with Store.open(url) as store:
        kept = {(r["respondent"], r["item"], r["answer"], r["comment"]) for r in store.answers().to_pylist()}
    assert everything <= kept
    return len(everything)


def test_killing_the_program_loses_no_acknowledged_answer(store_url: str) -> None:
    """Killed at any moment while four people answer, the store opens again with every acknowledged answer."""
    assert kill_while_answering(store_url, KILLS) >= KILLS


@pytest.mark.soak
def test_a_hundred_kills_lose_no_acknowledged_answer(store_url: str) -> None:
    """A hundred kills on one store lose nothing."""
    acknowledged = kill_while_answering(store_url, 100)
    print(f"100 kills, {acknowledged} acknowledged answers, none lost")  # noqa: T201  # the figure is the point


def test_killing_the_program_while_it_makes_a_store_harms_nothing(empty_places: Iterator[str]) -> None:
    """Killed while the tables are being made, the store is made when it is opened again."""
    for url in islice(empty_places, KILLS):
        receiver, sender = processes.Pipe(duplex=False)
        child = processes.Process(target=open_until_killed, args=(url, sender))
        child.start()
        sender.close()
        assert receiver.poll(30)
        time.sleep(random.uniform(0, 0.05))  # noqa: S311  # when the axe falls is no secret
        child.kill()
        made = "made" in received(receiver)
        child.join()
        with Store.open(url) as store:
            assert len(store.institutions()) in ({1} if made else {0, 1})
        assert sound(url)


def test_programs_that_open_at_once_do_not_collide(empty_places: Iterator[str]) -> None:
    """Four programs that make the same store at the same moment all succeed, and all of their rows are there."""
    urls = list(islice(empty_places, 10))
    start = processes.Barrier(4)
    children = []
    for _ in range(4):
        receiver, sender = processes.Pipe(duplex=False)
        child = processes.Process(target=open_together, args=(urls, start, sender))
        child.start()
        sender.close()
        children.append((child, receiver))
    for child, receiver in children:
        assert received(receiver) == ["done"]
        child.join()
    for url in urls:
        with Store.open(url) as store:
            assert len(store.institutions()) == 4
