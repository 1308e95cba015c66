"""The store: institutions, campaigns, answers and evidence, kept so that nothing acknowledged is lost."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import os
import queue
import re
import secrets
import sqlite3
import sys
import threading
import time
import unicodedata
from collections import Counter
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeVar, cast

import pyarrow as pa
import sqlalchemy as sa
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import event
from sqlalchemy.engine import make_url
from sqlalchemy.pool import StaticPool

from data import layout
from data.layout import REVISION, VERSION_TABLE
from matrix import Problem, Refused, load_matrix, nearest, register_refusals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from sqlalchemy.sql.elements import ColumnElement

    from questionnaires import Questionnaire

T = TypeVar("T")

COMMENT_LIMIT = 4000
"""Characters of a comment or a reason."""
RETENTION_MONTHS = 24
"""How long after its closing a campaign keeps comments and the link between a person and a code, unless told otherwise."""
NAME_LIMIT = 300
"""Characters of any other text: ids, names, titles."""
BUSY_SECONDS = 10.0
"""How long a write waits for another program that holds the store."""
LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"
"""The letters of codes that people read and copy: none that is read for another."""
_WIPE_MILLISECONDS = 1000  # how long wiping waits for readers, while writers wait for it
_MIGRATIONS = Path(__file__).with_name("migrations")
_IDS_PER_QUERY = 10_000  # SQLite takes 32,766 values in one statement
_POSTGRES_LOCK = 7_067_801  # any number, as long as every process asks for the same one
_DRIVERS = dict.fromkeys(("postgresql", "postgres"), "postgresql+psycopg")  # what a plain address means
_SUPPORTED = frozenset({"sqlite", "sqlite+pysqlite", "postgresql+psycopg"})
# SQLSTATEs. What another program won: a conflict, a deadlock, an id taken a moment before.
_RACES = frozenset({"40001", "40P01", "23505"})
_TRIES = 3
_POOL = {"pool_size": 8, "max_overflow": 24}
_SQLITE_CODES = {
    sqlite3.SQLITE_BUSY: "store-locked",
    sqlite3.SQLITE_LOCKED: "store-locked",
    sqlite3.SQLITE_FULL: "store-full",
    sqlite3.SQLITE_READONLY: "store-read-only",
    sqlite3.SQLITE_NOTADB: "store-not-a-database",
    sqlite3.SQLITE_CORRUPT: "store-damaged",
}
_POSTGRES_CODES = {
    **dict.fromkeys(("40001", "40P01", "55P03", "57014"), "store-locked"),
    **dict.fromkeys(("XX001", "XX002"), "store-damaged"),
    "53100": "store-full",
    "25006": "store-read-only",
    "42501": "store-rights",
}
_CUT_OFF = ("08", "57P", "53300")  # how they begin when the connection ended or there is no room for one
_SQLITE = b"SQLite format 3\0"
_GUARDS = {  # what the database's own guards say of what they refuse
    "the campaign is not open": "store-not-open",
    "the campaign is closed": "store-evidence-closed",
    "the respondent has withdrawn": "store-withdrawn",
    "a withdrawal stands": "store-withdrawn",
}
_OTHERWISE = {"draft": "store-not-draft", "open": "store-not-open", "closed": "store-not-closed"}
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_migrating = threading.Lock()  # the migration machinery keeps its context in module globals

register_refusals(Path(__file__).with_name("refusals.yaml"))


COMMITTEE = ("agreed", "disagreed", "not_consulted")
"""What the patients' committee may have said of a campaign."""
SCOPES = ("institution", "department", "programme")
"""What a campaign may be about."""
FEEDBACK_STATES = ("done", "doing", "not_now")
"""How far the answer to what patients said may be."""
EDITABLE = frozenset(
    [
        "title",
        "year",
        "scope",
        "scope_kind",
        "languages",
        "programme_start",
        "out_of_scope",
        "scope_views",
        "targets",
        "committee",
        "anchor",
        "next_date",
        "closes",
        "retention_months",
        "archived",
    ]
)
"""The fields of a campaign that can change."""
BY_AXIS = ("out_of_scope", "scope_views", "targets")
"""Those that are kept by axis."""
WHEN_CLOSED = frozenset({"anchor", "next_date", "retention_months", "archived"})
"""Those that can change once it is closed: none that the results rest on."""


class Settings(BaseSettings):
    """What the environment says: ``POMEY_STORE`` is the address of the store."""

    model_config = SettingsConfigDict(env_prefix="POMEY_", env_ignore_empty=True)

    store: str | None = None


class StoreError(Refused):
    """The store refused or failed, and nothing of the call was kept; the text says where, why and what to do."""


@dataclass(frozen=True, slots=True)
class Institution:
    """A hospital or another institution; ``synthetic`` marks an invented one."""

    id: str
    name: str
    country: str
    type: str
    beds: int | None
    synthetic: bool
    created: datetime
    archived: bool = False


class Target(NamedTuple):
    """The level an axis aims at, 1 to 4, and who agreed it: a body or a meeting, in words."""

    level: int
    by: str


@dataclass(frozen=True, slots=True)
class Campaign:
    """One assessment: an institution, a scope, a year, and the exact questionnaire it is asked with.

    ``kind`` is ``assessment`` or ``reading``, ``form`` is ``full`` or ``express``; ``state`` is ``draft``, ``open`` or
    ``closed``, and answers are taken while it is open. ``scope_kind`` is ``institution``, ``department`` or
    ``programme``, ``scope`` its name. ``out_of_scope`` gives the reason for each axis that is left out and
    ``scope_views`` what patients think of it; ``targets`` the level each axis aims at. ``committee`` says whether
    the patients' committee ``agreed``, ``disagreed`` or was ``not_consulted``; ``anchor`` names who carries the
    campaign. ``closes`` is the announced last day, ``next_date`` the day of the next campaign.
    """

    id: str
    institution: str
    title: str
    kind: str
    year: int
    scope: str
    questionnaire: str
    version: int
    fingerprint: str
    form: str
    languages: tuple[str, ...]
    programme_start: date | None
    out_of_scope: dict[str, str]
    synthetic: bool
    created: datetime
    state: str = "open"
    archived: bool = False
    scope_kind: str = "institution"
    scope_views: dict[str, str] = field(default_factory=dict)
    targets: dict[str, Target] = field(default_factory=dict)
    committee: str = "not_consulted"
    anchor: str = ""
    next_date: date | None = None
    closes: date | None = None
    retention_months: int = RETENTION_MONTHS
    opened: datetime | None = None
    closed: datetime | None = None


class Event(NamedTuple):
    """One line of history: when, who, about what, what was done and, in ``detail``, each field's old and new value.

    ``what`` is ``created``, ``edited``, ``opened``, ``closed``, ``reopened``, ``archived``, ``restored``, ``imported``,
    ``evidence_added``, ``feedback_added``, ``feedback_removed`` or a word of another part of the store.
    """

    at: datetime
    author: str
    institution: str
    campaign: str
    what: str
    detail: dict[str, Any]


class Change(NamedTuple):
    """An answer changed after a reopening: what stood at the closing before it, and what stood at the end of it.

    The end is the next closing, or now; ``at`` is when the new answer was given, as it says itself.
    """

    respondent: str
    role: str
    item: str
    before: str
    after: str
    at: datetime


