"""The Answer page under load and in a browser: its own server beside the framework's defaults and beside no saving."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, closing, contextmanager, suppress
from pathlib import Path
from statistics import median, quantiles

from playwright.sync_api import Browser, Page
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect

from dashboard import server as dashboard_server
from data import Answer, Store
from questionnaires import load_library

ROOT = Path(__file__).parent.parent
sys.path.append(str(ROOT / "tests"))
from browser import browser, ready  # noqa: E402  # the tests know where to find a browser

SESSIONS = 10
ROLE = "quality"
PASSES = 5
SECONDS = 5.0
"""How long each side is driven in a pass."""
CLICKS = 60
"""Clicks of a pass in the browser, each side."""
PAUSE = 150
"""Milliseconds between two clicks in the browser."""
HEALTH = {"tuned": "/health", "quiet": "/health", "default": "/_stcore/health"}
CLICK = """([question, option]) => new Promise((resolve, reject) => {
  const began = performance.now();
  new MutationObserver((_, observer) => { observer.disconnect(); resolve(performance.now() - began); })
    .observe(document.querySelector(".fr-live"), { attributes: true, attributeFilter: ["data-last"] });
  document.querySelectorAll("[role=radiogroup]")[question].querySelectorAll("label")[option].click();
  setTimeout(() => reject(new Error("not saved")), 20000);
})"""
"""Clicks an option and returns the milliseconds until the page's live region says that it is saved."""


class Server:
    """One server in a child process, on a store of its own with one campaign.

    ``kind`` is ``tuned`` (as `pomey` serves), ``default`` (the same script under the framework's default settings)
    or ``quiet`` (tuned, saving nothing).
    """

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind = kind
        self.folder = folder / kind
        self.folder.mkdir()
        self.file = self.folder / "pomey.db"
        with Store.open(f"sqlite:///{self.file}") as store:
            house = store.add_institution("Hospital A", country="be")
            questionnaire = load_library()["hospital"]
            self.campaign = store.add_campaign(
                house.id, questionnaire, title="2026", year=2026, form="express"
            ).id
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            self.port = int(one.getsockname()[1])
        self.url = f"http://localhost:{self.port}"
        # Away from the project the framework finds no settings of ours; it needs no terminal and a port, no more.
        shutil.copy(ROOT / "app.py", self.folder)
        port = str(self.port)
        self.command = {
            "tuned": [sys.executable, "-m", "dashboard.server", "--port", port],
            "quiet": [sys.executable, __file__, "--quiet", port],
            "default": [
                *(sys.executable, "-m", "streamlit", "run", "app.py"),
                *("--server.headless", "true", "--server.port", port, "--server.address", "localhost"),
            ],
        }[kind]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it is healthy."""
        environment = os.environ | {
            "POMEY_STORE": f"sqlite:///{self.file}",
            "PYTHONPATH": str(ROOT),
            "HOME": str(self.folder),
        }
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603  # our own program
                self.command, cwd=self.folder, env=environment, stdout=log, stderr=log
            )
        while self.process.poll() is None:
            with suppress(urllib.error.URLError, ConnectionError):
                urllib.request.urlopen(self.url + HEALTH[self.kind]).close()  # noqa: S310  # our own server
                return
            time.sleep(0.01)
        raise AssertionError((self.folder / "log").read_text(encoding="utf-8"))

    def stop(self) -> None:
        """End it."""
        if self.process:
            self.process.terminate()
            self.process.wait(15)
            self.process = None

    def memory(self) -> float:
        """Resident memory in MiB."""
        assert self.process
        told = subprocess.run(  # noqa: S603
            ["ps", "-o", "rss=", "-p", str(self.process.pid)],  # noqa: S607
            check=True,
            capture_output=True,
        )
        return int(told.stdout) / 1024

    def worked(self) -> float:
        """Processor seconds spent since it started, as Linux counts them."""
        assert self.process
        told = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")

    def saved(self) -> int:
        """Answers in the store's file, every one ever saved."""
        with closing(sqlite3.connect(self.file)) as connection:
            return int(connection.execute("SELECT count(*) FROM answer").fetchone()[0])


