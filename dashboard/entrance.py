"""The entrance: who gets past it to which address, the sign-in page, and a limit to guessing."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from dashboard import access, frame
from dashboard.attempts import Attempts
from dashboard.language import asked_language
from dashboard.respond.guard import client
from data.accounts import SIGNED_IN_FOR, Accounts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2 import Template
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LINKS = ("/r/", "/s/")
"""Below which the respondents' pages are that a link opens."""
WITHDRAWAL = ("/withdraw", "/withdraw/")
"""Where a receipt opens; the slash at the end is one that people add."""
ANYONE = ("/health", "/sign-in", "/sign-out", "/favicon.png")
"""Other addresses that need no sign-in."""
ANYONE_BELOW = ("/assets/", "/static/")
"""Likewise, with all below them: the same in every installation."""
TO_PROVIDER = (
    *("/auth/login", "/auth/logout", "/oauth2callback"),
    *("/_stcore/health", "/_stcore/host-config", "/_stcore/stream"),
)
"""What the framework needs to bring somebody to the provider and back; the script then decides what it shows."""
SIGN_INS = "5 per 5 minutes"
"""Failures of one account from one address, after which even the right password must wait."""
FAILURES = "30 per 5 minutes"
"""Failures from one address, whatever was tried."""
FORM_LIMIT = 8192
"""Bytes of a filled-in sign-in page."""
_HERE = Path(__file__).parent
_attempts = Attempts()


class Guard:
    """Lets nobody past who may not pass: the framework and the pages never see them."""

    def __init__(self, app: ASGIApp, entrance: Entrance) -> None:
        self.app = app
        self.entrance = entrance

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is allowed; answer the rest here."""
        if scope["type"] not in {"http", "websocket"}:
            await self.app(scope, receive, send)
            return
        refusal = await self.entrance.refusal(HTTPConnection(scope))
        if refusal is None:
            await self.app(scope, receive, self.entrance.securing(send))
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": ""})
        else:
            await refusal(scope, receive, send)


class Entrance:
    """The rules of a `access.Door`, the sign-in page in it, and what it remembers of failures."""

    def __init__(self, door: access.Door) -> None:
        self.door = door
        self.routes = [
            Route("/sign-in", self._sign_in, methods=["GET", "POST"]),
            Route("/sign-out", self._sign_out, methods=["POST"]),
        ]
        # A password check takes 64 MiB and a processor on purpose: one at a time is enough, and exact to count.
        self._checking = asyncio.Lock()

    async def refusal(self, visit: HTTPConnection) -> Response | None:
        """The answer to a visit that may not pass; none when it may."""
        path, lang = visit.scope["path"], asked_language(visit.scope)
        if path == "/health":
            return None
        if (strange := self._strange(visit, lang)) is not None:
            return strange
        if (
            not self.door.sign_in
            or path in ANYONE
            or path.startswith(ANYONE_BELOW)
            or for_respondents(path)
            or await self._staff(visit)
        ):
            return None
        return self._unsigned(visit, lang)

    def _strange(self, visit: HTTPConnection, lang: str) -> Response | None:
        """The answer to a visit that nobody should make, whoever they are."""
        if not self.door.sign_in and not _from_this_computer(visit):
            return _page("only-here", lang, status=403)
        if self.door.sign_in and self.door.host not in {"", access.hostname(visit.headers.get("host", ""))}:
            return _page("elsewhere", lang, status=403, address=self.door.address)
        if not for_respondents(visit.scope["path"]) and not _same_site(visit):
            return _page("cross-site", lang, status=403)
        return None

    def securing(self, send: Send) -> Send:
        """``send`` that keeps every cookie, the framework's too, to https where people come over it."""
        if not self.door.secure:
            return send

        async def secure(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [_secured(*pair) for pair in message["headers"]]}
            await send(message)

        return secure

    def _unsigned(self, visit: HTTPConnection, lang: str) -> Response | None:
        """What somebody gets who has not signed in and wants what needs it."""
        path = visit.scope["path"]
        is_page = path.strip("/") in {"", *access.PAGES}
        # The framework looks for itself below the page first; it must be told there that it is not there.
        asked = path.removeprefix(f"/{path.split('/')[1]}") if path.split("/")[1] in access.PAGES else path
        if self.door.providers and (is_page or asked in TO_PROVIDER):
            return None
        if is_page and visit.scope["type"] == "http" and visit.scope["method"] in {"GET", "HEAD"}:
            query = visit.scope["query_string"].decode("latin-1")
            wanted = quote(path) + (f"?{query}" if query else "")
            return RedirectResponse(f"/sign-in?{urlencode({'next': wanted, 'lang': lang})}", 303)
        return PlainTextResponse("401", 401)

    async def _staff(self, visit: HTTPConnection) -> bool:
        """Whether the visit is of somebody with a permission."""
        token = visit.cookies.get(access.COOKIE, "")
        claims = _claims(visit.cookies) if self.door.providers else {}
        if not token and not claims:
            return False
        return await run_in_threadpool(_has_access, token, claims)

    async def _sign_in(self, request: Request) -> Response:
        """The sign-in page, and what comes of filling it in."""
        wanted = _inside(request.query_params.get("next", ""))
        if not self.door.sign_in or (request.method != "POST" and await self._staff(request)):
            return RedirectResponse(wanted, 303)
        form: dict[str, Any] = {"wanted": wanted, "provider": bool(self.door.providers), "form": True}
        filled = await _filled(request) if request.method == "POST" else {}
        if filled is None:
            refused: dict[str, Any] = {"status": 413, "problem": "too-long"}
        elif not filled:
            refused = {}
        else:
            account, refused = await self._check(
                filled.get("id", ""), filled.get("password", ""), client(request)
            )
            if account is not None:
                return await self._signed_in(account, wanted)
        return _page("sign-in", asked_language(request.scope), **form, **refused)

    async def _check(self, id_: str, password: str, who: str) -> tuple[str | None, dict[str, Any]]:
        """The id of the account that may come in, or what its page says instead."""
        accounts, id_ = Accounts(frame.store()), id_.strip().lower()
        async with self._checking:
            if wait := max(
                _attempts.wait(SIGN_INS, "account", id_, who), _attempts.wait(FAILURES, "sign-in", who)
            ):
                return None, {"status": 429, "problem": "limited", "wait": wait, "id": id_}
            account = await run_in_threadpool(accounts.check, id_, password)
            if account is None:
                _attempts.count(SIGN_INS, "account", id_, who)
                _attempts.count(FAILURES, "sign-in", who)
                return None, {"status": 401, "problem": "wrong", "id": id_}
        if not await run_in_threadpool(accounts.permissions, account.id):
            return None, {"status": 403, "problem": "no-access", "identity": account.id, "id": account.id}
        return account.id, {}

    async def _signed_in(self, account: str, wanted: str) -> Response:
        token = await run_in_threadpool(Accounts(frame.store()).sign_in, account)
        answer = RedirectResponse(wanted, 303)
        lasting = int(SIGNED_IN_FOR.total_seconds())
        answer.set_cookie(
            access.COOKIE, token, lasting, httponly=True, samesite="lax", secure=self.door.secure
        )
        return answer

    async def _sign_out(self, request: Request) -> Response:
        """End the sign-in and go back to its page."""
        token = request.cookies.get(access.COOKIE, "")
        if token:
            await run_in_threadpool(Accounts(frame.store()).sign_out, token)
        answer = RedirectResponse(f"/sign-in?lang={asked_language(request.scope)}", 303)
        answer.delete_cookie(access.COOKIE, httponly=True, samesite="lax", secure=self.door.secure)
        return answer


