"""Who is using the pages and what they may do there: everything on this computer, their roles' rights elsewhere."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import streamlit as st
from pydantic_settings import BaseSettings, SettingsConfigDict
from streamlit.errors import StreamlitSecretNotFoundError

from data import Campaign, Store
from data.accounts import EVERYWHERE, Accounts
from matrix import Problem, Refused

COOKIE = "pomey_sign_in"
"""The cookie that carries a sign-in's token."""
RIGHTS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "coordinator": frozenset({"see", "answer", "manage", "comments"}),
        "contributor": frozenset({"see", "answer"}),
        "reader": frozenset({"see"}),
        "researcher": frozenset({"see"}),  # of closed campaigns only
    }
)
"""What each role may do: ``see`` results, ``answer``, ``manage`` campaigns, invitations and the institution, read ``comments``."""
PAGES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "home": frozenset({"coordinator", "contributor", "reader"}),
        "campaign": frozenset({"coordinator"}),
        "answer": frozenset({"coordinator", "contributor"}),
        "invite": frozenset({"coordinator"}),
        "results": frozenset(RIGHTS),
        "showcase": frozenset(RIGHTS),
        "questionnaires": frozenset(RIGHTS),
        "method": frozenset(RIGHTS),
    }
)
"""The roles, at any institution, that open each page; every page is named here."""
_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
_NEEDED = ("client_id", "client_secret", "server_metadata_url")
_ADDRESS = re.compile(r"https?://([a-z0-9.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?", re.IGNORECASE)
_SECRET_LEAST = 32  # characters of the secret that alone keeps forged sign-ins out


class ServingSettings(BaseSettings):
    """What the environment says of serving: ``POMEY_ADDRESS`` where people reach it, ``POMEY_SIGN_IN=required``."""

    model_config = SettingsConfigDict(env_prefix="POMEY_", env_ignore_empty=True)

    address: str = ""
    sign_in: str = ""


@dataclass(frozen=True)
class Person:
    """Somebody using the pages; ``permissions`` gives their role by institution id, or for all with ``*``.

    ``local`` means nobody signs in, because only this computer is served: coordinator of everything, with an empty id.
    """

    id: str
    name: str
    permissions: Mapping[str, str] = field(default_factory=dict)
    local: bool = False

    def role(self, institution: str) -> str | None:
        """The role at an institution: the one given there, else the one given everywhere, else none."""
        return self.permissions.get(institution, self.permissions.get(EVERYWHERE))

    def may(self, right: str, institution: str) -> bool:
        """Whether the role at an institution, or at all with ``*``, has one of the `RIGHTS`."""
        return right in RIGHTS.get(self.role(institution) or "", frozenset())

    def sees(self, campaign: Campaign) -> bool:
        """Whether a campaign is shown at all: a researcher's only once it is closed."""
        role = self.role(campaign.institution)
        return self.may("see", campaign.institution) and (role != "researcher" or campaign.state == "closed")

    def opens(self, page: str) -> bool:
        """Whether some role of theirs opens a page."""
        return bool(PAGES[page] & set(self.permissions.values()))


LOCAL = Person("", "", MappingProxyType({EVERYWHERE: "coordinator"}), local=True)
"""Whoever sits at this computer when only it is served."""


@dataclass(frozen=True)
class Door:
    """How the server lets staff in.

    ``sign_in`` asks everyone to; without it only this computer is let in. ``providers`` are the names under which the
    framework knows whoever vouches for people, ``address`` where people reach the server, if said.
    """

    sign_in: bool = False
    providers: tuple[str, ...] = ()
    address: str = ""

    @property
    def secure(self) -> bool:
        """Whether people come over https, so that cookies never travel otherwise."""
        return self.address.startswith("https://")

    @property
    def host(self) -> str:
        """The only name the server answers to, or nothing for any."""
        return urlsplit(self.address).hostname or ""


class Visitor(NamedTuple):
    """Who a run of the script is for; ``why`` names what keeps them out, ``identity`` who the provider says they are."""

    person: Person
    why: str = ""
    identity: str = ""


NOBODY = Person("", "")
_door: Door | None = None


def keep_door(door: Door) -> None:
    """Say which door the server of this process stands behind; without it the script serves this computer only."""
    global _door  # noqa: PLW0603  # one server a process
    _door = door


def person() -> Person:
    """Whoever this run of the script is for; a run for somebody no longer signed in starts again and ends there."""
    found = visitor()
    if found.why:
        st.rerun()
    return found.person


def author() -> str:
    """Who writes, as history keeps it; empty on this computer."""
    return person().id


