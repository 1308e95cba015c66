"""Staff accounts: who they are, what they may open, how a password is checked and how long a sign-in lasts."""

from __future__ import annotations

import hashlib
import re
import secrets
import unicodedata
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from data import layout
from data.store import NAME_LIMIT, StoreError, note
from matrix import Problem, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from argon2 import PasswordHasher

    from data.store import Store

ROLES = ("coordinator", "contributor", "reader", "researcher")
"""What an account may be at an institution, the most first."""
EVERYWHERE = "*"
"""Stands for every institution in a permission."""
PASSWORD_LEAST = 12
"""Characters of the shortest password."""
SIGNED_IN_FOR = timedelta(hours=12)
"""How long a sign-in lasts."""

_ID = re.compile(r"[a-z0-9][a-z0-9._%+'@-]{0,99}")
_OBVIOUS = frozenset(
    [
        "password",
        "motdepasse",
        "wachtwoord",
        "azertyuiop",
        "qwertyuiop",
        "bonjour",
        "bienvenue",
        "welkom",
        "welcome",
        "changeme",
        "administrator",
        "administrateur",
        "beheerder",
        "hopital",
        "hospital",
        "ziekenhuis",
        "partenariat",
        "partnership",
        "partnerschap",
        "pomey",
    ]
)
_FEW = 5  # different characters below which a password is a repetition
_COUNTING = "01234567890123456789"


class Account(NamedTuple):
    """A member of staff; ``id`` is an e-mail address or a user name in lower case.

    Without a password the account signs in through the provider only, by its e-mail address.
    """

    id: str
    name: str
    created: datetime
    disabled: datetime | None
    has_password: bool