def for_respondents(path: str) -> bool:
    """Whether an address is of the respondents' pages, which watch over themselves: a link or a receipt is its key."""
    return path in WITHDRAWAL or path.startswith(LINKS)


def _has_access(token: str, claims: Mapping[str, Any]) -> bool:
    accounts = Accounts(frame.store())
    if claims and not access.vouched(accounts, claims).why:
        return True
    account = accounts.signed_in(token)
    return account is not None and not access.admit(accounts, account.id).why


def _claims(cookies: Mapping[str, str]) -> dict[str, Any]:
    """Who the framework's cookie says was vouched for; empty when it is missing, forged or old."""
    from streamlit.auth_util import get_cookie_with_chunks  # noqa: PLC0415  # here: only with a provider
    from streamlit.web.server.server_util import get_cookie_secret  # noqa: PLC0415
    from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value  # noqa: PLC0415
    from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME  # noqa: PLC0415

    def one(name: str) -> bytes | None:
        return decode_signed_value(
            get_cookie_secret(), name, cookies.get(name, "").encode("latin-1", "replace")
        )

    kept = get_cookie_with_chunks(one, USER_COOKIE_NAME)
    found = json.loads(kept) if kept else {}
    return found if isinstance(found, dict) and found.get("is_logged_in") else {}


def _from_this_computer(visit: HTTPConnection) -> bool:
    """Whether a visit comes from this computer, directly and under one of its own names."""
    came_from = visit.client.host if visit.client else ""
    return (
        access.is_this_computer(came_from) and "host" in visit.headers and not access.strange(visit.headers)
    )


def _same_site(visit: HTTPConnection) -> bool:
    """Whether what changes something, or opens a connection, was asked by one of our own pages or by no browser."""
    if visit.scope["type"] == "http" and visit.scope["method"] in {"GET", "HEAD", "OPTIONS"}:
        return True
    site = visit.headers.get("sec-fetch-site")
    if site is not None and site not in {"same-origin", "none"}:
        return False
    origin = visit.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == visit.headers.get("host")


def _secured(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    if name.lower() == b"set-cookie" and b"; secure" not in value.lower():
        return name, value + b"; Secure"
    return name, value


def _inside(wanted: str) -> str:
    """The wanted address when it is one of ours, else the first page."""
    ours = wanted.startswith("/") and not wanted.startswith(("//", "/sign-")) and wanted.isprintable()
    return wanted if ours and "\\" not in wanted else "/"


async def _filled(request: Request) -> dict[str, str] | None:
    """The fields of a form, the first of each name; none when it is too long to be ours."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_LIMIT:
            return None
    fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
    return {name: values[0] for name, values in fields.items()}


@cache
def _template() -> Template:
    from jinja2 import Environment, FileSystemLoader  # noqa: PLC0415  # here: not before we answer

    return Environment(loader=FileSystemLoader(_HERE), autoescape=True).get_template("entrance.html.jinja")


@cache
def _style() -> str:
    return (_HERE / "entrance.css").read_text(encoding="utf-8")


def _page(
    key: str,
    lang: str,
    *,
    status: int = 200,
    problem: str = "",
    wait: int = 0,
    **values: Any,
) -> HTMLResponse:
    """A small page that needs neither the framework nor a script; ``wait`` in minutes."""
    html = _template().render(
        word=lambda name, **more: frame.word(f"access-{name}", lang, **more),
        name=lambda one: frame.word("language-name", one),
        product=frame.word("product", lang),
        languages=frame.matrix().languages,
        lang=lang,
        style=_style(),
        key=key,
        problem=problem,
        wait=wait,
        **values,
    )
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    headers = {"Content-Security-Policy": policy, "Cache-Control": "no-store"}
    return HTMLResponse(html, status, headers | ({"Retry-After": str(wait * 60)} if wait else {}))