class Feedback(NamedTuple):
    """What patients said and what was done about it; ``axis`` is empty for the whole, ``state`` ``done``, ``doing`` or ``not_now``."""

    id: int
    axis: str
    said: str
    did: str
    state: str
    at: datetime
    author: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What one respondent said on one item, in one role; an empty ``answer`` takes the earlier one back.

    ``at`` is UTC, to the microsecond; the store sets it when it is not given.
    """

    campaign: str
    respondent: str
    role: str
    item: str
    answer: str
    reason: str = ""
    comment: str = ""
    channel: str = "own_link"
    at: datetime | None = None


class Progress(NamedTuple):
    """How far one role is: respondents with a standing answer, standing answers, time of the last one.

    ``written`` is how many answers and erasures the campaign has seen in all roles: it grows with each of them,
    whatever time an answer says it was given at.
    """

    role: str
    respondents: int
    answers: int
    last_at: datetime
    written: int


_at = pa.timestamp("us", tz="UTC")
_ANSWERS = pa.schema(
    [
        *((name, pa.string()) for name in ("assessment", "respondent", "role", "item")),
        *((name, pa.string()) for name in ("answer", "reason", "comment", "channel")),
        ("at", _at),
    ]
)
_EVIDENCE = pa.schema(
    [
        *((name, pa.string()) for name in ("assessment", "item", "title", "kind", "date", "valid_until")),
        *((name, pa.string()) for name in ("added_by", "accepted_by", "units", "file")),
    ]
)
_ASSESSMENTS = pa.schema(
    [
        *((name, pa.string()) for name in ("assessment", "kind", "institution", "country", "type")),
        ("beds", pa.int64()),
        *((name, pa.string()) for name in ("scope", "campaign", "form", "programme_start")),
        *((name, pa.string()) for name in ("out_of_scope", "out_of_scope_reason")),
    ]
)
# The moment stays the integer it is stored as: Arrow reads it as such, a hundred times faster than as objects.
_ANSWER_COLUMNS = [
    sa.type_coerce(layout.answer.c.at, sa.BigInteger)
    if name == "at"
    else layout.answer.c["campaign" if name == "assessment" else name]
    for name in _ANSWERS.names
]
_ANSWER_FIELDS = [layout.answer.c[f.name] for f in dataclasses.fields(Answer)]
_TRANSACTION = sa.text("SELECT CAST(pg_current_xact_id_if_assigned() AS text)")
_STATUS = sa.text("SELECT pg_xact_status(CAST(:number AS xid8))")
_KEY = (layout.answer.c.campaign, layout.answer.c.respondent, layout.answer.c.role, layout.answer.c.item)


@dataclass(slots=True)
class _Job:
    """Work for the writer thread and the promise to whoever waits for it."""

    work: Callable[[sa.Connection], Any]
    done: Future[Any] = field(default_factory=Future)


class _JobFailed(Exception):  # noqa: N818  # never seen outside: carries the cause out of the transaction
    """One job of a group failed, so the group is tried again with each job apart."""


class Store:
    """A database of answers with one writer thread: a call that returned is on disk, a call that raised is not.

    Any number of threads may call; writes that wait together are committed together, reads use their own
    connections and never wait for writes. Every method raises `StoreError` when the database fails. One error
    leaves open what was kept, and says so: ``store-unsure``, for a server that was lost while it committed and
    did not come back to tell.
    """

    def __init__(self, url: sa.URL) -> None:
        self._url = url
        self._file = _display(url)
        self._memory = url.get_backend_name() == "sqlite" and (
            url.database in {None, "", ":memory:"} or url.query.get("mode") == "memory"
        )
        self._closed = False
        self._closing = threading.Lock()
        self._pinned: dict[str, Campaign] = {}
        self._held: tuple[Path, tuple[int, int]] | None = None  # the file that was opened, where there is one
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        if url.drivername not in _SUPPORTED:
            raise self._error("address", "store-url")
        try:
            self._writer = _engine(url, memory=self._memory, writes=True)
            self._readers = self._writer if self._memory else _engine(url, memory=False, writes=False)
        except ImportError as error:
            raise self._error("address", "store-driver", why=error) from error
        except (sa.exc.ArgumentError, sa.exc.InvalidRequestError, ValueError) as error:
            raise self._error("address", "store-url") from error
        # A connection would make a new file where there is none.
        event.listen(self._writer, "do_connect", lambda *_: self._must_be_here())
        try:
            self._prepare()
        except Exception as error:
            self._dispose()
            failure = self._failure(error, "open")
            if failure is error:
                raise
            raise failure from error
        self._thread = threading.Thread(target=self._write, name="store-writer", daemon=True)
        self._thread.start()

    @property
    def name(self) -> str:
        """What an error calls this store: its file, or its address without the password."""
        return self._file

    @classmethod
    def open(cls, url: str | None = None) -> Self:
        """Open a store, making or upgrading it where needed.

        Without ``url``: the one `Settings` names, else `default_file`. ``sqlite:////folder/file.db`` is a file,
        ``sqlite://`` lives in memory until closed, ``postgresql://user:password@host/database`` is on a server
        (PostgreSQL 13 or newer). Raises `StoreError` when there is no store to be had there: no access, not a
        database, somebody else's database, or one made by a newer version.
        """
        address = url or Settings().store
        if address is None:
            return cls(sa.URL.create("sqlite", database=str(default_file())))
        try:
            found = make_url(address)
            return cls(found.set(drivername=_DRIVERS.get(found.drivername, found.drivername)))
        except sa.exc.ArgumentError as error:
            # The address is not repeated: it may hold a password.
            raise StoreError([Problem("POMEY_STORE", 1, "address", "store-url")]) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Finish the writes that wait, then let go of the database; further calls raise `StoreError`."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
            self._queue.put(None)
        self._thread.join()
        self._dispose()

    def add_institution(
        self,
        name: str,
        *,
        country: str = "",
        type: str = "",  # noqa: A002  # the column's name in the file formats
        beds: int | None = None,
        synthetic: bool = False,
        id: str | None = None,  # noqa: A002  # likewise
        author: str = "",
    ) -> Institution:
        """Keep a new institution; its id is made from the name unless given. Raises when the id is taken."""
        self._check(
            "institution",
            {"name": name} | ({} if id is None else {"id": id}),
            {"country": country, "type": type},
        )

        def work(connection: sa.Connection) -> Institution:
            made = self._new_id(connection, layout.institution, id, name)
            new = Institution(made, name, country, type, beds, synthetic, datetime.now(UTC))
            connection.execute(layout.institution.insert(), dataclasses.asdict(new))
            note(connection, author, "created", institution=made)
            return new

        return self.write(work)

    def edit_institution(
        self,
        institution: str,
        *,
        author: str = "",
        **changes: Any,
    ) -> Institution:
        """Change ``name``, ``country``, ``type``, ``beds`` or ``archived``, and keep a line of history.

        Raises `StoreError` for putting away an institution whose campaigns are still open: they would go on taking
        answers that nobody sees.
        """
        unknown = changes.keys() - {"name", "country", "type", "beds", "archived"}
        if unknown:
            raise TypeError(f"an institution has no {', '.join(sorted(unknown))} to change")
        texts = {key: value for key, value in changes.items() if key in {"name", "country", "type"}}
        self._check("institution", {key: value for key, value in texts.items() if key == "name"}, texts)

        def work(connection: sa.Connection) -> Institution:
            self._must_exist(connection, layout.institution, institution, "store-unknown-institution")
            query = sa.select(layout.institution).where(layout.institution.c.id == institution)
            old = Institution(*connection.execute(query.with_for_update()).one())
            new = dataclasses.replace(old, **changes)
            if new.archived and not old.archived:
                self._must_be_over(connection, institution)
            if told := _changes(old, new):
                connection.execute(
                    layout.institution.update().where(layout.institution.c.id == institution), changes
                )
                note(connection, author, _what(told), institution=institution, detail=told)
            return new

        return self.write(work)

    def institutions(self) -> list[Institution]:
        """Every institution, by name."""
        query = sa.select(layout.institution).order_by(layout.institution.c.name, layout.institution.c.id)
        return self.read(lambda connection: [Institution(*row) for row in connection.execute(query)])

    def add_campaign(
        self,
        institution: str,
        questionnaire: Questionnaire,
        *,
        title: str,
        year: int,
        kind: str = "assessment",
        scope: str = "",
        form: str = "full",
        languages: Sequence[str] = (),
        programme_start: date | None = None,
        out_of_scope: Mapping[str, str] | None = None,
        synthetic: bool = False,
        state: str = "open",
        id: str | None = None,  # noqa: A002  # the column's name in the file formats
        author: str = "",
        **settings: Any,
    ) -> Campaign:
        """Keep a new campaign, pinned to this version and fingerprint of the questionnaire.

        Its id is made from the title and year unless given; ``settings`` are other fields that `edit_campaign` can
        change. Raises when the institution is unknown or put away, the id is taken, or an axis is left out without a
        reason.
        """
        reasons = dict(out_of_scope or {})
        checked = {"title": title, "out_of_scope": reasons, "scope": scope, **settings}
        self._check_settings(checked, {} if id is None else {"id": id})
        for place, found, known in (
            ("kind", kind, ("assessment", "reading")),
            ("form", form, ("full", "express")),
            ("state", state, ("draft", "open")),
        ):
            if found not in known:
                raise self._error(place, "not-among", known, found=found)

        def work(connection: sa.Connection) -> Campaign:
            self._must_be_in_use(connection, institution)
            new = Campaign(
                id=self._new_id(
                    connection, layout.campaign, id, title if str(year) in title else f"{title} {year}"
                ),
                institution=institution,
                title=title,
                kind=kind,
                year=year,
                scope=scope,
                questionnaire=questionnaire.id,
                version=questionnaire.version,
                fingerprint=questionnaire.fingerprint,
                form=form,
                languages=tuple(languages),
                programme_start=programme_start,
                out_of_scope=reasons,
                synthetic=synthetic,
                created=(now := datetime.now(UTC)),
                state=state,
                opened=now if state == "open" else None,
                **settings,
            )
            _insert_campaign(connection, new, author)
            return new

        return self.write(work)

    def edit_campaign(
        self,
        campaign: str,
        *,
        author: str = "",
        by_axis: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
        **changes: Any,
    ) -> Campaign:
        """Change fields of a campaign and keep a line of history with their old and new values.

        ``by_axis`` changes single axes of the fields `BY_AXIS` and leaves their others to whoever changes those; a value
        of none takes the axis out. What it was asked with (questionnaire, version, form) and where never changes. A
        closed campaign lets only `WHEN_CLOSED` change: raises `StoreError` for the others, for putting away an
        assessment that is open, and `TypeError` for a field that can never change.
        """
        if unknown := (changes.keys() - EDITABLE) | (by_axis.keys() - set(BY_AXIS)):
            raise TypeError(f"a campaign has no {', '.join(sorted(unknown))} to change")
        given = {
            name: {axis: value for axis, value in own.items() if value is not None}
            for name, own in by_axis.items()
        }
        for settings in (changes, given):
            self._check_settings(settings)

        def work(connection: sa.Connection) -> Campaign:
            old = self._find_campaign(connection, campaign, lock=True)
            merged = {name: _merged(getattr(old, name), own) for name, own in by_axis.items()}
            new = dataclasses.replace(old, **(changes | merged))
            if new.archived and not old.archived and old.kind == "assessment" and old.state == "open":
                raise self._error("campaign", "store-archive-open", open=old.title)
            told = _changes(old, new)
            if old.state == "closed" and (locked := sorted(told.keys() - WHEN_CLOSED)):
                raise self._error("campaign", "store-campaign-locked", fields=", ".join(locked))
            if told:
                row = {key: value for key, value in _campaign_row(new).items() if key in told}
                connection.execute(layout.campaign.update().where(layout.campaign.c.id == campaign), row)
                note(
                    connection,
                    author,
                    _what(told),
                    institution=old.institution,
                    campaign=campaign,
                    detail=told,
                )
            return new

        return self.write(work)

    def open_campaign(self, campaign: str, *, author: str = "") -> Campaign:
        """Open a campaign that was being prepared: from now on it takes answers."""
        return self._turn(campaign, "draft", "open", "opened", author)

    def close_campaign(self, campaign: str, *, author: str = "") -> Campaign:
        """Close an open campaign: no answer is taken any more, and both sides see the results."""
        return self._turn(campaign, "open", "closed", "closed", author)

    def reopen_campaign(self, campaign: str, reason: str, *, author: str = "") -> Campaign:
        """Open a closed campaign again; the reason stays in its history."""
        problems = self._texts("campaign", 1, {"reason": reason}, {"reason": reason})
        if problems:
            raise StoreError(problems)
        return self._turn(campaign, "closed", "open", "reopened", author, {"reason": reason.strip()})

    def _turn(
        self,
        campaign: str,
        before: str,
        after: str,
        what: str,
        author: str,
        detail: Mapping[str, Any] = MappingProxyType({}),
    ) -> Campaign:
        """Bring a campaign from one state to the next, or refuse when it is in another one or put away."""

        def work(connection: sa.Connection) -> Campaign:
            old = self._find_campaign(connection, campaign, lock=True)
            if old.state != before:
                raise self._error("campaign", _OTHERWISE[before], id=campaign)
            if after == "open":
                self._must_be_in_use(connection, old.institution)
                if old.archived:
                    raise self._error("campaign", "store-put-away", name=old.title)
            now, told = datetime.now(UTC), dict(detail)
            if after == "closed":  # what comes later was said after a reopening, whatever time it gives
                last = sa.select(sa.func.max(layout.answer.c.id)).where(layout.answer.c.campaign == campaign)
                told["last_answer"] = connection.execute(last).scalar() or 0
            # A campaign that is reopened keeps the day it first opened.
            opened, closed = (old.opened or now, None) if after == "open" else (old.opened, now)
            new = dataclasses.replace(old, state=after, opened=opened, closed=closed)
            row = {"state": after, "opened": opened, "closed": closed}
            connection.execute(layout.campaign.update().where(layout.campaign.c.id == campaign), row)
            note(connection, author, what, institution=old.institution, campaign=campaign, detail=told)
            return new

        return self.write(work)

    def events(self, *, institution: str | None = None, campaign: str | None = None) -> list[Event]:
        """The history of a campaign, or of an institution with its campaigns, latest first."""
        columns = [layout.event.c[name] for name in Event._fields]
        query = sa.select(*columns).order_by(layout.event.c.id.desc())
        if institution is not None:
            query = query.where(layout.event.c.institution == institution)
        if campaign is not None:
            query = query.where(layout.event.c.campaign == campaign)
        return self.read(lambda connection: [_as_event(row) for row in connection.execute(query)])

    def changed_after_reopening(self, campaign: str, roles: Iterable[str]) -> list[Change]:
        """The answers of these roles that were changed or taken back after a reopening, in the order they were written.

        Each is held against what stood at the closing before that reopening, and stays listed after the next one. What
        did not stand at that closing, or was changed and changed back before the next one, is no change.
        """
        closings = (
            sa.select(layout.event.c.at, layout.event.c.detail)
            .where(layout.event.c.campaign == campaign, layout.event.c.what == "closed")
            .order_by(layout.event.c.id)
        )
        said = (
            sa.select(layout.answer.c.id, *_ANSWER_FIELDS)
            .where(layout.answer.c.campaign == campaign, layout.answer.c.role.in_(list(roles)))
            .order_by(layout.answer.c.id)
        )

        def work(connection: sa.Connection) -> list[Change]:
            ends = [
                (row.at, json.loads(row.detail).get("last_answer")) for row in connection.execute(closings)
            ]
            between: list[dict[tuple[str, str, str], sa.Row[Any]]] = [{} for _ in range(len(ends) + 1)]
            for row in connection.execute(said) if ends else ():
                # A closing of before the store noted its last answer has its time only.
                after = sum(row.at > at if last is None else row.id > last for at, last in ends)
                between[after][row.respondent, row.role, row.item] = row
            stood, *reopened = between
            changes: dict[int, Change] = {}
            for period in reopened:
                for key, row in period.items():
                    before = stood.get(key)
                    if before is None or not before.answer:
                        continue
                    if (before.answer, before.reason) != (row.answer, row.reason):
                        changes[row.id] = Change(*key, before.answer, row.answer, row.at)
                stood |= period
            return [change for _, change in sorted(changes.items())]

        return self.read(work)

    def add_feedback(
        self, campaign: str, *, said: str, did: str, axis: str = "", state: str = "doing", author: str = ""
    ) -> None:
        """Keep what patients said and what the institution does about it, for the page they will read."""
        self._check("feedback", {"said": said, "did": did}, {"axis": axis, "author": author})
        if state not in FEEDBACK_STATES:
            raise self._error("feedback state", "not-among", FEEDBACK_STATES, found=state)
        row = {"campaign": campaign, "axis": axis, "said": said, "did": did, "state": state, "author": author}

        def work(connection: sa.Connection) -> None:
            found = self._find_campaign(connection, campaign)
            connection.execute(layout.feedback.insert(), row | {"at": datetime.now(UTC)})
            detail = {"axis": axis, "state": state}
            note(
                connection,
                author,
                "feedback_added",
                institution=found.institution,
                campaign=campaign,
                detail=detail,
            )

        self.write(work)

    def remove_feedback(self, id: int, *, author: str = "") -> None:  # noqa: A002  # likewise
        """Take a line of feedback off the page; nothing happens when it is gone already."""
        table = layout.feedback
        query = sa.select(table.c.campaign, table.c.axis, table.c.state).where(table.c.id == id)

        def work(connection: sa.Connection) -> None:
            row = connection.execute(query.with_for_update()).first()
            if row is None:
                return
            connection.execute(table.delete().where(table.c.id == id))
            found = self._find_campaign(connection, row.campaign)
            detail = {"axis": row.axis, "state": row.state}
            note(
                connection,
                author,
                "feedback_removed",
                institution=found.institution,
                campaign=found.id,
                detail=detail,
            )

        self.write(work)

    def feedback(self, campaign: str) -> list[Feedback]:
        """What was said and done, in the order it was written."""
        columns = [layout.feedback.c[name] for name in Feedback._fields]
        query = (
            sa.select(*columns).where(layout.feedback.c.campaign == campaign).order_by(layout.feedback.c.id)
        )
        return self.read(lambda connection: [Feedback(*row) for row in connection.execute(query)])

    def add_assessments(
        self, rows: Iterable[Mapping[str, Any]], questionnaire: Questionnaire, *, author: str = ""
    ) -> int:
        """Keep the campaigns of an assessments table, with the institutions they name, all or none of them.

        An institution is found by its id or its name, and made when there is none. Returns how many campaigns
        were kept; raises when the id of one is taken.
        """
        given = list(rows)

        def work(connection: sa.Connection) -> int:
            found = connection.execute(sa.select(layout.institution.c.id, layout.institution.c.name))
            ids = {key: row.id for row in found for key in (row.name, row.id)}
            now = datetime.now(UTC)
            for row in given:
                id_ = self._new_id(connection, layout.campaign, row["assessment"], row["assessment"])
                name = row["institution"] or row["assessment"]
                if name not in ids:
                    ids[name] = self._new_id(connection, layout.institution, None, name)
                    house = Institution(ids[name], name, row["country"], row["type"], row["beds"], False, now)  # noqa: FBT003
                    connection.execute(layout.institution.insert(), dataclasses.asdict(house))
                    note(connection, author, "created", institution=house.id)
                self._must_be_in_use(connection, ids[name])
                start = _as_date(row["programme_start"])
                year = row["campaign"][:4]
                new = Campaign(
                    id=id_,
                    institution=ids[name],
                    title=row["campaign"] or id_,
                    kind=row["kind"] or "assessment",
                    year=int(year) if year.isdecimal() else now.year,
                    scope=row["scope"],
                    questionnaire=questionnaire.id,
                    version=questionnaire.version,
                    fingerprint=questionnaire.fingerprint,
                    form=row["form"] or "full",
                    languages=(),
                    programme_start=start,
                    out_of_scope=dict.fromkeys(row["out_of_scope"].split(), row["out_of_scope_reason"]),
                    synthetic=False,
                    created=now,
                    opened=now,
                )
                _insert_campaign(connection, new, author)
            return len(given)

        return self.write(work)

    def campaigns(self, institution_id: str | None = None) -> list[Campaign]:
        """Every campaign, or those of one institution, latest year first."""
        query = sa.select(layout.campaign).order_by(
            layout.campaign.c.year.desc(), layout.campaign.c.created.desc(), layout.campaign.c.id
        )
        if institution_id is not None:
            query = query.where(layout.campaign.c.institution == institution_id)
        return self.read(lambda connection: [_as_campaign(row) for row in connection.execute(query)])

    def campaign(self, id: str) -> Campaign:  # noqa: A002  # the column's name in the file formats
        """The campaign of this id; raises when there is none."""
        return self.read(functools.partial(self._find_campaign, campaign=id))

    def _pin(self, campaign: str) -> Campaign:
        """A campaign for what never changes in it, so that it is read once."""
        found = self._pinned.get(campaign)
        if found is None:
            found = self._pinned[campaign] = self.campaign(campaign)
        return found

    def save(self, answer: Answer) -> Answer:
        """Keep one answer; returns it with its time when it is on disk, and not before."""
        return self.save_many([answer])[0]

    def save_many(self, answers: Iterable[Answer], *, imported_by: str | None = None) -> list[Answer]:
        """Keep all these answers or none; raises one `StoreError` that lists every refused one by its place.

        Answers that somebody brings in from elsewhere, ``imported_by``, leave a line of history in each campaign.
        """
        given = list(answers)
        problems = [p for line, answer in enumerate(given, 1) for p in self._problems(answer, line)]
        campaigns: dict[str, Campaign] = {}
        for line, answer in enumerate(given, 1):
            if isinstance(answer.campaign, str) and answer.campaign not in campaigns:
                try:
                    campaigns[answer.campaign] = self._pin(answer.campaign)
                except StoreError as error:
                    if error.problems[0].code != "store-unknown-campaign":
                        raise
                    problems.append(dataclasses.replace(error.problems[0], line=line))
        if problems:
            raise StoreError(problems)
        rows = [(answer, campaigns[answer.campaign]) for answer in given]

        def work(connection: sa.Connection) -> list[Answer]:
            kept = insert_answers(connection, rows)
            if imported_by is not None:
                for id_, count in Counter(answer.campaign for answer in kept).items():
                    house, detail = campaigns[id_].institution, {"answers": count}
                    note(connection, imported_by, "imported", institution=house, campaign=id_, detail=detail)
            return kept

        return self.write(work)

    def answers(self, campaign_ids: Sequence[str] | None = None) -> pa.Table:
        """The standing answers of these campaigns (of all, without a list), in the order they were given.

        Columns ``assessment, respondent, role, item, answer, reason, comment, channel`` (text) and ``at``
        (microseconds, UTC): the latest of each respondent, role and item, those taken back left out.
        """
        return self._table(
            _ANSWERS,
            layout.answer.c.campaign,
            campaign_ids,
            lambda *where: standing_answers(_ANSWER_COLUMNS, *where),
        )

    def respondent(self, campaign: str, respondent: str, role: str) -> dict[str, Answer]:
        """The standing answers of one respondent in one role, by item."""
        return self.read(lambda connection: answers_of(connection, campaign, respondent, role))

    def history(self, campaign: str, respondent: str | None = None, item: str | None = None) -> list[Answer]:
        """Everything ever said in a campaign, in order, changed and taken-back answers included."""
        query = (
            sa.select(*_ANSWER_FIELDS)
            .where(layout.answer.c.campaign == campaign)
            .order_by(layout.answer.c.id)
        )
        if respondent is not None:
            query = query.where(layout.answer.c.respondent == respondent)
        if item is not None:
            query = query.where(layout.answer.c.item == item)
        return self.read(lambda connection: [Answer(*row) for row in connection.execute(query)])

    def progress(self, campaign: str) -> list[Progress]:
        """How far each role is that has standing answers, by role."""
        # Counted, not the highest id: of two programs, the one that writes the higher one may be the first to commit.
        answers, erasures = (
            sa.select(sa.func.count())
            .select_from(table)
            .where(table.c.campaign == campaign)
            .correlate(None)
            .scalar_subquery()
            for table in (layout.answer, layout.erasure)
        )
        columns = (
            layout.answer.c.role,
            sa.func.count(layout.answer.c.respondent.distinct()),
            sa.func.count(),
            sa.func.max(layout.answer.c.at, type_=layout.Moment()),
            answers + erasures,
        )
        query = standing_answers(columns, layout.answer.c.campaign == campaign).order_by(None)
        query = query.group_by(layout.answer.c.role).order_by(layout.answer.c.role)
        return self.read(lambda connection: [Progress(*row) for row in connection.execute(query)])

    def add_evidence(self, rows: pa.Table | Iterable[Mapping[str, object]], *, author: str = "") -> int:
        """Keep these pieces of evidence or none of them, and return how many they are.

        ``rows`` have the columns of the evidence table (``assessment`` is the campaign's id); dates are dates
        or ISO texts. Raises one `StoreError` that lists every refused row by its place, or when a campaign is closed:
        its results rest on what was there.
        """
        given = rows.to_pylist() if isinstance(rows, pa.Table) else [dict(row) for row in rows]
        problems: list[Problem] = []
        kept: list[dict[str, object]] = []
        for line, row in enumerate(given, 1):
            texts = {
                name: row.get(name) or "" for name in _EVIDENCE.names if name not in {"date", "valid_until"}
            }
            texts["units"] = texts["units"] or "one"
            needed = {name: texts[name] for name in ("assessment", "item", "title", "kind")}
            problems += self._texts("evidence", line, needed, texts)
            new: dict[str, object] = {**texts, "campaign": texts["assessment"]}
            del new["assessment"]
            for name in ("date", "valid_until"):
                try:
                    new[name] = _as_date(row.get(name))
                except ValueError:
                    problems.append(self._problem(name, "store-bad-date", line=line, found=row[name]))
            kept.append(new)
        if problems:
            raise StoreError(problems)

        def work(connection: sa.Connection) -> int:
            for campaign, count in Counter(str(row["campaign"]) for row in kept).items():
                found = self._find_campaign(connection, campaign, lock=True)
                if found.state == "closed":
                    raise self._error("evidence", "store-evidence-closed", id=campaign)
                house, detail = found.institution, {"pieces": count}
                note(
                    connection, author, "evidence_added", institution=house, campaign=campaign, detail=detail
                )
            if kept:
                now = datetime.now(UTC)
                connection.execute(layout.evidence.insert(), [row | {"at": now} for row in kept])
            return len(kept)

        return self.write(work)

    def evidence(self, campaign_ids: Sequence[str] | None = None) -> pa.Table:
        """The evidence of these campaigns (of all, without a list), in the order it was added.

        Columns ``assessment, item, title, kind, date, valid_until, added_by, accepted_by, units, file``, all
        text, dates as ISO texts, empty where there is none.
        """
        columns = [
            sa.func.coalesce(sa.cast(column, sa.Text), "") if isinstance(column.type, sa.Date) else column
            for column in (
                layout.evidence.c["campaign" if name == "assessment" else name] for name in _EVIDENCE.names
            )
        ]
        query = sa.select(*columns).order_by(layout.evidence.c.id)
        return self._table(_EVIDENCE, layout.evidence.c.campaign, campaign_ids, query.where)

    def assessments(self, campaign_ids: Sequence[str] | None = None) -> pa.Table:
        """One row a campaign (all of them, without a list), with what is known of its institution.

        Columns ``assessment, kind, institution`` (its id), ``country, type, beds, scope, campaign`` (the year),
        ``form, programme_start`` (ISO text), ``out_of_scope`` (axes separated by spaces) and
        ``out_of_scope_reason``; text, empty where there is none, ``beds`` a number or null.
        """
        query = (
            sa.select(
                layout.campaign,
                layout.institution.c.country,
                layout.institution.c.type,
                layout.institution.c.beds,
            )
            .join(layout.institution, layout.institution.c.id == layout.campaign.c.institution)
            .order_by(layout.campaign.c.id)
        )

        def work(connection: sa.Connection) -> pa.Table:
            rows = []
            for where in _chunks(layout.campaign.c.id, campaign_ids):
                for row in connection.execute(query.where(*where)).mappings():
                    axes = json.loads(row["out_of_scope"])
                    start = row["programme_start"]
                    derived = {
                        "assessment": row["id"],
                        "campaign": str(row["year"]),
                        "programme_start": start.isoformat() if start else "",
                        "out_of_scope": " ".join(axes),
                        "out_of_scope_reason": "; ".join(axes.values()),
                    }
                    rows.append({**row, **derived})
            return pa.Table.from_pylist(rows, schema=_ASSESSMENTS)

        return self.read(work)

    # The writer thread

    def _write(self) -> None:
        """Take what waits, commit it as one group, answer each caller; until closed."""
        while True:
            waiting = [self._queue.get()]
            while not self._queue.empty():  # nobody else takes from it
                waiting.append(self._queue.get())
            jobs = [job for job in waiting if job is not None and job.done.set_running_or_notify_cancel()]
            outcomes = self._commit(jobs)
            for job, outcome in zip(jobs, outcomes, strict=True):
                if isinstance(outcome, Exception):
                    job.done.set_exception(self._failure(outcome, "save"))
                else:
                    job.done.set_result(outcome)
            if None in waiting:
                return

    def _commit(self, jobs: list[_Job]) -> list[Any]:
        """Do the jobs, together where they can be: an outcome or an exception each."""
        try:
            outcomes = self._together(jobs) if jobs else []
        except Exception as error:  # noqa: BLE001  # whatever it is, the callers wait for it and the thread lives on
            outcomes = [error] * len(jobs)
        for at, job in enumerate(jobs):
            for _ in range(_TRIES):
                if not _passing(outcomes[at]):
                    break
                try:
                    with self._transaction() as connection:
                        outcomes[at] = job.work(connection)
                except Exception as error:  # noqa: BLE001  # it is this caller's
                    outcomes[at] = error
        return outcomes

    def _together(self, jobs: list[_Job]) -> list[Any]:
        """Run the jobs in one transaction: an outcome or an exception each, or raise when nothing was kept."""
        try:
            with self._transaction() as connection:
                outcomes = []
                for job in jobs:
                    try:
                        outcomes.append(job.work(connection))
                    except Exception as error:
                        raise _JobFailed from error
                return outcomes
        except _JobFailed as failed:
            if len(jobs) == 1:
                raise cast("Exception", failed.__cause__) from None
        # Savepoints cost more than the answers they protect, so they come in only when a job has failed.
        with self._transaction() as connection:
            outcomes = []
            for job in jobs:
                savepoint = connection.begin_nested()
                try:
                    outcomes.append(job.work(connection))
                except Exception as error:  # it is this caller's alone
                    # Raises when the database has dropped the whole transaction (a full disk): then all fail.
                    savepoint.rollback()
                    if connection.invalidated:  # the line ended, and with it what the others had done
                        raise
                    outcomes.append(error)
                else:
                    savepoint.commit()
            return outcomes

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sa.Connection]:
        """A transaction of the writer, committed at the end or undone.

        A server may commit and be cut off before it says so; then it is asked, once it is back.
        """
        with self._writer.connect() as connection, connection.begin() as transaction:
            yield connection
            asked = connection.dialect.name == "postgresql"
            number = connection.execute(_TRANSACTION).scalar() if asked else None  # none: nothing was written
            self._must_be_here()
            try:
                transaction.commit()
            except sa.exc.DBAPIError as error:
                if number is None or not error.connection_invalidated:
                    raise
                if not self._ended_well(number):
                    raise self._failure(error, "save") from error

    def _ended_well(self, number: str) -> bool:
        """Whether the server kept this transaction, asked until it answers; raises when it does not."""
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                with self._writer.connect() as connection:
                    status = connection.execute(_STATUS, {"number": number}).scalar()
            except sa.exc.DBAPIError as error:
                if time.monotonic() > deadline:
                    raise self._error("save", "store-unsure", why=_why(error.orig)) from error
            else:
                if status != "in progress":
                    return bool(status == "committed")
            time.sleep(0.1)

    def write(self, work: Callable[[sa.Connection], T]) -> T:
        """Have the writer thread do the work in its transaction, and wait until it is committed.

        The connection is SQLAlchemy's; whatever the work raises undoes all it did.
        """
        return self.writing(work).result()

    def writing(self, work: Callable[[sa.Connection], T]) -> Future[T]:
        """Like `write`, for who must not wait here: the future ends when the work is committed, or with why it is not."""
        job = _Job(work)
        with self._closing:  # nothing may be queued behind the end mark: nobody would ever answer
            if self._closed:
                raise self._error("save", "store-closed")
            self._queue.put(job)
        return cast("Future[T]", job.done)

    def read(self, work: Callable[[sa.Connection], T]) -> T:
        """Do the work on a connection of its own, in one consistent view of the database."""
        if self._memory:  # there is only one connection, and it is the writer's
            return self.write(work)
        if self._closed:
            raise self._error("read", "store-closed")
        self._must_be_here()
        try:
            with self._readers.connect() as connection:
                return work(connection)
        except sa.exc.SQLAlchemyError as error:
            raise self._failure(error, "read") from error

    def wipe_log(self) -> None:
        """Wipe erased texts from where the database keeps what was; what somebody still reads waits for the next time."""
        if self._memory:
            return
        if self._writer.dialect.name == "postgresql":  # rows of before an update stay until this
            with contextlib.suppress(sa.exc.SQLAlchemyError), self._writer.connect() as alone:
                alone.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("VACUUM answer")
            return
        with contextlib.suppress(sqlite3.OperationalError, sa.exc.TimeoutError):
            connection = self._writer.raw_connection()
            try:
                cursor = connection.cursor()
                patience = cursor.execute("PRAGMA busy_timeout").fetchone()[0]
                cursor.execute(f"PRAGMA busy_timeout={_WIPE_MILLISECONDS}")
                try:
                    cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                finally:
                    cursor.execute(f"PRAGMA busy_timeout={patience}")
            finally:
                connection.close()

    def _table(
        self,
        schema: pa.Schema,
        column: sa.Column[str],
        ids: Sequence[str] | None,
        query: Callable[..., sa.Select[Any]],
    ) -> pa.Table:
        """The rows of these ids as a table, column by column."""

        def work(connection: sa.Connection) -> pa.Table:
            parts = []
            for where in _chunks(column, ids):
                rows = connection.execute(query(*where)).all()
                columns = zip(*rows, strict=True) if rows else ([] for _ in schema)
                arrays = [pa.array(values, kind) for values, kind in zip(columns, schema.types, strict=True)]
                parts.append(pa.Table.from_arrays(arrays, schema=schema))
            return pa.concat_tables(parts)

        return self.read(work)

    # Opening

    def _prepare(self) -> None:
        """Make the folder, the file and the tables, or bring them up to date; refuse what is not ours."""
        if self._url.get_backend_name() == "sqlite" and not self._memory and "uri" not in self._url.query:
            path = Path(str(self._url.database))
            # Answers are private: a folder made for them is its owner's alone.
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # So is their file, in whatever folder it is; what the database puts beside it has the same rights.
            if not path.exists():
                path.touch(mode=0o600)
            # SQLite would take a file of a few bytes for an empty one and write over it.
            if path.is_file() and not Path(f"{path}-journal").exists():
                with path.open("rb") as file:
                    if file.read(len(_SQLITE)) not in {b"", _SQLITE}:
                        raise self._error("open", "store-not-a-database")
        with self._readers.connect() as connection:
            revision = self._found_revision(connection)
            self._hold(connection)
        if revision == REVISION:
            return
        if not self._memory and self._writer.dialect.name == "sqlite":
            self._use_write_ahead_log()
        # Two processes that open at once queue up here; the second one finds the work done.
        with self._writer.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_POSTGRES_LOCK)))
            found = self._found_revision(connection)
            if found != REVISION:
                self._check_encoding(connection)
                self._migrate(connection, found)

    def _hold(self, connection: sa.Connection) -> None:
        """Remember which file this is, where the system can tell files apart."""
        if self._memory or connection.dialect.name != "sqlite":
            return
        path = Path(connection.exec_driver_sql("PRAGMA database_list").one().file)
        found = path.stat()
        if found.st_ino:
            self._held = path, (found.st_dev, found.st_ino)

    def _must_be_here(self) -> None:
        """Refuse when the file is no longer where it was: the database would go on in one that nobody finds again."""
        if self._held is None:
            return
        path, held = self._held
        try:
            found = path.stat()
        except (FileNotFoundError, NotADirectoryError) as error:
            raise self._error("file", "store-moved") from error
        except OSError as error:
            raise self._failure(error, "file") from error
        if (found.st_dev, found.st_ino) != held:
            raise self._error("file", "store-moved")

    def _found_revision(self, connection: sa.Connection) -> str | None:
        """The migration this database is at, none when it is empty; refuse another program's database."""
        tables = sa.inspect(connection).get_table_names()
        if VERSION_TABLE in tables:
            version = sa.table(VERSION_TABLE, sa.column("version_num"))
            return connection.execute(sa.select(version.c.version_num)).scalar()
        # A file belongs to one program; a database server's schema may hold tables of others.
        if tables and connection.dialect.name == "sqlite":
            raise self._error("open", "store-foreign", tables=", ".join(sorted(tables)[:3]))
        return None

    def _check_encoding(self, connection: sa.Connection) -> None:
        """Refuse a database that could not keep every letter."""
        if connection.dialect.name == "postgresql":
            encoding = connection.execute(sa.text("SHOW server_encoding")).scalar()
            if encoding != "UTF8":
                raise self._error("open", "store-encoding", found=encoding)

    def _migrate(self, connection: sa.Connection, found: str | None) -> None:
        """Run the migrations that are missing, inside the caller's transaction; refuse a newer store."""
        # Half a second to load, and needed once in a store's life.
        from alembic import command  # noqa: PLC0415
        from alembic.config import Config  # noqa: PLC0415
        from alembic.script import ScriptDirectory  # noqa: PLC0415

        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
        known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
        if found is not None and found not in known:
            raise self._error("open", "store-newer", found=found, ours=REVISION)
        config.attributes["connection"] = connection
        with _migrating:
            command.upgrade(config, REVISION)

    def _use_write_ahead_log(self) -> None:
        """Switch the file to write-ahead logging, which it remembers; SQLite itself does not queue for this."""
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            connection = self._writer.raw_connection()
            try:
                connection.cursor().execute("PRAGMA journal_mode=WAL")
            except sqlite3.OperationalError as error:
                if _sqlite_code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
            else:
                return
            finally:
                connection.close()

    def _dispose(self) -> None:
        self._readers.dispose()
        self._writer.dispose()

    # Checks and errors

    def _check(self, place: str, needed: Mapping[str, object], optional: Mapping[str, object]) -> None:
        problems = self._texts(place, 1, needed, {**needed, **optional})
        found = needed.get("id", "x")
        if not problems and not _ID.fullmatch(str(found)):
            problems = [self._problem(f"{place} id", "store-bad-id", found=found)]
        if problems:
            raise StoreError(problems)

    def _problems(self, answer: Answer, line: int) -> list[Problem]:
        """What the store itself must refuse in an answer, whatever the questionnaire."""
        needed = {"respondent": answer.respondent, "role": answer.role, "item": answer.item}
        texts = {
            **needed,
            "campaign": answer.campaign,
            "answer": answer.answer,
            "channel": answer.channel,
            "reason": answer.reason,
            "comment": answer.comment,
        }
        problems = self._texts("answer", line, needed, texts)
        roles = load_matrix().lens_of
        if not any(problem.place == "answer role" for problem in problems) and answer.role not in roles:
            unknown = self._problem("answer role", "not-among", line=line, found=answer.role)
            meant = nearest(answer.role, tuple(roles))
            problems.append(dataclasses.replace(unknown, suggestion=meant, known=tuple(roles)))
        if answer.at is not None and answer.at.tzinfo is None:
            problems.append(self._problem("answer at", "store-naive-time", line=line, found=answer.at))
        return problems

    def _texts(
        self, place: str, line: int, needed: Mapping[str, object], texts: Mapping[str, object]
    ) -> list[Problem]:
        """What is wrong with these texts: not a text, empty, too long, or impossible to keep."""
        problems = []
        for name, found in texts.items():
            limit = (
                COMMENT_LIMIT
                if name in {"comment", "reason", "said", "did"}
                or name.startswith(("out_of_scope", "scope_views"))
                else NAME_LIMIT
            )
            where = f"{place} {name}"
            if not isinstance(found, str):
                problems.append(self._problem(where, "not-text", line=line, found=found))
            elif name in needed and not found.strip():
                problems.append(self._problem(where, "empty-text", line=line))
            elif len(found) > limit:
                problems.append(
                    self._problem(where, "store-too-long", line=line, found=len(found), limit=limit)
                )
            elif not found.isascii() or "\0" in found:
                bad = next((c for c in found if c == "\0" or "\ud800" <= c <= "\udfff"), None)
                if bad is not None:
                    code = f"U+{ord(bad):04X}"
                    problems.append(self._problem(where, "store-bad-character", line=line, found=code))
        return problems

    def _must_exist(self, connection: sa.Connection, table: sa.Table, wanted: str, code: str) -> None:
        if connection.execute(sa.select(table.c.id).where(table.c.id == wanted)).first() is None:
            known = list(connection.execute(sa.select(table.c.id).order_by(table.c.id)).scalars())
            raise StoreError(
                [
                    dataclasses.replace(
                        self._problem(table.name, code, id=wanted), suggestion=nearest(wanted, known)
                    )
                ]
            )

    def _must_be_in_use(self, connection: sa.Connection, institution: str) -> None:
        """Refuse an institution that is unknown or put away, and hold it as it is until the transaction ends."""
        self._must_exist(connection, layout.institution, institution, "store-unknown-institution")
        query = sa.select(layout.institution.c.name, layout.institution.c.archived).where(
            layout.institution.c.id == institution
        )
        found = connection.execute(query.with_for_update(read=True)).one()
        if found.archived:
            raise self._error("institution", "store-put-away", name=found.name)

    def _must_be_over(self, connection: sa.Connection, institution: str) -> None:
        """Refuse an institution with an assessment that still takes answers; a reading never closes."""
        query = sa.select(layout.campaign.c.title).where(
            layout.campaign.c.institution == institution,
            layout.campaign.c.kind == "assessment",
            layout.campaign.c.state == "open",
        )
        if titles := connection.execute(query.order_by(layout.campaign.c.title)).scalars().all():
            raise self._error("institution", "store-archive-open", open=", ".join(titles))

    def _check_settings(
        self, settings: Mapping[str, Any], more: Mapping[str, object] = MappingProxyType({})
    ) -> None:
        """Refuse settings of a campaign that cannot be: texts, choices, levels, months."""
        needed = {**more, **{key: settings[key] for key in ("title",) if key in settings}}
        for key in ("out_of_scope", "scope_views"):
            needed |= {f"{key} {axis}": text for axis, text in settings.get(key, {}).items()}
        self._check(
            "campaign", needed, {key: settings[key] for key in ("scope", "anchor") if key in settings}
        )
        for key, known in (("committee", COMMITTEE), ("scope_kind", SCOPES)):
            if settings.get(key, known[0]) not in known:
                raise self._error(key, "not-among", known, found=settings[key])
        for axis, target in settings.get("targets", {}).items():
            self._check("campaign", {f"targets {axis}": target.by}, {})
            if target.level not in range(1, 5):
                raise self._error(f"targets {axis}", "not-among", ("1", "2", "3", "4"), found=target.level)
        if not 1 <= settings.get("retention_months", 1) <= 120:  # noqa: PLR2004  # ten years
            raise self._error("retention_months", "store-months", found=settings["retention_months"])

    def _find_campaign(self, connection: sa.Connection, campaign: str, *, lock: bool = False) -> Campaign:
        self._must_exist(connection, layout.campaign, campaign, "store-unknown-campaign")
        if lock:  # on a database with many writers; SQLite has one
            connection.execute(
                sa.select(layout.campaign.c.id).where(layout.campaign.c.id == campaign).with_for_update()
            )
        return _as_campaign(
            connection.execute(sa.select(layout.campaign).where(layout.campaign.c.id == campaign)).one()
        )

    def _new_id(self, connection: sa.Connection, table: sa.Table, given: str | None, name: str) -> str:
        """The given id when it is free, else one that reads like the name and is free."""
        while True:
            candidate = (
                given or f"{_slug(name) or table.name}-{''.join(secrets.choice(LETTERS) for _ in range(4))}"
            )
            if connection.execute(sa.select(table.c.id).where(table.c.id == candidate)).first() is None:
                return candidate
            if given:
                raise self._error(f"{table.name} id", "store-id-taken", id=given)

    def _problem(self, place: str, code: str, *, line: int = 1, **values: object) -> Problem:
        return Problem(self._file, line, place, code, values)

    def _error(self, place: str, code: str, known: tuple[str, ...] = (), **values: object) -> StoreError:
        return StoreError([Problem(self._file, 1, place, code, values, known=known)])

    def _failure(self, error: Exception, place: str) -> Exception:
        """What the caller is told about a failure of the database or the disk; anything else as it is."""
        if isinstance(error, StoreError):
            return StoreError(error.problems)  # one exception an asker: their tracebacks are their own
        if not isinstance(error, sa.exc.SQLAlchemyError | sqlite3.Error | OSError | UnicodeError):
            return error
        cause = getattr(error, "orig", None) or error
        for said, code in _GUARDS.items():
            if said in str(cause):
                return self._error("campaign", code)
        if hasattr(cause, "sqlstate"):
            code = _postgres_code(cause.sqlstate, place)
        else:
            code = _SQLITE_CODES.get(_sqlite_code(cause), "store-open" if place == "open" else "store-failed")
        failure = self._error(place, code, why=_why(cause))
        failure.__cause__ = error
        return failure


def default_file() -> Path:
    """Where the store lives when nobody says otherwise: the user's own data folder on this system."""
    home = Path.home()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = home / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    return base / "pomey" / "pomey.db"


def _engine(url: sa.URL, *, memory: bool, writes: bool) -> sa.Engine:
    """An engine whose transactions begin as they should: writers with the lock, readers without."""
    options: dict[str, Any] = {"hide_parameters": True}  # answers do not belong in an error's text
    if url.get_backend_name() == "postgresql":
        return _postgres_engine(url, writes=writes, options=options | _POOL)
    arguments: dict[str, Any] = {"check_same_thread": False}
    if "timeout" not in url.query:
        arguments["timeout"] = BUSY_SECONDS
    if memory:
        options["poolclass"] = StaticPool
    else:
        options |= {"pool_size": 1, "max_overflow": 0} if writes else _POOL
    engine = sa.create_engine(url, connect_args=arguments, **options)

    @event.listens_for(engine, "connect")
    def connect(connection: Any, _: object) -> None:  # the driver's own, and it has no type
        connection.isolation_level = None  # the driver's guesses at transactions are switched off
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(
            "PRAGMA fullfsync=ON"
        )  # macOS only: there, a plain sync stops at the drive's cache
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA secure_delete=ON")  # what is erased is overwritten in the file too

    @event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgres_engine(url: sa.URL, *, writes: bool, options: dict[str, Any]) -> sa.Engine:
    """An engine for a server: writers wait for its disk, readers see one moment however much they ask."""
    arguments = {"connect_timeout": int(BUSY_SECONDS), "fallback_application_name": "pomey"}
    engine = sa.create_engine(
        url,
        connect_args={name: value for name, value in arguments.items() if name not in url.query},
        isolation_level="READ COMMITTED" if writes else "REPEATABLE READ",
        pool_pre_ping=not writes,  # the writer finds out by itself, and does its work again
        **options,
    )

    @event.listens_for(engine, "connect")
    def connect(connection: Any, _: object) -> None:  # likewise
        connection.execute(f"SET lock_timeout = {int(BUSY_SECONDS * 1000)}")
        # A server may be set to acknowledge before the disk has it; ours are answers that must not be lost.
        connection.execute(
            "SELECT set_config('synchronous_commit', 'on', false) "
            "WHERE current_setting('synchronous_commit') = 'off'"
        )
        connection.commit()

    return engine


def _display(url: sa.URL) -> str:
    """The store's name in an error: its file, or its address without the password."""
    if url.get_backend_name() == "sqlite":
        return url.database or "sqlite://"
    # What follows the question mark may be a password too; where the server is may stand there as well.
    where = {name: value for name, value in url.query.items() if name in {"host", "port"}}
    return url.set(query=where).render_as_string(hide_password=True)


def standing_answers(columns: Iterable[Any], *where: ColumnElement[bool]) -> sa.Select[Any]:
    """The latest answer of each respondent, role and item among these, unless it was taken back."""
    latest = sa.select(sa.func.max(layout.answer.c.id)).where(*where).group_by(*_KEY)
    return (
        sa.select(*columns)
        .where(layout.answer.c.id.in_(latest), layout.answer.c.answer != "")
        .order_by(layout.answer.c.id)
    )


# Written once, since it is asked at each answer on the respondents' page.
_OF_RESPONDENT = standing_answers(
    _ANSWER_FIELDS, *(column == sa.bindparam(column.name) for column in _KEY[:3])
)


def _chunks(column: sa.Column[str], ids: Sequence[str] | None) -> Iterable[tuple[ColumnElement[bool], ...]]:
    """Conditions that select these ids, few enough at a time for one statement; one empty one for all."""
    if ids is None:
        return [()]
    unique = sorted(set(ids))
    return [
        (column.in_(unique[at : at + _IDS_PER_QUERY]),) for at in range(0, len(unique) or 1, _IDS_PER_QUERY)
    ]


def answers_of(connection: sa.Connection, campaign: str, respondent: str, role: str) -> dict[str, Answer]:
    """The standing answers of one respondent in one role, by item, as the caller's transaction sees them."""
    who = {"campaign": campaign, "respondent": respondent, "role": role}
    return {row.item: Answer(*row) for row in connection.execute(_OF_RESPONDENT, who)}


def insert_answers(connection: sa.Connection, given: Sequence[tuple[Answer, Campaign]]) -> list[Answer]:
    """Keep answers, each with its campaign's questionnaire, inside the caller's transaction; they return with their times.

    The texts are the caller's to check.
    """
    now = datetime.now(UTC)
    kept = [answer if answer.at else dataclasses.replace(answer, at=now) for answer, _ in given]
    if kept:
        rows = [_row(answer, campaign) for answer, (_, campaign) in zip(kept, given, strict=True)]
        connection.execute(layout.answer.insert(), rows)
    return kept


def _row(answer: Answer, campaign: Campaign) -> dict[str, object]:
    return {
        **{f.name: getattr(answer, f.name) for f in dataclasses.fields(answer)},
        "questionnaire": campaign.questionnaire,
        "version": campaign.version,
        "fingerprint": campaign.fingerprint,
        "form": campaign.form,
    }


def note(
    connection: sa.Connection,
    author: str,
    what: str,
    *,
    institution: str = "",
    campaign: str = "",
    detail: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Write a line of history inside the caller's transaction."""
    told = json.dumps(dict(detail), ensure_ascii=False, default=str)
    line = {"author": author, "what": what, "institution": institution, "campaign": campaign, "detail": told}
    connection.execute(layout.event.insert(), line | {"at": datetime.now(UTC)})


def _changes(old: Institution | Campaign, new: Institution | Campaign) -> dict[str, list[Any]]:
    """Each field that differs, with its old and its new value."""
    pairs = {f.name: [getattr(old, f.name), getattr(new, f.name)] for f in dataclasses.fields(old)}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _merged(old: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A setting kept by axis with some axes changed; none takes an axis out."""
    return {axis: value for axis, value in {**old, **changes}.items() if value is not None}


def _what(told: Mapping[str, list[Any]]) -> str:
    """The word of history for these changes."""
    if told.keys() == {"archived"}:
        return "archived" if told["archived"][1] else "restored"
    return "edited"


def _campaign_row(campaign: Campaign) -> dict[str, Any]:
    row = {f.name: getattr(campaign, f.name) for f in dataclasses.fields(campaign)}
    texts = {
        name: json.dumps(row[name], ensure_ascii=False) for name in ("out_of_scope", "scope_views", "targets")
    }
    return row | texts | {"languages": " ".join(campaign.languages)}


def _insert_campaign(connection: sa.Connection, new: Campaign, author: str) -> None:
    connection.execute(layout.campaign.insert(), _campaign_row(new))
    for what in ("created", "opened") if new.opened else ("created",):
        note(connection, author, what, institution=new.institution, campaign=new.id)


def _as_campaign(row: sa.Row[Any]) -> Campaign:
    fields = dict(row._mapping)  # noqa: SLF001  # SQLAlchemy's documented name for it
    for name in ("out_of_scope", "scope_views", "targets"):
        fields[name] = json.loads(fields[name])
    fields["targets"] = {axis: Target(*target) for axis, target in fields["targets"].items()}
    return Campaign(**{**fields, "languages": tuple(row.languages.split())})


def _as_event(row: sa.Row[Any]) -> Event:
    what = row.what
    if what == "withdrawn" and not row.campaign:  # a role that was taken back had the same word once
        what = "grant_withdrawn"
    return Event(row.at, row.author, row.institution, row.campaign, what, json.loads(row.detail))


def _as_date(found: object) -> date | None:
    if found is None or found == "":
        return None
    if isinstance(found, datetime):
        return found.date()
    return found if isinstance(found, date) else date.fromisoformat(str(found))


def _slug(name: str) -> str:
    """The name as an id can carry it: small plain letters, digits and dashes, 40 at most."""
    plain = name.lower().replace("œ", "oe").replace("æ", "ae").replace("ß", "ss")
    plain = unicodedata.normalize("NFKD", plain).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40].strip("-")


def _sqlite_code(error: object) -> int:
    """SQLite's primary result code, -1 for an error that is not SQLite's."""
    return getattr(error, "sqlite_errorcode", -1) & 0xFF if hasattr(error, "sqlite_errorcode") else -1


def _passing(outcome: object) -> bool:
    """Whether this is a failure that doing the same again may mend: nothing of it was kept."""
    if not isinstance(outcome, sa.exc.DBAPIError):
        return False
    return outcome.connection_invalidated or getattr(outcome.orig, "sqlstate", None) in _RACES


def _postgres_code(state: str | None, place: str) -> str:
    """The refusal for an SQLSTATE; there is none when no server was reached or the line went dead."""
    if state is None or state.startswith(_CUT_OFF):
        return "store-connect" if place == "open" else "store-lost"
    return _POSTGRES_CODES.get(state, "store-failed")


def _why(cause: object) -> str:
    """The database's own words, without the rows that PostgreSQL adds to them."""
    primary = getattr(getattr(cause, "diag", None), "message_primary", None)
    return " ".join(str(primary or cause).split())
