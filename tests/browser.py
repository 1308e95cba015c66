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
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Error, Page, Playwright, sync_playwright

ROOT = Path(__file__).parent.parent
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
    """The dashboard in a child process on a free port, with a store of its own in a folder."""

    def __init__(self, folder: Path) -> None:
        self.store = f"sqlite:///{folder / 'pomey.db'}"
        self.log = folder / "server.log"
        self.port = _free_port()
        self.url = f"http://localhost:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> float:
        """Start, wait until it is healthy, and return the seconds that took."""
        began = time.perf_counter()
        command = [sys.executable, "-m", "dashboard.server", "--port", str(self.port), "--store", self.store]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
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


if __name__ == "__main__" and not (_executable() or _from_apt()):
    print("no browser found; one is looked for again when a test needs it", file=sys.stderr)  # noqa: T201  # said to whoever installs
