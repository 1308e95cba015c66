"""Many respondents at once on a server that is killed under them: what was acknowledged is there."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from pathlib import Path

import pytest
from browser import Server

from data import Invitations, Store
from questionnaires import load_library

HOSPITAL = load_library()["hospital"]
ASKED = [item.id for item in HOSPITAL.form("express") if item.asked_of("experienced")]


class Person:
    """One respondent who answers as fast as the server lets them, and goes on when it is back."""

    def __init__(self, server: Server, token: str, code: str) -> None:
        self.server, self.token, self.code = server, token, code
        self.dice = random.Random(code)  # noqa: S311  # choices, not secrets
        self.sent: dict[str, set[str]] = {}
        """Since the last acknowledged answer of a question: it and those that got no reply."""
        self.acknowledged = 0

    def answer(self, stop: threading.Event) -> None:
        """Answer until told to stop."""
        while not stop.is_set():
            connection = http.client.HTTPConnection("localhost", self.server.port, timeout=20)
            try:
                while not stop.is_set():
                    self._click(connection)
            except (OSError, http.client.HTTPException):
                time.sleep(0.05)  # it is down
            finally:
                connection.close()

    def _click(self, connection: http.client.HTTPConnection) -> None:
        item = self.dice.choice(ASKED)
        option = self.dice.choice(HOSPITAL.options(item, "experienced")).id
        self.sent.setdefault(item, {""}).add(option)
        body = json.dumps({"item": item, "answer": option})
        headers = {"Content-Type": "application/json", "Sec-Fetch-Site": "same-origin"}
        connection.request("POST", f"/r/{self.token}/answer", body, headers)
        reply = connection.getresponse()
        told = json.loads(reply.read())
        assert reply.status == 200, told
        self.sent[item] = {option}
        self.acknowledged += 1


@pytest.mark.parametrize(
    ("people", "kills", "seconds"),
    [(12, 2, 1.5), pytest.param(100, 30, 4.0, marks=pytest.mark.soak)],
)
def test_nothing_acknowledged_is_lost_when_the_server_is_killed(
    tmp_path: Path, people: int, kills: int, seconds: float
) -> None:
    """Everybody answers at once, the server is killed again and again, and each standing answer is the last one sent."""
    server = Server(tmp_path)
    with Store.open(server.store) as store:
        house = store.add_institution("Hôpital A")
        campaign = store.add_campaign(house.id, HOSPITAL, title="2026", year=2026, form="express").id
        invitations = Invitations(store)
        crowd = [
            Person(server, one.token, one.code) for one in invitations.personal(campaign, "patient", people)
        ]
        for person in crowd:
            invitations.start(campaign, person.code, "fr")
    stop = threading.Event()
    threads = [threading.Thread(target=person.answer, args=(stop,)) for person in crowd]
    with server:
        for thread in threads:
            thread.start()
        for _ in range(kills):
            time.sleep(seconds)
            server.kill()
            server.start()
        time.sleep(seconds)
        stop.set()
        for thread in threads:
            thread.join()
    with Store.open(server.store) as store:
        standing = {
            (row["respondent"], row["item"]): row["answer"] for row in store.answers([campaign]).to_pylist()
        }
        history = len(store.history(campaign))
    wrong = [
        (person.code, item)
        for person in crowd
        for item, possible in person.sent.items()
        if standing.get((person.code, item), "") not in possible
    ]
    total = sum(person.acknowledged for person in crowd)
    print(f"{total} acknowledged, {history} in the history, {kills} kills, {len(wrong)} wrong")  # noqa: T201
    assert not wrong
    assert min(person.acknowledged for person in crowd) > kills
