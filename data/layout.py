"""The tables of the store; the migrations bring a database to them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

REVISION = "0003"
"""The newest migration, so that opening a current store need not load the migration machinery."""
TABLES = "0002"
"""The newest migration that changed a table or a column: backups of stores since then hold the same."""
VERSION_TABLE = "pomey_version"
"""The migrations' own table: its name also tells our databases from anybody else's."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Moment(sa.types.TypeDecorator[datetime]):
    """A moment as whole microseconds since 1970 UTC: exact, sortable, the same on every database."""

    impl = sa.BigInteger
    cache_ok = True

    # SQLAlchemy's hooks, called with the database's dialect.
    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> int | None:  # noqa: ARG002, D102
        return None if value is None else (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002, D102
        return None if value is None else _EPOCH + value * _MICROSECOND


METADATA = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
    }
)

_number = sa.BigInteger().with_variant(
    sa.Integer, "sqlite"
)  # SQLite counts up only in a column called INTEGER


def _text(
    name: str, *constraints: sa.ForeignKey, primary_key: bool = False, default: str | None = None
) -> sa.Column[str]:
    return sa.Column(
        name, sa.Text, *constraints, primary_key=primary_key, nullable=False, server_default=default
    )


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean, nullable=False, server_default=sa.false())


institution = sa.Table(
    "institution",
    METADATA,
    _text("id", primary_key=True),
    _text("name"),
    _text("country"),
    _text("type"),
    sa.Column("beds", sa.Integer),
    sa.Column("synthetic", sa.Boolean, nullable=False),
    sa.Column("created", Moment, nullable=False),
    _flag("archived"),
)

campaign = sa.Table(
    "campaign",
    METADATA,
    _text("id", primary_key=True),
    _text("institution", sa.ForeignKey("institution.id")),
    _text("title"),
    _text("kind"),
    sa.Column("year", sa.Integer, nullable=False),
    _text("scope"),
    _text("questionnaire"),
    sa.Column("version", sa.Integer, nullable=False),
    _text("fingerprint"),
    _text("form"),
    _text("languages"),
    sa.Column("programme_start", sa.Date),
    _text("out_of_scope"),
    sa.Column("synthetic", sa.Boolean, nullable=False),
    sa.Column("created", Moment, nullable=False),
    _text("state", default="open"),
    _flag("archived"),
    _text("scope_kind", default="institution"),
    _text("scope_views", default="{}"),
    _text("targets", default="{}"),
    _text("committee", default="not_consulted"),
    _text("anchor", default=""),
    sa.Column("next_date", sa.Date),
    sa.Column("closes", sa.Date),
    sa.Column("retention_months", sa.Integer, nullable=False, server_default="24"),
    sa.Column("opened", Moment),
    sa.Column("closed", Moment),
    sa.Index("ix_campaign_institution", "institution"),
)

answer = sa.Table(
    "answer",
    METADATA,
    sa.Column("id", _number, primary_key=True),
    _text("campaign", sa.ForeignKey("campaign.id")),
    _text("respondent"),
    _text("role"),
    _text("item"),
    _text("answer"),
    _text("reason"),
    _text("comment"),
    _text("channel"),
    sa.Column("at", Moment, nullable=False),
    _text("questionnaire"),
    sa.Column("version", sa.Integer, nullable=False),
    _text("fingerprint"),
    _text("form"),
    # Finds the latest answer of every respondent and item without touching the table.
    sa.Index("ix_answer_latest", "campaign", "respondent", "role", "item", "id"),
    sqlite_autoincrement=True,
)

evidence = sa.Table(
    "evidence",
    METADATA,
    sa.Column("id", _number, primary_key=True),
    _text("campaign", sa.ForeignKey("campaign.id")),
    _text("item"),
    _text("title"),
    _text("kind"),
    sa.Column("date", sa.Date),
    sa.Column("valid_until", sa.Date),
    _text("added_by"),
    _text("accepted_by"),
    _text("units"),
    _text("file"),
    sa.Column("at", Moment, nullable=False),
    sa.Index("ix_evidence_campaign", "campaign"),
    sqlite_autoincrement=True,
)

event = sa.Table(
    "event",
    METADATA,
    sa.Column("id", _number, primary_key=True),
    sa.Column("at", Moment, nullable=False),
    _text("author"),
    _text("institution"),
    _text("campaign"),  # empty: about the institution
    _text("what"),
    _text("detail"),
    sa.Index("ix_event_campaign", "campaign"),
    sqlite_autoincrement=True,
)

invitation = sa.Table(
    "invitation",
    METADATA,
    _text("id", primary_key=True),
    _text("campaign", sa.ForeignKey("campaign.id")),
    _text("role"),
    _text("kind"),
    _text("label"),
    sa.Column("token_hash", sa.Text, unique=True),  # of a shared link; a personal one is its respondent's
    sa.Column("expected", sa.Integer),
    sa.Column("created", Moment, nullable=False),
    _text("created_by"),
    sa.Column("expires", sa.Date),
    sa.Column("revoked", Moment),
    sa.Index("ix_invitation_campaign", "campaign"),
)

respondent = sa.Table(
    "respondent",
    METADATA,
    _text("campaign", sa.ForeignKey("campaign.id"), primary_key=True),
    _text("code", primary_key=True),
    _text("role"),
    _text("invitation", sa.ForeignKey("invitation.id")),
    sa.Column("token_hash", sa.Text, unique=True),
    sa.Column("receipt_hash", sa.Text, unique=True),
    _text("language"),
    sa.Column("created", Moment, nullable=False),
    sa.Column("started", Moment),
    sa.Column("submitted", Moment),
    sa.Column("erased", Moment),
    sa.Index("ix_respondent_invitation", "invitation"),
)

erasure = sa.Table(
    "erasure",
    METADATA,
    sa.Column("id", _number, primary_key=True),
    sa.Column("at", Moment, nullable=False),
    _text("campaign", sa.ForeignKey("campaign.id")),
    _text("respondent"),  # empty: everyone's texts
    _text("cause"),
    sa.Column("answers", sa.Integer, nullable=False),
    sa.Index("ix_erasure_campaign", "campaign"),
    sqlite_autoincrement=True,
)

feedback = sa.Table(
    "feedback",
    METADATA,
    sa.Column("id", _number, primary_key=True),
    _text("campaign", sa.ForeignKey("campaign.id")),
    _text("axis"),  # empty: about the whole
    _text("said"),
    _text("did"),
    _text("state"),
    sa.Column("at", Moment, nullable=False),
    _text("author"),
    sa.Index("ix_feedback_campaign", "campaign"),
    sqlite_autoincrement=True,
)

account = sa.Table(
    "account",
    METADATA,
    _text("id", primary_key=True),
    _text("name"),
    sa.Column("password_hash", sa.Text),  # none: signs in with the provider
    sa.Column("created", Moment, nullable=False),
    sa.Column("disabled", Moment),
)

permission = sa.Table(
    "permission",
    METADATA,
    _text("account", sa.ForeignKey("account.id"), primary_key=True),
    _text("institution", primary_key=True),  # an id, or * for all
    _text("role"),
)

sign_in = sa.Table(
    "sign_in",
    METADATA,
    _text("token_hash", primary_key=True),
    _text("account", sa.ForeignKey("account.id")),
    sa.Column("created", Moment, nullable=False),
    sa.Column("expires", Moment, nullable=False),
    sa.Index("ix_sign_in_account", "account"),
)
