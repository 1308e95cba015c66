"""A real Chromium and a real server for the tests that need them."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Error, Page, Playwright, ViewportSize, sync_playwright

ROOT = Path(__file__).parent.parent
LANGUAGES = ("fr", "nl", "en")
PHONE: ViewportSize = {"width": 390, "height": 844}
LAPTOP: ViewportSize = {"width": 1280, "height": 800}
Visitor = Callable[..., Page]
"""Opens the page of somebody who was never here; takes what a context of the browser takes."""
WCAG = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
READY = '[data-testid="stApp"][data-test-script-state="notRunning"]'
START_SECONDS = 60


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser: $CHROMIUM, one on the path, Debian's by apt as root, Chrome or Edge, playwright's own.

    Without any, the test is skipped on a laptop and fails under CI.
    """
    with sync_playwright() as playwright:
        found = _launch(playwright)
        if found is None:
            message = "no browser found: set CHROMIUM to one, or run `apt-get install chromium`"
            if os.environ.get("CI"):
                pytest.fail(message)
            pytest.skip(message)
        try:
            yield found
        finally:
            found.close()


def _launch(playwright: Playwright) -> Browser | None:
    path = _executable() or _from_apt()
    attempts: list[dict[str, Any]] = [{"executable_path": path}] if path else []
    attempts += [{"channel": "chrome"}, {"channel": "msedge"}, {}]
    for attempt in attempts:
        with suppress(Error):
            return playwright.chromium.launch(args=list(FLAGS), **attempt)
    if sys.platform != "linux":
        with suppress(Error, subprocess.CalledProcessError):
            subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=True)
            return playwright.chromium.launch(args=list(FLAGS))
    return None


def _executable() -> str | None:
    given = os.environ.get("CHROMIUM")
    return given or next((path for name in NAMES if (path := shutil.which(name))), None)


def _from_apt() -> str | None:
    """Debian's Chromium, installed when we may."""
    if not shutil.which("apt-get") or os.geteuid() != 0:
        return None
    with suppress(subprocess.CalledProcessError):
        subprocess.run(["apt-get", "update", "-qq"], check=True)
        subprocess.run(
            ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium", "fonts-liberation"],
            check=True,
        )
    return _executable()


class Server:
    """The dashboard in a child process on a free port, with a store of its own in a folder; `with` serves it.

    ``environment`` is what it is told besides; nothing that tells this process of another store or door reaches it.
    """

    def __init__(self, folder: Path, **environment: str) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("POMEY_")}
        self.environment = kept | environment
        self.store = f"sqlite:///{folder / 'pomey.db'}"
        self.log = folder / "server.log"
        self.port = _free_port()
        self.url = f"http://localhost:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> float:
        """Start, wait until it is healthy, and return the seconds that took."""
        began = time.perf_counter()
        command = [sys.executable, "-m", "dashboard.server", "--port", str(self.port), "--store", self.store]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, env=self.environment, stdout=log, stderr=log)
        while time.perf_counter() - began < START_SECONDS:
            with suppress(urllib.error.URLError, ConnectionError):
                urllib.request.urlopen(f"{self.url}/health").close()  # noqa: S310  # our own server
                return time.perf_counter() - began
            assert self.process.poll() is None, self.log.read_text(encoding="utf-8")
            time.sleep(0.05)
        raise AssertionError(self.log.read_text(encoding="utf-8"))

    def kill(self) -> None:
        """End it as a power cut would: no goodbye."""
        if self.process:
            self.process.kill()
            self.process.wait()

    def stop(self) -> None:
        """End it politely."""
        if self.process:
            self.process.terminate()
            self.process.wait(15)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def ready(page: Page) -> None:
    """Wait until the page has been drawn."""
    page.wait_for_selector(READY, timeout=30_000)
    page.wait_for_timeout(200)  # the state says so a moment before the last element is in place
    page.wait_for_selector(READY, timeout=30_000)


def too_wide(page: Page) -> list[str]:
    """What reaches past the right edge of the screen; the heads of tables, which slide, are let be."""
    return list(
        page.evaluate(
            """() => {
              const main = document.querySelector(".stMain");
              const wide = [...main.querySelectorAll("*")].filter(
                (one) => one.getBoundingClientRect().right > innerWidth + 1 && !one.closest("thead"));
              return [...wide, ...(main.scrollWidth > innerWidth ? [main] : [])]
                .map((one) => `${one.className} ${one.textContent.slice(0, 40)}`);
            }"""
        )
    )


def faults(page: Page) -> list[tuple[str, list[tuple[Any, str]]]]:
    """What axe finds wrong by WCAG 2.2 AA: each rule with the elements that break it."""
    found = Axe().run(page, options={"runOnly": list(WCAG)}).response["violations"]
    return [(one["id"], [(node["target"], node["html"][:160]) for node in one["nodes"]]) for one in found]


if __name__ == "__main__" and not (_executable() or _from_apt()):
    print("no browser found; one is looked for again when a test needs it", file=sys.stderr)  # noqa: T201  # said to whoever installs