class Visitor:
    """One visitor of the Answer page, speaking the framework's own protocol instead of a browser."""

    def __init__(self, server: Server, number: int) -> None:
        self.server = server
        self.query = f"lang=fr&campaign={server.campaign}&role={ROLE}&respondent=p-{number}"
        self.address = f"ws://localhost:{server.port}/_stcore/stream"
        self.state = BackMsg().rerun_script
        self.state.query_string = self.query
        self.state.page_name = "answer"
        self.state.context_info.locale = "fr-BE"
        self.radios: dict[str, tuple[list[str], str]] = {}
        """Options and fragment of each radio by its id, in the order of the page."""
        self.values: dict[str, str] = {}
        self.kept: set[str] = set()
        self.clicks = 0
        self.announced = ""

    async def open(self, sockets: AsyncExitStack) -> None:
        """Connect and see the page."""
        to = connect(self.address, subprotocols=["streamlit"], max_size=None, compression=None)  # type: ignore[list-item]
        self.socket: ClientConnection = await sockets.enter_async_context(to)
        await self._run()
        assert self.radios, (self.server.folder / "log").read_text(encoding="utf-8")

    async def click(self) -> float:
        """Choose the next option of the next question; returns the seconds until the page says it is saved."""
        names = list(self.radios)
        name = names[self.clicks % len(names)]
        options, fragment = self.radios[name]
        # The last two are "don't know" and "not applicable", which asks for a reason first.
        self.values[name] = options[(self.clicks // len(names) + self.clicks) % (len(options) - 2)]
        self.clicks += 1
        before = self.announced
        began = time.perf_counter()
        await self._run(fragment)
        took = time.perf_counter() - began
        assert self.announced != before, "the page did not say that the answer is saved"
        return took

    async def _run(self, fragment: str = "") -> None:
        del self.state.widget_states.widgets[:]
        for name, value in self.values.items():
            self.state.widget_states.widgets.add(id=name, string_value=value)
        self.state.fragment_id = fragment
        self.state.cached_message_hashes[:] = self.kept
        message = BackMsg(rerun_script=self.state)
        await self.socket.send(message.SerializeToString())
        again = True
        while again:
            again = await self._drawn()

    async def _drawn(self) -> bool:
        """Read what the server draws until it has finished; returns whether it starts over at once."""
        async for data in self.socket:
            message = ForwardMsg.FromString(data)  # type: ignore[arg-type]
            kind = message.WhichOneof("type")
            if message.metadata.cacheable:
                self.kept.add(message.hash)
            if kind == "navigation":
                self.state.page_script_hash, self.state.page_name = message.navigation.page_script_hash, ""
            elif kind == "delta":
                self._see(message)
            elif kind == "script_finished":
                return message.script_finished == ForwardMsg.FINISHED_EARLY_FOR_RERUN
        raise AssertionError((self.server.folder / "log").read_text(encoding="utf-8"))

    def _see(self, message: ForwardMsg) -> None:
        element = message.delta.new_element
        kind = element.WhichOneof("type")
        if kind == "radio" and element.radio.id.endswith("|fr"):
            self.radios[element.radio.id] = (list(element.radio.options), message.delta.fragment_id)
        elif kind == "text_input":
            self.values.setdefault(element.text_input.id, element.text_input.default)
        elif kind == "html" and "data-announce=" in element.html.body:
            self.announced = element.html.body.partition("data-announce=")[2].partition(">")[0]


async def _drive(visitors: list[Visitor], seconds: float) -> tuple[float, list[float]]:
    """Everyone clicks without a pause for so long; returns saves per second and the seconds of each."""
    took: list[float] = []
    began = time.perf_counter()

    async def one(visitor: Visitor) -> None:
        while time.perf_counter() - began < seconds:
            took.append(await visitor.click())

    await asyncio.gather(*(one(visitor) for visitor in visitors))
    return len(took) / (time.perf_counter() - began), took


async def _saving(
    servers: list[Server], passes: int, seconds: float
) -> dict[str, list[tuple[float, list[float]]]]:
    """Saves per second and seconds of each save, by server and pass, the servers taking turns."""
    rates: dict[str, list[tuple[float, list[float]]]] = {server.kind: [] for server in servers}
    async with AsyncExitStack() as sockets:
        everyone = {
            server.kind: [Visitor(server, number) for number in range(SESSIONS)] for server in servers
        }
        for visitors in everyone.values():
            for visitor in visitors:
                await visitor.open(sockets)
            await _drive(visitors, 1)
        for turn in range(passes):
            for server in servers[:: -1 if turn % 2 else 1]:
                rates[server.kind].append(await _drive(everyone[server.kind], seconds))
    for server in servers:
        clicks = sum(visitor.clicks for visitor in everyone[server.kind])
        assert server.saved() == clicks, (server.kind, server.saved(), clicks)
    return rates


def _clicking(page: Page, clicks: int, turn: int) -> Iterator[float]:
    """Milliseconds from a click to the live region that says it is saved, one click after the other."""
    questions = page.get_by_role("radiogroup").count()
    for number in range(turn * clicks, (turn + 1) * clicks):
        question = number % questions
        options = page.get_by_role("radiogroup").nth(question).get_by_role("radio").count() - 2
        yield page.evaluate(CLICK, [question, (number + number // questions) % options])
        page.wait_for_timeout(PAUSE)


def _in_browser(
    chromium: Browser, servers: Sequence[Server], passes: int, clicks: int
) -> dict[str, list[float]]:
    """The 95th percentile of click to saved in milliseconds, by server and pass, the servers taking turns click by click."""
    pages = {}
    for server in servers:
        page = pages[server.kind] = chromium.new_context(locale="fr-BE").new_page()
        page.goto(f"{server.url}/answer?lang=fr&campaign={server.campaign}&role={ROLE}&respondent=p-browser")
        page.wait_for_selector(".fr-progress")
        ready(page)
    slow: dict[str, list[float]] = {kind: [] for kind in pages}
    for turn in range(-1, passes):  # the first warms up
        took = list(
            zip(*(_clicking(page, clicks if turn >= 0 else 10, turn) for page in pages.values()), strict=True)
        )
        if turn >= 0:
            for kind, times in zip(pages, zip(*took, strict=True), strict=True):
                slow[kind].append(quantiles(times, n=20)[-1])
    for page in pages.values():
        page.context.close()
    return slow


def _first_page(chromium: Browser, server: Server) -> float:
    """Seconds from starting the server to its first page, drawn in a browser that is open already."""
    page = chromium.new_context(locale="fr-BE").new_page()
    began = time.perf_counter()
    server.start()
    page.goto(f"{server.url}/?lang=fr")
    page.wait_for_selector(".fr-h1")
    took = time.perf_counter() - began
    page.context.close()
    return took


@contextmanager
def _server(kind: str, folder: Path) -> Iterator[Server]:
    """A server of this kind, started by whoever needs it and ended here."""
    server = Server(kind, folder)
    try:
        yield server
    finally:
        server.stop()


def _ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the ratios of each pass."""
    return median(a / b for a, b in zip(ours, theirs, strict=True))


def run(passes: int = PASSES, seconds: float = SECONDS, clicks: int = CLICKS) -> list[tuple[str, str, str]]:
    """Rows of the benchmark table: what, ratio to the other side, absolute median."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        tuned, default, quiet = (
            stack.enter_context(_server(k, Path(folder))) for k in ("tuned", "default", "quiet")
        )
        starts: dict[str, list[float]] = {"tuned": [], "default": []}
        with browser() as chromium:
            for _ in range(passes):
                for server in (tuned, default):
                    starts[server.kind].append(_first_page(chromium, server))
                    server.stop()
        for server in (tuned, default):
            server.start()
        empty = {server.kind: server.memory() for server in (tuned, default)}
        rates = asyncio.run(_saving([tuned, default], passes, seconds))
        full = {server.kind: server.memory() for server in (tuned, default)}
        default.stop()
        quiet.start()
        with browser() as chromium:
            slow = _in_browser(chromium, [tuned, quiet], passes, clicks)
    per_second = {kind: [rate for rate, _ in of] for kind, of in rates.items()}
    waits = {kind: [quantiles(took, n=20)[-1] for _, took in of] for kind, of in rates.items()}
    page = f"Answer page, {SESSIONS} people clicking without a pause"
    return [
        (
            f"{page}: saves per second",
            f"{_ratio(per_second['tuned'], per_second['default']):.1f} x the framework's defaults",
            f"{median(per_second['tuned']):.0f} (defaults {median(per_second['default']):.1f})",
        ),
        (
            f"{page}: 95th percentile of click to saved",
            f"{_ratio(waits['tuned'], waits['default']):.2f} x the framework's defaults",
            f"{median(waits['tuned']) * 1000:.0f} ms (defaults {median(waits['default']) * 1000:.0f} ms)",
        ),
        (
            "Answer page in Chromium: 95th percentile of click to saved",
            f"{_ratio(slow['tuned'], slow['quiet']):.2f} x the same page saving nothing",
            f"{median(slow['tuned']):.0f} ms (saving nothing {median(slow['quiet']):.0f} ms)",
        ),
        (
            "first page in Chromium after starting the server",
            f"{_ratio(starts['tuned'], starts['default']):.2f} x the framework's defaults",
            f"{median(starts['tuned']):.1f} s (fastest {min(starts['tuned']):.1f} s)",
        ),
        (
            f"server memory, with {SESSIONS} people",
            f"{full['tuned'] / full['default']:.2f} x the framework's defaults",
            f"{full['tuned']:.0f} MiB ({empty['tuned']:.0f} after start)",
        ),
    ]


def serve_quietly(port: int) -> None:
    """The dashboard, its store remembering answers instead of saving them."""
    kept: dict[tuple[str, str, str], dict[str, Answer]] = {}

    def save(_: Store, answer: Answer) -> Answer:
        kept_of = kept.setdefault((answer.campaign, answer.respondent, answer.role), {})
        kept_of[answer.item] = dataclasses.replace(answer, at=answer.at or dt.datetime.now(dt.UTC))
        return kept_of[answer.item]

    def respondent(_: Store, campaign: str, respondent: str, role: str) -> dict[str, Answer]:
        return dict(kept.get((campaign, respondent, role), {}))

    Store.save = save  # type: ignore[method-assign]
    Store.respondent = respondent  # type: ignore[method-assign]
    dashboard_server.serve(port=port)


if __name__ == "__main__":
    if "--quiet" in sys.argv:
        serve_quietly(int(sys.argv[-1]))
    else:
        for row in run():
            print(" | ".join(row))