def visitor() -> Visitor:
    """Who this run of the script is for, found anew each time: a sign-in may end while a page is open."""
    headers = {name.lower(): value for name, value in st.context.headers.items()}
    if _door is None:
        address = str(st.get_option("server.address") or "")
        alone = is_this_computer(address) and not strange(headers) and not ServingSettings().sign_in
        return Visitor(LOCAL) if alone else Visitor(NOBODY, "unguarded")
    if not _door.sign_in:
        return Visitor(NOBODY, "unguarded") if strange(headers) else Visitor(LOCAL)
    if vouched_for():
        return vouched(_accounts(), st.user.to_dict())
    account = _accounts().signed_in(st.context.cookies.get(COOKIE, ""))
    return Visitor(NOBODY, "sign-in") if account is None else admit(_accounts(), account.id)


def vouched(accounts: Accounts, claims: Mapping[str, Any]) -> Visitor:
    """Who the provider's claims are about, let in by an account of the same e-mail address."""
    email = str(claims.get("email") or "")
    if claims.get("email_verified") in {False, "false"} or not email:
        return Visitor(NOBODY, "unverified", email)
    return admit(accounts, email)


def admit(accounts: Accounts, id_: str) -> Visitor:
    """Whoever an account stands for, with what it may open."""
    account = accounts.enabled(id_)
    permissions = accounts.permissions(id_) if account is not None else {}
    if account is None or not permissions:
        return Visitor(NOBODY, "no-access", id_)
    return Visitor(Person(account.id, account.name or account.id, MappingProxyType(permissions)))


def providers() -> tuple[str, ...]:
    """The names of the providers that people may sign in with."""
    return _door.providers if _door is not None else ()


def vouched_for() -> bool:
    """Whether a provider vouches for whoever this run of the script is for, so that they leave through it."""
    return bool(providers() and st.user.is_logged_in)


def passwords() -> bool:
    """Whether somebody could sign in with a password."""
    return _accounts().someone_may_sign_in()


def address(port: int | None = None) -> str:
    """Where people reach the server, without a slash at the end: what links begin with."""
    if _door is not None and _door.address:
        return _door.address
    said = ServingSettings().address.rstrip("/")
    return said or f"http://localhost:{port or st.get_option('server.port')}"


def decide(host: str, store: Store, *, sign_in: bool = False) -> Door:
    """The door a server that listens on ``host`` needs, or a refusal to serve when nobody could sign in through it.

    Sign-in is asked for beyond this computer, when told to, and when people are told another address than this
    computer's, because then something passes their visits on.
    """
    settings = ServingSettings()
    known = settings.address.rstrip("/")
    if known and not _ADDRESS.fullmatch(known):
        raise _refusal("POMEY_ADDRESS", "account-address", found=known)
    if settings.sign_in not in {"", "required"}:
        raise _refusal("POMEY_SIGN_IN", "not-among", known=("required",), found=settings.sign_in)
    beyond = not all(is_this_computer(one) for one in (host, Door(address=known).host or host))
    if not (sign_in or settings.sign_in or beyond):
        return Door(address=known)
    providers = _providers()
    if not providers and not Accounts(store).someone_may_sign_in():
        raise _refusal("pomey serve", "account-nobody", host=host)
    return Door(sign_in=True, providers=providers, address=known)


def is_this_computer(host: str) -> bool:
    """Whether a name or address of a listening server is reached from this computer only."""
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def strange(headers: Mapping[str, str]) -> bool:
    """Whether a request was passed on by something else, or asks for a name that is not this computer's.

    ``headers`` by name in lower case. A page elsewhere whose name was made to lead here asks under that name.
    """
    return any(name in headers for name in _FORWARDED) or not is_this_computer(
        hostname(headers.get("host", "localhost"))
    )


def hostname(host: str) -> str:
    """The name in a Host header, without its port; empty when it is none."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _providers() -> tuple[str, ...]:
    """The providers the framework's secrets describe, each complete, or a refusal that names what is missing."""
    try:
        auth = dict(st.secrets.get("auth", {}))
    except StreamlitSecretNotFoundError:
        return ()
    if not auth:
        return ()
    named = {
        name: section
        for name, section in auth.items()
        if isinstance(section, Mapping) and name != "client_kwargs"
    }
    if not named or any(key in auth for key in _NEEDED):
        named["default"] = auth
    missing = [key for key in ("redirect_uri", "cookie_secret") if not auth.get(key)]
    missing += [
        key if name == "default" else f"{name}.{key}"
        for name, section in named.items()
        for key in _NEEDED
        if not section.get(key)
    ]
    if missing:
        raise _refusal("[auth]", "account-auth-missing", missing=", ".join(missing))
    if len(str(auth["cookie_secret"])) < _SECRET_LEAST:
        raise _refusal("[auth] cookie_secret", "account-auth-secret", least=_SECRET_LEAST)
    return tuple(named)


def _accounts() -> Accounts:
    from dashboard import frame  # noqa: PLC0415  # here: the frame stands on this module

    return Accounts(frame.store())


def _refusal(place: str, code: str, *, known: tuple[str, ...] = (), **values: object) -> Refused:
    return Refused([Problem("pomey", 1, place, code, values, known=known)])
