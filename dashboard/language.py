"""The language of a request, before any page knows who asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs

from matrix import load_matrix


def asked_language(scope: Mapping[str, Any], known: Sequence[str] = ()) -> str:
    """The language of a request: its address, else the browser's first one we speak, else the first.

    ``known`` are the languages to choose from, those of the matrix by default.
    """
    known = known or load_matrix().languages
    asked: list[str] = parse_qs(scope["query_string"].decode("latin-1")).get("lang", [])
    header = dict(scope["headers"]).get(b"accept-language", b"").decode("latin-1")
    for candidate in [*asked, *(one.split(";")[0].strip()[:2].lower() for one in header.split(","))]:
        if candidate in known:
            return str(candidate)
    return known[0]