class Accounts:
    """The accounts of a store.

    Passwords are kept as Argon2 hashes and sign-ins as SHA-256 of their token: neither can be read back. Every method
    that changes something raises `StoreError` when it cannot, and then nothing changed; what changes who may do what
    leaves a line of history by ``author``.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(
        self,
        id: str,  # noqa: A002  # the column's name
        name: str = "",
        password: str | None = None,
        *,
        author: str = "",
    ) -> Account:
        """Keep a new account, with no permission yet."""
        id_ = _known_as(id)
        if not _ID.fullmatch(id_):
            raise _error("id", "account-bad-id", found=id)
        if len(name) > NAME_LIMIT or any(unicodedata.category(one).startswith("C") for one in name):
            raise _error("name", "account-bad-name", limit=NAME_LIMIT)
        hashed = None if password is None else _hashed(id_, password)

        def work(connection: sa.Connection) -> Account:
            if _row(connection, id_) is not None:
                raise _error("id", "account-taken", id=id_)
            now = datetime.now(UTC)
            row = {"id": id_, "name": name.strip(), "password_hash": hashed, "created": now, "disabled": None}
            connection.execute(layout.account.insert(), row)
            note(connection, author, "account_added", detail={"account": id_})
            return Account(id_, name.strip(), now, None, hashed is not None)

        return self._store.write(work)

    def set_password(self, id: str, password: str, *, author: str = "") -> None:  # noqa: A002  # likewise
        """Replace the password; whoever was signed in with the old one no longer is."""
        hashed = _hashed(_known_as(id), password)
        self._change(id, {"password_hash": hashed}, "password_set", author)

    def disable(self, id: str, *, author: str = "") -> None:  # noqa: A002  # likewise
        """Let nobody in with this account any more, at once; its permissions stay for the day it is enabled again."""
        self._change(id, {"disabled": datetime.now(UTC)}, "account_disabled", author)

    def enable(self, id: str, *, author: str = "") -> None:  # noqa: A002  # likewise
        """Let a disabled account in again."""
        self._change(id, {"disabled": None}, "account_enabled", author)

    def check_grant(self, institution: str, role: str) -> None:
        """Refuse a role or an institution that does not exist."""
        if role not in ROLES:
            raise _error("role", "not-among", known=ROLES, suggestion=nearest(role, ROLES), found=role)
        known = [one.id for one in self._store.institutions()]
        if institution not in {EVERYWHERE, *known}:
            likely = nearest(institution, known)
            raise _error("institution", "store-unknown-institution", suggestion=likely, id=institution)

    def grant(self, id: str, institution: str, role: str, *, author: str = "") -> None:  # noqa: A002  # likewise
        """Give a role at one institution, or `EVERYWHERE`, in place of the one it had there."""
        self.check_grant(institution, role)  # institutions are never deleted, so this stays true

        def work(connection: sa.Connection) -> None:
            id_ = _must_exist(connection, id)
            connection.execute(layout.permission.delete().where(*_permission(id_, institution)))
            row = {"account": id_, "institution": institution, "role": role}
            connection.execute(layout.permission.insert(), row)
            told = {"account": id_, "role": role}
            note(connection, author, "granted", institution=institution, detail=told)

        self._store.write(work)

    def withdraw_grant(self, id: str, institution: str, *, author: str = "") -> None:  # noqa: A002  # likewise
        """Take back the role at an institution, or the one `EVERYWHERE`; nothing happens when there is none."""

        def work(connection: sa.Connection) -> None:
            id_ = _must_exist(connection, id)
            gone = connection.execute(layout.permission.delete().where(*_permission(id_, institution)))
            if gone.rowcount:
                told = {"account": id_}
                note(connection, author, "grant_withdrawn", institution=institution, detail=told)

        self._store.write(work)

    def permissions(self, id: str) -> dict[str, str]:  # noqa: A002  # likewise
        """The roles of an account by institution, `EVERYWHERE` for all of them."""
        table = layout.permission
        query = (
            sa.select(table.c.institution, table.c.role)
            .where(table.c.account == _known_as(id))
            .order_by(table.c.institution)
        )
        return self._store.read(
            lambda connection: {row.institution: row.role for row in connection.execute(query)}
        )

    def every(self) -> list[Account]:
        """Every account, by id."""
        query = sa.select(layout.account).order_by(layout.account.c.id)
        return self._store.read(lambda connection: [_account(row) for row in connection.execute(query)])

    def enabled(self, id: str) -> Account | None:  # noqa: A002  # likewise
        """The account of this id that is not disabled, or none."""
        row = self._store.read(lambda connection: _row(connection, _known_as(id)))
        return None if row is None or row.disabled else _account(row)

    def someone_may_sign_in(self) -> bool:
        """Whether at least one account that is not disabled has a password and a permission."""
        return any(one.has_password and not one.disabled and self.permissions(one.id) for one in self.every())

    def check(self, id: str, password: str) -> Account | None:  # noqa: A002  # likewise
        """The account whose password this is, or none; as much work for an id that does not exist as for one that does.

        Takes 64 MiB and a tenth of a second or more of processor on purpose: let few run at once.
        """
        from argon2.exceptions import InvalidHashError, VerificationError  # noqa: PLC0415  # here: as in _hasher

        # Made before anything depends on whether the account exists.
        nobody = _hash_of_nobody()
        known = _known_as(id)
        row = self._store.read(lambda connection: _row(connection, known)) if _ID.fullmatch(known) else None
        usable = row is not None and row.password_hash is not None and row.disabled is None
        hashed = str(row.password_hash) if row is not None and usable else nobody
        try:
            _hasher().verify(hashed, _bytes(password))
        except (VerificationError, InvalidHashError):
            return None
        if row is None or not usable:
            return None
        if _hasher().check_needs_rehash(hashed):
            self._store.write(
                lambda connection: connection.execute(
                    layout.account.update()
                    .where(layout.account.c.id == row.id, layout.account.c.password_hash == hashed)
                    .values(password_hash=_hasher().hash(_bytes(password)))
                )
            )
        return _account(row)

    def sign_in(self, id: str) -> str:  # noqa: A002  # likewise
        """Begin a sign-in of `SIGNED_IN_FOR`; the token is told once and opens what the account may open."""
        token = secrets.token_urlsafe(32)

        def work(connection: sa.Connection) -> None:
            now = datetime.now(UTC)
            connection.execute(layout.sign_in.delete().where(layout.sign_in.c.expires <= now))
            row = {
                "token_hash": _token_hash(token),
                "account": _must_exist(connection, id),
                "created": now,
                "expires": now + SIGNED_IN_FOR,
            }
            connection.execute(layout.sign_in.insert(), row)

        self._store.write(work)
        return token

    def signed_in(self, token: str) -> Account | None:
        """Whose sign-in this token is; none when it is unknown, over, or its account disabled."""
        query = (
            sa.select(layout.account)
            .join(layout.sign_in, layout.sign_in.c.account == layout.account.c.id)
            .where(
                layout.sign_in.c.token_hash == _token_hash(token),
                layout.sign_in.c.expires > datetime.now(UTC),
                layout.account.c.disabled.is_(None),
            )
        )
        row = self._store.read(lambda connection: connection.execute(query).first())
        return None if row is None else _account(row)

    def sign_out(self, token: str) -> None:
        """End a sign-in, at once and for every window that uses it."""
        gone = layout.sign_in.delete().where(layout.sign_in.c.token_hash == _token_hash(token))
        self._store.write(lambda connection: connection.execute(gone))

    def _change(self, id_: str, values: dict[str, Any], what: str, author: str) -> None:
        """Change an account and end its sign-ins."""

        def work(connection: sa.Connection) -> None:
            known = _must_exist(connection, id_)
            connection.execute(layout.account.update().where(layout.account.c.id == known).values(values))
            connection.execute(layout.sign_in.delete().where(layout.sign_in.c.account == known))
            note(connection, author, what, detail={"account": known})

        self._store.write(work)


@cache
def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher  # noqa: PLC0415  # here: a store without sign-in never needs it

    return PasswordHasher()


@cache
def _hash_of_nobody() -> str:
    return _hasher().hash(secrets.token_urlsafe(16))


def _hashed(id_: str, password: str) -> str:
    """The hash to keep, or a refusal of a password that is too short, too long or the first one to be guessed."""
    normal = _normal(password)
    if not PASSWORD_LEAST <= len(normal) <= NAME_LIMIT:
        raise _error("password", "account-password-length", least=PASSWORD_LEAST, most=NAME_LIMIT)
    plain = normal.lower()
    word = re.sub(r"[\W\d_]+", "", plain)
    names = {id_, id_.split("@", maxsplit=1)[0]}
    if (
        plain in names
        or word in _OBVIOUS | {re.sub(r"[\W\d_]+", "", one) for one in names}
        or len(set(plain)) < _FEW
        or plain in _COUNTING
    ):
        raise _error("password", "account-password-obvious")
    return _hasher().hash(_bytes(password))


def _normal(password: str) -> str:
    """The same letters however a keyboard composes them."""
    return unicodedata.normalize("NFKC", password)


def _bytes(password: str) -> bytes:
    return _normal(password).encode("utf-8", "surrogatepass")


def _known_as(id_: str) -> str:
    return id_.strip().lower()


def _token_hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _permission(id_: str, institution: str) -> tuple[sa.ColumnElement[bool], ...]:
    return layout.permission.c.account == id_, layout.permission.c.institution == institution


def _row(connection: sa.Connection, id_: str) -> sa.Row[Any] | None:
    return connection.execute(sa.select(layout.account).where(layout.account.c.id == id_)).first()


def _must_exist(connection: sa.Connection, id_: str) -> str:
    """The id as it is kept, or a refusal that names the nearest one."""
    known = list(connection.execute(sa.select(layout.account.c.id).order_by(layout.account.c.id)).scalars())
    if _known_as(id_) not in known:
        raise _error("id", "account-unknown", suggestion=nearest(id_, known), id=id_)
    return _known_as(id_)


def _account(row: sa.Row[Any]) -> Account:
    return Account(row.id, row.name, row.created, row.disabled, row.password_hash is not None)


def _error(
    place: str, code: str, *, known: Iterable[str] = (), suggestion: str | None = None, **values: object
) -> StoreError:
    return StoreError([Problem("accounts", 1, place, code, values, suggestion, tuple(known))])
