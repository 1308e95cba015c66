"""Respondents on the light page: a hundred at once beside one alone, and a save beside one on the Answer page."""

from __future__ import annotations

import asyncio
import json
import random
import tempfile
import time
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from pages import SESSIONS, Server, Visitor, _drive, _ratio, _server, browser
from playwright.sync_api import Browser

from data import Invitations, Store
from questionnaires import load_library

CROWD = 100
THINK = 2.0
"""Seconds between two answers of one person in the crowd, on average."""
PASSES = 3
SECONDS = 8.0
PAINTED = """() => new Promise(done => new PerformanceObserver(list => {
  for (const one of list.getEntriesByName("first-contentful-paint")) done(one.startTime);
}).observe({ type: "paint", buffered: true }))"""
"""The milliseconds at which the page first showed something, as soon as it has."""
ROLE = "patient"


class Respondent:
    """One person answering on the light page over one connection, as a browser's script does."""

    def __init__(self, server: Server, code: str, token: str) -> None:
        self.server, self.code, self.token = server, code, token
        questionnaire = load_library()["hospital"]
        self.asked = [
            (item.id, [option.id for option in questionnaire.options(item.id, "experienced")])
            for item in questionnaire.form("express")
            if item.asked_of("experienced")
        ]
        self.clicks = 0
        self.kept: dict[str, str] = {}
        """What the server said is saved, by item."""

    async def open(self) -> None:
        """Connect, and see the first page."""
        await self._connect()
        status, _ = await self._ask("GET", f"/r/{self.token}/1")
        assert status == 200, status

    async def click(self) -> float:
        """Choose the next option of the next question; returns the seconds until the server says it is saved."""
        item, options = self.asked[self.clicks % len(self.asked)]
        answer = options[(self.clicks // len(self.asked) + self.clicks) % len(options)]
        self.clicks += 1
        sent = json.dumps({"item": item, "answer": answer}).encode()
        began = time.perf_counter()
        status, body = await self._ask("POST", f"/r/{self.token}/answer", sent)
        took = time.perf_counter() - began
        assert status == 200, (status, body)
        self.kept[item] = answer
        return took

    async def _connect(self) -> None:
        self.reader, self.writer = await asyncio.open_connection("localhost", self.server.port)

    async def _ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        if self.reader.at_eof():  # the server hung up while this person was thinking
            await self._connect()
        host = f"localhost:{self.server.port}"
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nSec-Fetch-Site: same-origin\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self.writer.write(head.encode() + body)
        status = int((await self.reader.readline()).split()[1])
        length = 0
        while (line := await self.reader.readline()) != b"\r\n":
            name, _, value = line.decode("latin-1").partition(":")
            if name.lower() == "content-length":
                length = int(value)
        return status, await self.reader.readexactly(length)


async def _answering(people: list[Respondent], think: float, seconds: float) -> list[float]:
    """Everyone answers, thinking in between; returns the seconds of each save."""
    took: list[float] = []
    end = time.perf_counter() + seconds

    async def one(person: Respondent) -> None:
        dice = random.Random(person.code)  # noqa: S311  # pauses, not secrets
        while True:
            await asyncio.sleep(dice.expovariate(1 / think))
            if time.perf_counter() > end:
                return
            took.append(await person.click())

    await asyncio.gather(*(one(person) for person in people))
    return took


def _invite(server: Server, count: int) -> list[Respondent]:
    with Store.open(f"sqlite:///{server.file}") as store:
        invitations = Invitations(store)
        issued = invitations.personal(server.campaign, ROLE, count)
        for one in issued:
            invitations.start(server.campaign, one.code, "fr")
    return [Respondent(server, one.code, one.token) for one in issued]


def _lost(server: Server, people: list[Respondent]) -> int:
    """Acknowledged answers that the store does not hold."""
    with Store.open(f"sqlite:///{server.file}") as store:
        rows = store.answers([server.campaign]).to_pylist()
    standing = {(row["respondent"], row["item"]): row["answer"] for row in rows}
    return sum(standing.get((one.code, item)) != said for one in people for item, said in one.kept.items())


async def _crowd(
    people: list[Respondent], passes: int, seconds: float
) -> tuple[list[float], list[float], list[float]]:
    """By pass: p50 of one alone, p95 of everybody at once, p50 of everybody."""
    for person in people:
        await person.open()
    await _answering(people, THINK, 2)
    alone, slow, usual = [], [], []
    for _ in range(passes):
        alone.append(median(await _answering(people[:1], THINK / 20, seconds / 2)))
        took = await _answering(people, THINK, seconds)
        slow.append(quantiles(took, n=20)[-1])
        usual.append(median(took))
    return alone, slow, usual


async def _cheaper(
    server: Server, people: list[Respondent], passes: int, seconds: float
) -> tuple[list[float], list[float]]:
    """Milliseconds of the server's processor for a save, by pass: on the light page and on the Answer page.

    Both sides answer without a pause, taking turns.
    """
    light, tuned = [], []
    async with AsyncExitStack() as sockets:
        visitors = [Visitor(server, number) for number in range(SESSIONS)]
        for visitor in visitors:
            await visitor.open(sockets)
        for person in people:
            await person.open()
        sides: list[tuple[list[float], list[Any]]] = [(light, people), (tuned, visitors)]
        for _, everyone in sides:
            await _drive(everyone, 1)
        for turn in range(passes):
            for found, everyone in sides[:: -1 if turn % 2 else 1]:
                before = server.worked()
                _, took = await _drive(everyone, seconds)
                found.append((server.worked() - before) / len(took) * 1000)
    return light, tuned


def _first_paint(
    chromium: Browser, server: Server, token: str, passes: int
) -> tuple[list[float], list[float]]:
    """Milliseconds of a first visit, by pass: until the light page paints, and until the Answer page is drawn."""
    light, answer = [], []
    for turn in range(-1, passes):
        page = chromium.new_context(locale="fr-BE").new_page()
        page.goto(f"{server.url}/r/{token}/1")
        painted = page.evaluate(PAINTED)
        page.context.close()
        page = chromium.new_context(locale="fr-BE").new_page()
        began = time.perf_counter()
        page.goto(f"{server.url}/answer?lang=fr&campaign={server.campaign}&role=quality&respondent=p-first")
        page.wait_for_selector(".fr-progress")
        drawn = (time.perf_counter() - began) * 1000
        page.context.close()
        if turn >= 0:  # the first warms up
            light.append(painted)
            answer.append(drawn)
    return light, answer


def run(passes: int = PASSES, seconds: float = SECONDS) -> list[tuple[str, str, str]]:
    """Rows of the benchmark table: what, ratio to the other side, absolute median."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        server = stack.enter_context(_server("tuned", Path(folder)))
        crowd, few = _invite(server, CROWD), _invite(server, SESSIONS)
        server.start()
        alone, slow, usual = asyncio.run(_crowd(crowd, passes, seconds))
        with browser() as chromium:
            painted, drawn = _first_paint(chromium, server, few[0].token, passes)
        light, tuned = asyncio.run(_cheaper(server, few, passes, seconds / 2))
        server.stop()
        lost = _lost(server, crowd + few)
    assert lost == 0, f"{lost} acknowledged answers are not in the store"
    return [
        (
            f"light page, {CROWD} people at once: 95th percentile of a save",
            f"{_ratio(slow, alone):.1f} x the median of one alone",
            f"{median(slow) * 1000:.1f} ms (their median {median(usual) * 1000:.1f}, one alone {median(alone) * 1000:.1f} ms)",
        ),
        (
            f"light page, {SESSIONS} people without a pause: processor time of a save",
            f"{_ratio(light, tuned):.2f} x the Answer page",
            f"{median(light):.1f} ms (Answer page {median(tuned):.1f} ms)",
        ),
        (
            "light page in Chromium, first visit: first paint",
            f"{_ratio(painted, drawn):.2f} x the Answer page drawn",
            f"{median(painted):.0f} ms (Answer page {median(drawn):.0f} ms)",
        ),
    ]


if __name__ == "__main__":
    for row in run():
        print(" | ".join(row))
