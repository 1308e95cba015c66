"""Invitations: the links by which people answer, the codes they answer under, and their right to withdraw."""

from __future__ import annotations

import calendar
import hashlib
import secrets
import unicodedata
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from data import layout
from data.store import (
    LETTERS,
    Answer,
    Store,
    StoreError,
    answers_of,
    insert_answers,
    note,
    standing_answers,
)
from matrix import Problem, load_matrix, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable
    from concurrent.futures import Future

    from data.store import Campaign

LABEL_LIMIT = 120
"""Characters of an invitation's label."""
COUNT_LIMIT = 500
"""Personal links made at once."""
EXPECTED_LIMIT = 100_000
"""People a shared link may expect."""
_CODE_LETTERS = 5
_RECEIPT_LENGTH = 16  # 79 bits


class Invitation(NamedTuple):
    """A link, ``personal`` (for one respondent) or ``shared`` (whoever follows it becomes a respondent).

    ``label`` says in the coordinator's words whom it is for, a ward or a mailing: it must hold nobody's name.
    ``expires`` is the last day it opens (UTC), ``expected`` how many people a shared link was handed to.
    """

    id: str
    campaign: str
    role: str
    kind: str
    label: str
    expected: int | None
    created: datetime
    created_by: str
    expires: date | None
    revoked: datetime | None


class Respondent(NamedTuple):
    """Who answers, known by a code alone, and how far they are; ``code`` is the ``respondent`` of their answers.

    ``expires`` is the last day of their link, ``kind`` that of the invitation they came by, ``state`` that of the
    campaign: ``draft``, ``open`` or ``closed``.
    """

    campaign: str
    code: str
    role: str
    invitation: str
    language: str
    created: datetime
    started: datetime | None
    submitted: datetime | None
    erased: datetime | None
    expires: date | None
    kind: str
    state: str

    @property
    def channel(self) -> str:
        """By which way their answers come, as it is kept with each."""
        return "shared_link" if self.kind == "shared" else "own_link"


class Kept(NamedTuple):
    """Whose link it is and, by item, what they have said once the new answer is kept."""

    who: Respondent
    answers: dict[str, Answer]


class Standing(NamedTuple):
    """How many people of a role were invited, have started and have submitted; who withdrew is not counted.

    ``invited`` is none when a shared link reached nobody knows how many.
    """

    role: str
    invited: int | None
    started: int
    submitted: int

    @property
    def rate(self) -> float | None:
        """The share of those invited who have submitted; none when nobody can say how many were."""
        # more on a shared link than it was said to reach: how many it did reach is not known
        return self.submitted / self.invited if self.invited and self.submitted <= self.invited else None


class Issued(NamedTuple):
    """A new link: its token is shown now and never again; ``code`` is the respondent's, empty for a shared link."""

    invitation: Invitation
    token: str
    code: str


_R, _I, _C, _A = layout.respondent.c, layout.invitation.c, layout.campaign.c, layout.answer.c
_FIELDS = [_I[name] for name in Invitation._fields]
_RESPONDENTS = (
    sa.select(
        *(_R[name] for name in Respondent._fields if name not in {"expires", "kind", "state"}),
        _I.expires,
        _I.kind,
        _C.state,
    )
    .join(layout.invitation, _I.id == _R.invitation)
    .join(layout.campaign, _C.id == _R.campaign)
)
_LIVE = (
    _I.revoked.is_(None),
    sa.or_(
        _I.expires.is_(None),
        _I.expires >= sa.bindparam("today", type_=sa.Date),
        _C.state == "closed",  # the end date ends the answering; what became of it is read afterwards
    ),
)
# Made once: it is asked at every page and every answer.
_BY_TOKEN = _RESPONDENTS.where(_R.token_hash == sa.bindparam("hash"), *_LIVE)
_BY_SHARED_TOKEN = (
    sa.select(*_FIELDS)
    .join(layout.campaign, _C.id == _I.campaign)
    .where(_I.token_hash == sa.bindparam("hash"), *_LIVE)
)
_BY_RECEIPT = _RESPONDENTS.where(_R.receipt_hash == sa.bindparam("hash"))


