"""What these pages refuse: requests of other sites, bodies too large, and guessing at links."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from dashboard.attempts import Attempts

if TYPE_CHECKING:
    from starlette.requests import Request

BODY_LIMIT = 64 * 1024
"""Bytes a request may carry."""
FAILURES = "20 per 10 minutes"
"""Links or receipts that open nothing, by one address."""
BEGINS = "30 per 10 minutes"
"""Forms begun on one shared link by one address: a waiting room may share it."""
BEGINS_OF_LINK = "300 per hour"
"""Forms begun on one shared link."""
WAIT_SECONDS = 600
"""How long who was refused is told to wait."""


class Refusal(Exception):  # noqa: N818  # read as a sentence: the request met a refusal
    """A request that is answered by saying why not; ``word`` names the title and, with ``-why``, the sentence."""

    def __init__(self, status: int, word: str) -> None:
        super().__init__(word)
        self.status = status
        self.word = word


class Limits:
    """What is too many: of failures by one address, of forms begun on one link."""

    def __init__(self) -> None:
        self._attempts = Attempts()

    def failed(self, request: Request, kind: str) -> None:
        """Count a link or receipt that opened nothing; raise when there were too many."""
        self._count(FAILURES, kind, client(request))

    def guard(self, request: Request, kind: str) -> None:
        """Raise when this address has failed too often to try again."""
        if self._attempts.wait(FAILURES, kind, client(request)):
            raise Refusal(429, "r-many")

    def began(self, request: Request, link: str) -> None:
        """Count a form begun on a shared link; raise when there were too many."""
        self._count(BEGINS, "begin", link, client(request))
        self._count(BEGINS_OF_LINK, "begin", link)

    def _count(self, rate: str, *whose: str) -> None:
        if not self._attempts.count(rate, *whose):
            raise Refusal(429, "r-many")


def client(request: Request) -> str:
    """Who asks: the address, or the network of an IPv6 one, whose owner has addresses without end."""
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if not isinstance(address, ipaddress.IPv6Address):
        return host
    # A server that listens on both families sees IPv4 addresses inside IPv6 ones.
    return str(address.ipv4_mapped or ipaddress.ip_network((address, 64), strict=False))


def must_be_ours(request: Request) -> None:
    """Refuse a change asked for by another site's page.

    Browsers say where a request comes from, except old ones without encryption; there, as everywhere, the link or
    the receipt, which no other site knows, is what opens.
    """
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin", "null")
    if site:
        ours = site in {"same-origin", "none"}
    else:
        ours = origin == "null" or urlsplit(origin).netloc == request.headers.get("host")
    if not ours:
        raise Refusal(403, "r-origin")


async def body_of(request: Request) -> bytes:
    """The body, refused as soon as it is too large."""
    parts = bytearray()
    async for part in request.stream():
        parts += part
        if len(parts) > BODY_LIMIT:
            raise Refusal(413, "r-large")
    return bytes(parts)


__all__ = ["BODY_LIMIT", "Limits", "Refusal", "body_of", "client", "must_be_ours"]
