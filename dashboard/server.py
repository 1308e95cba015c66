"""The server: the dashboard's script with its settings, a health answer, the page's language and safe headers."""

from __future__ import annotations

import argparse
import base64
import gc
import hashlib
import importlib
import logging
import os
import re
import sys
import threading
import tomllib
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.routing import Route
from streamlit.web import bootstrap

from dashboard import access, frame, respond
from dashboard.entrance import Entrance, Guard, for_respondents
from dashboard.language import asked_language
from data import Invitations, StoreError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from data import Store

ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / "app.py"
SETTINGS = ROOT / ".streamlit" / "config.toml"
PORT = 8501
HEAD_START = 3.0
"""Seconds that a first visitor has the processor alone before we load ahead."""
FORGET_EVERY = 24 * 3600
"""Seconds between two looks at what need no longer be kept."""
_log = logging.getLogger(__name__)


def settings(host: str = "localhost", port: int = PORT) -> dict[str, Any]:
    """The framework's settings by dotted name: those of the settings file, then where to listen."""
    flat = _flat(tomllib.loads(SETTINGS.read_text(encoding="utf-8")))
    return flat | {"server.address": host, "server.port": port, "server.headless": True}


def application(door: access.Door | None = None) -> st.App:
    """The dashboard as an ASGI application behind a door; without one, for this computer only."""
    entrance = Entrance(door or access.Door())
    access.keep_door(entrance.door)
    return st.App(
        SCRIPT,
        lifespan=_lifespan,
        routes=[
            Route("/health", _health),
            *entrance.routes,
            *respond.routes(frame.store, entrance.door.address),
        ],
        middleware=[Middleware(SafeHeaders), Middleware(Guard, entrance=entrance), Middleware(PageLanguage)],
    )


def serve(
    host: str = "localhost", port: int = PORT, store_url: str | None = None, *, sign_in: bool = False
) -> None:
    """Serve the dashboard until stopped; ``store_url`` as in ``Store.open``.

    ``sign_in`` asks staff to sign in on this computer too. Refuses to start where others could reach it and nobody
    could sign in.
    """
    if store_url:
        os.environ["POMEY_STORE"] = store_url
    # To tell the address of a server that others reach, the framework would ask a service elsewhere for it.
    config = settings(host, port) | {"logger.hideWelcomeMessage": True}
    bootstrap.load_config_options(config)  # the framework's secrets are looked for where these say
    door = access.decide(host, frame.store(), sign_in=sign_in)
    key = "access-serving" if door.sign_in else "access-serving-here"
    sys.stdout.write(frame.word(key, "en", address=access.address(port)) + "\n")
    sys.stdout.flush()
    application(door).run(config=config)