class Invitations:
    """The invitations of a store and what becomes of them.

    Tokens and receipts are kept as hashes only: whoever reads the database can open no link. Every method raises
    `StoreError` when the store fails or refuses.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    # Making and taking back links

    def personal(
        self,
        campaign: str,
        role: str,
        count: int,
        *,
        label: str = "",
        expires: date | None = None,
        author: str = "",
    ) -> list[Issued]:
        """Make links for so many people, 1 to `COUNT_LIMIT`, each with a respondent's code of its own.

        Raises when the role is unknown, the label too long, ``expires`` in the past or the campaign closed.
        """
        self._check(campaign, role, label, expires)
        if not 1 <= count <= COUNT_LIMIT:
            raise self._error("count", "invitation-count", found=count, limit=COUNT_LIMIT)

        def work(connection: sa.Connection) -> list[Issued]:
            institution = self._must_be(connection, campaign, "draft", "open")
            now = datetime.now(UTC)
            issued = [
                Issued(
                    _new_invitation(campaign, role, "personal", label, None, now, author, expires),
                    _new_token(),
                    code,
                )
                for code in _new_codes(connection, campaign, count)
            ]
            connection.execute(layout.invitation.insert(), [one.invitation._asdict() for one in issued])
            connection.execute(
                layout.respondent.insert(),
                [_new_respondent(one.invitation, one.code, one.token, now) for one in issued],
            )
            detail = {"role": role, "count": count}
            note(connection, author, "invited", institution=institution, campaign=campaign, detail=detail)
            return issued

        return self._store.write(work)

    def shared(
        self,
        campaign: str,
        role: str,
        *,
        label: str = "",
        expected: int | None = None,
        expires: date | None = None,
        author: str = "",
    ) -> Issued:
        """Make one link for many people: each who begins on it becomes a respondent; refuses as `personal` does."""
        self._check(campaign, role, label, expires)
        if expected is not None and not 1 <= expected <= EXPECTED_LIMIT:
            raise self._error("expected", "invitation-expected", found=expected, limit=EXPECTED_LIMIT)

        def work(connection: sa.Connection) -> Issued:
            institution = self._must_be(connection, campaign, "draft", "open")
            new = _new_invitation(
                campaign, role, "shared", label, expected, datetime.now(UTC), author, expires
            )
            token = _new_token()
            connection.execute(layout.invitation.insert(), {**new._asdict(), "token_hash": _hash(token)})
            detail = {"role": role, "invitation": new.id, "expected": expected}
            note(connection, author, "shared", institution=institution, campaign=campaign, detail=detail)
            return Issued(new, token, "")

        return self._store.write(work)

    def renew(self, invitation_id: str, *, author: str = "") -> Issued:
        """Give an invitation a new token: the old link opens nothing any more, a respondent keeps their code.

        People who began on a shared link keep their own links. Raises when the invitation is unknown, revoked or
        expired, or its person has withdrawn, or has begun: a new link would open their answers to whoever makes it.
        """

        def work(connection: sa.Connection) -> Issued:
            found, institution = self._find(connection, invitation_id)
            if found.revoked is not None:
                raise self._error("invitation", "invitation-revoked", id=found.id)
            if found.expires is not None and found.expires < _today():
                raise self._error("invitation", "invitation-expired", id=found.id, date=found.expires)
            token, code = _new_token(), ""
            if found.kind == "shared":
                table, which = layout.invitation, _I.id == found.id
            else:
                table, which = layout.respondent, sa.and_(_R.invitation == found.id, _R.erased.is_(None))
                person = connection.execute(sa.select(_R.code, _R.started).where(which)).first()
                if person is None:
                    raise self._error("invitation", "invitation-withdrawn", id=found.id)
                if person.started is not None:
                    raise self._error("invitation", "invitation-begun", id=found.id)
                code = person.code
            connection.execute(table.update().where(which), {"token_hash": _hash(token)})
            self._note(connection, author, "renewed", found, institution)
            return Issued(found, token, code)

        return self._store.write(work)

    def revoke(self, invitation_id: str, *, author: str = "") -> None:
        """Make an invitation open nothing any more, nor the links of people who began on it; their answers stay."""

        def work(connection: sa.Connection) -> None:
            found, institution = self._find(connection, invitation_id)
            if found.revoked is None:
                which = _I.id == invitation_id
                connection.execute(layout.invitation.update().where(which), {"revoked": datetime.now(UTC)})
                self._note(connection, author, "revoked", found, institution)

        self._store.write(work)

    # What there is

    def every(self, campaign: str) -> list[Invitation]:
        """The invitations of a campaign, oldest first, revoked and expired ones included."""
        query = sa.select(*_FIELDS).where(_I.campaign == campaign).order_by(_I.created, _I.id)
        return self._store.read(
            lambda connection: [Invitation._make(row) for row in connection.execute(query)]
        )

    def free_code(self, campaign: str) -> str:
        """A code that nobody in the campaign answers under, for somebody without a link; it is not kept aside."""
        return self._store.read(lambda connection: _new_codes(connection, campaign, 1)[0])

    def respondents(self, campaign: str) -> list[Respondent]:
        """The respondents of a campaign, oldest first, those who withdrew included."""
        query = _RESPONDENTS.where(_R.campaign == campaign).order_by(_R.created, _R.code)
        return self._store.read(
            lambda connection: [Respondent._make(row) for row in connection.execute(query)]
        )

    def standing(self, campaign: str) -> list[Standing]:
        """How far each role is that somebody of was invited, in the matrix's order.

        A shared link counts the people it expects, so more may start than were invited. A revoked link counts no
        more as an invitation, except for a person who had started on their own one.
        """
        unknown = sa.func.count() - sa.func.count(_I.expected)  # links that do not say how many they expect
        links = sa.select(_I.role, sa.case((unknown == 0, sa.func.sum(_I.expected)))).where(
            _I.campaign == campaign, _I.kind == "shared", _I.revoked.is_(None)
        )
        invited = sa.and_(_I.kind == "personal", sa.or_(_I.revoked.is_(None), _R.started.is_not(None)))
        people = (
            sa.select(
                _R.role,
                sa.func.sum(sa.case((invited, 1), else_=0)),
                sa.func.count(_R.started),
                sa.func.count(_R.submitted),
            )
            .join(layout.invitation, _I.id == _R.invitation)
            .where(_R.campaign == campaign, _R.erased.is_(None))
        )

        def work(connection: sa.Connection) -> list[Standing]:
            expected = {row[0]: row[1] for row in connection.execute(links.group_by(_I.role))}
            found = {row[0]: Standing(*row) for row in connection.execute(people.group_by(_R.role))}
            for role, count in expected.items():
                one = found.get(role, Standing(role, 0, 0, 0))
                found[role] = one._replace(invited=None if count is None else (one.invited or 0) + count)
            shown = [role for role, one in found.items() if role in expected or any(one[1:])]
            return [found[role] for role in load_matrix().lens_of if role in shown]

        return self._store.read(work)

    def answered(self, campaign: str) -> dict[str, int]:
        """How many answers stand of each respondent who has any."""
        query = standing_answers((_A.respondent, sa.func.count()), _A.campaign == campaign).order_by(None)
        query = query.group_by(_A.respondent)
        return self._store.read(lambda connection: {row[0]: row[1] for row in connection.execute(query)})

    # People answering

    def open_personal(self, token: str) -> Respondent | None:
        """The respondent this link is of; none when it is unknown, renewed, revoked, withdrawn, or expired before the closing."""
        row = self._one(_BY_TOKEN, hash=_hash(token), today=_today())
        return None if row is None else Respondent._make(row)

    def open_shared(self, token: str) -> Invitation | None:
        """The invitation this shared link is of; none when it is unknown, renewed, revoked, or expired before the closing."""
        row = self._one(_BY_SHARED_TOKEN, hash=_hash(token), today=_today())
        return None if row is None else Invitation._make(row)

    def begin(self, shared_token: str, language: str) -> tuple[Respondent, str] | None:
        """Make a respondent of somebody who follows a shared link, with a token of their own to come back with.

        None when the link opens nothing; raises when the campaign is not open or the language unknown.
        """
        self._check_language(language)

        def work(connection: sa.Connection) -> tuple[Respondent, str] | None:
            values = {"hash": _hash(shared_token), "today": _today()}
            row = connection.execute(_BY_SHARED_TOKEN, values).first()
            if row is None:
                return None
            link = Invitation._make(row)
            self._must_be(connection, link.campaign, "open")
            [code] = _new_codes(connection, link.campaign, 1)
            token, now = _new_token(), datetime.now(UTC)
            new = _new_respondent(link, code, token, now) | {"language": language, "started": now}
            connection.execute(layout.respondent.insert(), new)
            new |= {"submitted": None, "erased": None, "expires": link.expires}
            new |= {"kind": link.kind, "state": "open"}
            return Respondent(*(new[name] for name in Respondent._fields)), token

        return self._store.write(work)

    def keep(
        self, token: str, campaign: Campaign, item: str, said: tuple[str, str, str]
    ) -> Future[Kept | None]:
        """Keep what who holds this link says on an item (answer, reason, comment), unless that stands already.

        Who they are, what they have said and what they say now are one transaction, for this is done at every click.
        The future ends with nothing when the link opens nothing in this campaign; nothing is kept while they have
        not started or the campaign is not open.
        """
        values = {"hash": _hash(token), "today": _today()}

        def work(connection: sa.Connection) -> Kept | None:
            row = connection.execute(_BY_TOKEN, values).first()
            if row is None or row.campaign != campaign.id:
                return None
            who = Respondent._make(row)
            answers = answers_of(connection, campaign.id, who.code, who.role)
            new = Answer(campaign.id, who.code, who.role, item, *said, channel=who.channel)
            old = answers.get(item, Answer(campaign.id, who.code, who.role, item, ""))
            if who.state == "open" and who.started and said != (old.answer, old.reason, old.comment):
                [answers[item]] = insert_answers(connection, [(new, campaign)])
                if not new.answer:
                    del answers[item]
            return Kept(who, answers)

        return self._store.writing(work)

    def start(self, campaign: str, code: str, language: str) -> None:
        """Note that this respondent has started, the first time, and the language they answer in, every time.

        Raises when the campaign is not open, or has no such respondent.
        """
        self._check_language(language)

        def work(connection: sa.Connection) -> None:
            self._must_be(connection, campaign, "open")
            row = {"language": language, "started": sa.func.coalesce(_R.started, _at(datetime.now(UTC)))}
            self._change(connection, campaign, code, row)

        self._store.write(work)

    def submit(self, token: str) -> str:
        """Note that who holds this link has finished, and return their receipt, ``xxxx-xxxx-xxxx-xxxx``.

        It is made from the link, so that it is the same however often one finishes, and kept as a hash only. It can
        be had after the closing too, since it is what one withdraws with; who has not finished by then stays
        unfinished. Raises when the campaign is not open yet, or the link is nobody's.
        """
        number = int(hashlib.sha256(f"receipt {token}".encode()).hexdigest(), 16)
        letters = [
            LETTERS[number // len(LETTERS) ** place % len(LETTERS)] for place in range(_RECEIPT_LENGTH)
        ]
        receipt = "-".join("".join(letters[at : at + 4]) for at in range(0, _RECEIPT_LENGTH, 4))

        def work(connection: sa.Connection) -> str:
            row = connection.execute(_BY_TOKEN, {"hash": _hash(token), "today": _today()}).first()
            if row is None:
                raise self._error("link", "invitation-link")
            who = Respondent._make(row)
            self._must_be(connection, who.campaign, "open", "closed")
            now = _at(datetime.now(UTC))
            said: dict[str, Any] = {"receipt_hash": _hash(_plain(receipt))}
            if who.state == "open":
                said |= {"started": sa.func.coalesce(_R.started, now), "submitted": now}
            self._change(connection, who.campaign, who.code, said)
            return receipt

        return self._store.write(work)

    # Withdrawing and forgetting

    def by_receipt(self, receipt: str) -> Respondent | None:
        """The respondent this receipt was given to, however it is spelled: capitals, spaces and dashes do not matter."""
        row = self._one(_BY_RECEIPT, hash=_hash(_plain(receipt)))
        return None if row is None else Respondent._make(row)

    def erase(self, receipt: str) -> int:
        """Withdraw: empty every answer, reason and comment of who holds this receipt, and forget their link.

        That they answered, what and when stays in the history, without what they said. Returns how many answers
        were emptied, earlier ones that had been changed included. Raises when nobody has this receipt, or they
        have withdrawn already.
        """

        def work(connection: sa.Connection) -> int:
            values = {"hash": _hash(_plain(receipt))}
            row = connection.execute(_BY_RECEIPT.with_for_update(of=layout.respondent), values).first()
            if row is None:
                raise self._error("receipt", "invitation-receipt")
            gone = Respondent._make(row)
            now = datetime.now(UTC)
            connection.execute(
                layout.respondent.update().where(_R.campaign == gone.campaign, _R.code == gone.code),
                {"token_hash": None, "receipt_hash": None, "language": "", "erased": now},
            )
            where = sa.and_(_A.campaign == gone.campaign, _A.respondent == gone.code)
            count = _empty(
                connection, gone.campaign, gone.code, "withdrawal", ("answer", "reason", "comment"), where
            )
            institution = self._must_be(connection, gone.campaign, gone.state)
            note(connection, "", "withdrawn", institution=institution, campaign=gone.campaign)
            return count

        count = self._store.write(work)
        self._store.wipe_log()
        return count

    def expire(self, today: date) -> list[str]:
        """Empty the reasons and comments of campaigns closed longer ago than they are to be kept, and forget who is who.

        The chosen answers stay, so the results do. Returns the ids of the campaigns; done once a closing.
        """
        done = sa.exists().where(
            layout.erasure.c.campaign == _C.id,
            layout.erasure.c.respondent == "",
            layout.erasure.c.at >= _C.closed,
        )
        query = sa.select(_C.id, _C.institution, _C.closed, _C.retention_months).where(
            _C.state == "closed", _C.closed.is_not(None), ~done
        )

        def work(connection: sa.Connection) -> list[str]:
            due = [
                row
                for row in connection.execute(query.order_by(_C.id)).all()
                if today > _months_later(row.closed.date(), row.retention_months)
            ]
            for row in due:
                connection.execute(
                    layout.respondent.update().where(_R.campaign == row.id),
                    {"token_hash": None, "receipt_hash": None},
                )
                count = _empty(
                    connection, row.id, "", "retention", ("reason", "comment"), _A.campaign == row.id
                )
                detail = {"answers": count}
                note(connection, "", "expired", institution=row.institution, campaign=row.id, detail=detail)
            return [row.id for row in due]

        treated = self._store.write(work)
        if treated:
            self._store.wipe_log()
        return treated

    # Inside

    def _one(self, query: sa.Select[Any], **values: object) -> sa.Row[Any] | None:
        return self._store.read(lambda connection: connection.execute(query, values).first())

    def _find(self, connection: sa.Connection, invitation: str) -> tuple[Invitation, str]:
        """An invitation and the institution it is of."""
        query = sa.select(*_FIELDS, _C.institution).join(layout.campaign, _C.id == _I.campaign)
        row = connection.execute(query.where(_I.id == invitation)).first()
        if row is None:
            raise self._error("invitation", "invitation-unknown", id=invitation)
        return Invitation._make(row[:-1]), row[-1]

    def _must_be(self, connection: sa.Connection, campaign: str, *states: str) -> str:
        """The institution of a campaign in one of these states, held in it until the transaction ends."""
        query = sa.select(_C.state, _C.institution).where(_C.id == campaign)
        row = connection.execute(query.with_for_update(read=True)).first()
        if row is None:
            raise self._error("campaign", "store-unknown-campaign", id=campaign)
        if row.state not in states:
            raise self._error("campaign", "store-not-open")
        return str(row.institution)

    def _change(self, connection: sa.Connection, campaign: str, code: str, row: dict[str, Any]) -> None:
        """Change a respondent who has not withdrawn."""
        which = (_R.campaign == campaign, _R.code == code, _R.erased.is_(None))
        if connection.execute(layout.respondent.update().where(*which).values(row)).rowcount == 0:
            raise self._error("respondent", "invitation-respondent", respondent=code)

    def _note(
        self, connection: sa.Connection, author: str, what: str, about: Invitation, institution: str
    ) -> None:
        detail = {"role": about.role, "invitation": about.id}
        note(connection, author, what, institution=institution, campaign=about.campaign, detail=detail)

    def _check(self, campaign: str, role: str, label: str, expires: date | None) -> None:
        """Refuse what no invitation can be."""
        self._store.campaign(campaign)  # raises with the nearest id
        roles = tuple(load_matrix().lens_of)
        if role not in roles:
            raise self._error("role", "not-among", roles, found=role)
        if len(label) > LABEL_LIMIT:
            raise self._error("label", "invitation-label", found=len(label), limit=LABEL_LIMIT)
        if bad := next((one for one in label if unicodedata.category(one) in {"Cc", "Cs"}), None):
            raise self._error("label", "store-bad-character", found=f"U+{ord(bad):04X}")
        if expires is not None and expires < _today():
            raise self._error("expires", "invitation-past", date=expires)

    def _check_language(self, language: str) -> None:
        known = load_matrix().languages
        if language not in known:
            raise self._error("language", "not-among", known, found=language)

    def _error(self, place: str, code: str, known: tuple[str, ...] = (), **values: object) -> StoreError:
        found = str(values.get("found", ""))
        suggestion = nearest(found, known) if known else None
        return StoreError([Problem(self._store.name, 1, place, code, values, suggestion, known)])


def _new_invitation(
    campaign: str,
    role: str,
    kind: str,
    label: str,
    expected: int | None,
    now: datetime,
    author: str,
    expires: date | None,
) -> Invitation:
    id_ = f"i-{secrets.token_hex(8)}"
    return Invitation(id_, campaign, role, kind, label.strip(), expected, now, author, expires, None)


def _new_respondent(invitation: Invitation, code: str, token: str, now: datetime) -> dict[str, Any]:
    return {
        "campaign": invitation.campaign,
        "code": code,
        "role": invitation.role,
        "invitation": invitation.id,
        "token_hash": _hash(token),
        "language": "",
        "created": now,
    }


def _new_codes(connection: sa.Connection, campaign: str, count: int) -> list[str]:
    """So many codes that nobody in the campaign answers under, imported answers included."""
    codes: set[str] = set()
    while len(codes) < count:
        drawn = {
            f"p-{''.join(secrets.choice(LETTERS) for _ in range(_CODE_LETTERS))}"
            for _ in range(count - len(codes))
        }
        taken = sa.select(_R.code).where(_R.campaign == campaign, _R.code.in_(drawn))
        used = sa.select(_A.respondent).where(_A.campaign == campaign, _A.respondent.in_(drawn))
        codes |= drawn - set(connection.execute(taken.union(used)).scalars())
    return sorted(codes)


def _empty(
    connection: sa.Connection,
    campaign: str,
    respondent: str,
    cause: str,
    names: Iterable[str],
    where: sa.ColumnElement[bool],
) -> int:
    """Empty these columns of these answers, after an erasure that says so: the database refuses it otherwise."""
    full = sa.and_(where, sa.or_(*(_A[name] != "" for name in names)))
    count = connection.execute(sa.select(sa.func.count()).select_from(layout.answer).where(full)).scalar_one()
    connection.execute(
        layout.erasure.insert(),
        {
            "at": datetime.now(UTC),
            "campaign": campaign,
            "respondent": respondent,
            "cause": cause,
            "answers": count,
        },
    )
    connection.execute(layout.answer.update().where(full), dict.fromkeys(names, ""))
    return int(count)


def _new_token() -> str:
    return secrets.token_urlsafe(16)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()


def _plain(receipt: str) -> str:
    """A receipt as it is hashed: small letters and digits alone."""
    return "".join(character for character in receipt.lower() if character.isalnum())


def _at(moment: datetime) -> sa.BindParameter[datetime]:
    return sa.literal(moment, layout.Moment())


def _today() -> date:
    return datetime.now(UTC).date()


def _months_later(day: date, months: int) -> date:
    """The same day so many months later, or the last of that month."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
