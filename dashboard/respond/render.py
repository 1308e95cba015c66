"""From a page's facts to an answer on the wire: templates, words, files with a lasting address, safe headers."""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from dashboard.language import asked_language
from matrix import Words, day, load_matrix

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request

HERE = Path(__file__).parent
WORDS = ("frame", "answer", "respond")
"""The catalogues these pages speak from; the first two are shared with the dashboard."""
FILES = {
    "respond.css": ("text/css; charset=utf-8", HERE / "respond.css"),
    "respond.js": ("text/javascript; charset=utf-8", HERE / "respond.js"),
    "icon.svg": ("image/svg+xml", HERE.parent / "icon.svg"),
}
POLICY = "; ".join(
    [
        "default-src 'none'",
        *(f"{kind}-src 'self'" for kind in ("script", "style", "img", "connect")),
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
)
ALWAYS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
PRIVATE = {"Cache-Control": "no-store", **ALWAYS}


class Asset(NamedTuple):
    """A file with an address that changes when it does, packed once."""

    address: str
    kind: str
    plain: bytes
    packed: bytes


def warm() -> None:
    """Load what the first visitor would otherwise wait for."""
    words()
    assets()
    for name in _templates().list_templates():
        _templates().get_template(name)


@cache
def words() -> Words:
    """Every word of these pages."""
    return Words.load(*(HERE.parent / "words" / f"{name}.yaml" for name in WORDS))


@cache
def assets() -> dict[str, Asset]:
    """The style, the script and the icon, by name."""
    found = {}
    for name, (kind, path) in FILES.items():
        plain = path.read_bytes()
        stem, ending = name.split(".")
        address = f"/assets/{stem}-{hashlib.sha256(plain).hexdigest()[:16]}.{ending}"
        found[name] = Asset(address, kind, plain, gzip.compress(plain, 9, mtime=0))
    return found


def asset(request: Request) -> Response:
    """One of the files; an address of other bytes than today's does not exist."""
    found = next((one for one in assets().values() if one.address == request.url.path), None)
    if found is None:
        return Response(status_code=404, headers=PRIVATE)
    lasting = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding", **ALWAYS}
    if "gzip" in request.headers.get("accept-encoding", ""):
        packed = {**lasting, "Content-Encoding": "gzip"}
        return Response(found.packed, media_type=found.kind, headers=packed)
    return Response(found.plain, media_type=found.kind, headers=lasting)


def language(request: Request, known: Sequence[str] = (), own: str = "") -> str:
    """The language of a page among those it is in: the one asked for, the person's own, the browser's, else the first."""
    known = known or load_matrix().languages
    wishes = (request.query_params.get("lang", ""), own, asked_language(request.scope, known))
    return next((one for one in wishes if one in known), known[0])


def page(
    request: Request,
    name: str,
    lang: str,
    *,
    status: int = 200,
    languages: Sequence[str] = (),
    switch: str = "link",
    **facts: Any,
) -> Response:
    """A page from its template.

    ``switch`` says how the language is changed: by a ``link``, with the ``form`` so that what was written is kept, or
    not at all (``none``) where a page cannot be asked for again.
    """
    word = partial(_word, lang)
    facts |= {
        "lang": lang,
        "languages": (languages or load_matrix().languages) if switch != "none" else (),
        "switch": switch,
        "path": request.url.path,
        # For links to pages that would otherwise come in the browser's language.
        "asked": ""
        if "lang" not in request.query_params and asked_language(request.scope) == lang
        else f"?lang={lang}",
        "word": word,
        "name_of": words(),
        "day": partial(_day, lang),
        "title_of": partial(_title, lang),
        "assets": assets(),
    }
    html = _templates().get_template(f"{name}.html.jinja").render(facts)
    return HTMLResponse(html, status, headers=PRIVATE)


def data(facts: Mapping[str, Any], status: int = 200) -> Response:
    """Facts for the page's script."""
    return JSONResponse(facts, status, headers=PRIVATE)


def onward(address: str) -> Response:
    """Send the browser to another page of ours."""
    return RedirectResponse(address, 303, headers=PRIVATE)


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _word(lang: str, key: str, **values: object) -> str:
    return words()(key, lang, **values)


def _day(lang: str, date: dt.date) -> str:
    return day(date, lang)


def _title(lang: str, part: str, id_: str) -> str:
    return load_matrix().title(part, id_, lang)


__all__ = ["PRIVATE", "asset", "assets", "data", "language", "onward", "page", "warm", "words"]