class PageLanguage:
    """Writes the visitor's language into ``<html lang>``, which the framework fixes to English."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything through; rewrite the one attribute of HTML answers."""
        if scope["type"] != "http" or not _is_page(scope):
            await self.app(scope, receive, send)
            return
        start: Message = {}
        body = b""
        # The page is rewritten, so it must come unpacked and whole, never as "not modified".
        dropped = (b"accept-encoding", b"if-none-match", b"if-modified-since", b"range")
        scope = {**scope, "headers": [pair for pair in scope["headers"] if pair[0] not in dropped]}

        async def rewrite(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start":
                start = message
                return
            body += message.get("body", b"")
            if message.get("more_body"):
                return
            headers = [pair for pair in start["headers"] if pair[0].lower() != b"content-length"]
            if dict(start["headers"]).get(b"content-type", b"").startswith(b"text/html"):
                body = body.replace(b'<html lang="en">', f'<html lang="{asked_language(scope)}">'.encode(), 1)
                headers = [pair for pair in headers if pair[0].lower() not in {b"etag", b"last-modified"}]
            headers.append((b"content-length", str(len(body)).encode()))
            await send({**start, "headers": headers})
            await send({"type": "http.response.body", "body": body})

        await self.app(scope, receive, rewrite)


class SafeHeaders:
    """Adds the security headers: only our own scripts run, nobody frames the page, no address leaks."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        page = (Path(st.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")
        inline = [frame.SCRIPT, *re.findall(r"<script>(.*?)</script>", page, re.DOTALL)]
        hashes = " ".join(f"'sha256-{_digest(script)}'" for script in inline)
        policy = {
            # 'wasm-unsafe-eval' and blob: workers are the framework's own; the hashes are the inline scripts we know.
            "default-src": "'self'",
            "script-src": f"'self' 'wasm-unsafe-eval' {hashes}",
            "style-src": "'self' 'unsafe-inline'",
            "img-src": "'self' data: blob:",
            "font-src": "'self' data:",
            "connect-src": "'self' ws: wss:",
            "worker-src": "'self' blob:",
            "object-src": "'none'",
            "base-uri": "'self'",
            "form-action": "'self'",
            "frame-ancestors": "'none'",
        }
        self.headers = [
            (b"content-security-policy", "; ".join(f"{k} {v}" for k, v in policy.items()).encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"x-frame-options", b"DENY"),
            (b"referrer-policy", b"same-origin"),
            (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything through with the headers added."""

        async def add(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = {name.lower() for name, _ in message["headers"]}  # a page that is stricter stays so
                more = [pair for pair in self.headers if pair[0] not in own]
                message = {**message, "headers": [*message["headers"], *more]}
            await send(message)

        await self.app(scope, receive, add if scope["type"] == "http" else send)


@asynccontextmanager
async def _lifespan(_: st.App) -> AsyncIterator[None]:
    """Load what the first page needs, leave the rest to a thread; close the store at the end."""
    frame.matrix()
    frame.questionnaires()
    frame.words()
    store = frame.store()
    closing = threading.Event()
    rest = threading.Thread(target=_warm, args=(closing,), name="warm", daemon=True)
    rest.start()
    retention = threading.Thread(target=_forget, args=(store, closing), name="retention", daemon=True)
    retention.start()
    yield
    closing.set()
    rest.join()
    retention.join()
    store.close()


def _warm(closing: threading.Event) -> None:
    """Load the pages while a first browser loads its scripts, and later, unless closing, what they need to work.

    At the end everything goes out of the garbage collector's sight.
    """
    from dashboard import campaigns, home, inviting, library, method, results, showcase  # noqa: F401, PLC0415  # here: not before we answer

    importlib.import_module("PIL.ImageFile")  # the framework loads it for the page's icon
    if closing.wait(HEAD_START):
        return
    respond.warm()
    results.warm()
    importlib.import_module("pandas")  # the first table of answers loads it
    gc.collect()
    gc.freeze()


def _forget(store: Store, closing: threading.Event) -> None:
    """Erase what campaigns have kept for as long as they said: at the start, then every day, until closing."""
    while True:
        try:
            Invitations(store).expire(datetime.now(UTC).date())
        except StoreError as error:  # asked again tomorrow; the dashboard goes on meanwhile
            _log.warning("retention: %s", error)
        if closing.wait(FORGET_EVERY):
            return


async def _health(_: Request) -> JSONResponse:
    """Whether the store answers; 503 when it does not."""
    try:
        frame.store().institutions()
    except StoreError:
        return JSONResponse({"status": "store"}, status_code=503)
    return JSONResponse({"status": "ok"})


def _is_page(scope: Scope) -> bool:
    path = scope["path"]
    reserved = ("/_stcore", "/static", "/media", "/component", "/health")
    own = path.startswith(reserved) or for_respondents(path)
    return not own and "." not in path.rsplit("/", 1)[-1]


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _flat(tree: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= _flat(value, f"{above}{key}.") if isinstance(value, dict) else {f"{above}{key}": value}
    return flat


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m dashboard.server")
    parser.add_argument("--host", default="localhost")
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--store")
    return parser.parse_args()


if __name__ == "__main__":
    given = _arguments()
    serve(given.host, given.port, given.store)
