"""Campaigns that open and close, invitations, respondents, accounts, and erasure that leaves its trace."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_KEPT = ("id", "campaign", "respondent", "role", "item", "channel", "at", "questionnaire", "version", "fingerprint", "form")
_CONTENT = ("answer", "reason", "comment")


def _text(name: str, default: str | None = None) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, server_default=default)


def _moment(name: str, *, needed: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=not needed)


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean, nullable=False, server_default=sa.false())


def upgrade() -> None:
    """Add what campaigns with invitations need; a campaign of before stays open."""
    op.add_column("institution", _flag("archived"))
    for column in (
        _text("state", "open"),
        _flag("archived"),
        _text("scope_kind", "institution"),
        _text("scope_views", "{}"),
        _text("targets", "{}"),
        _text("committee", "not_consulted"),
        _text("anchor", ""),
        sa.Column("next_date", sa.Date),
        sa.Column("closes", sa.Date),
        sa.Column("retention_months", sa.Integer, nullable=False, server_default="24"),
        _moment("opened"),
        _moment("closed"),
    ):
        op.add_column("campaign", column)
    op.execute("UPDATE campaign SET opened = created")
    _add_tables()
    if op.get_bind().dialect.name == "sqlite":
        _guard_on_sqlite()
    elif op.get_bind().dialect.name == "postgresql":
        _guard_on_postgresql()


def _add_tables() -> None:
    op.create_table(
        "event",
        sa.Column("id", _number, nullable=False),
        _moment("at", needed=True),
        _text("author"),
        _text("institution"),
        _text("campaign"),
        _text("what"),
        _text("detail"),
        sa.PrimaryKeyConstraint("id", name="pk_event"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_event_campaign", "event", ["campaign"])
    op.create_table(
        "invitation",
        _text("id"),
        _text("campaign"),
        _text("role"),
        _text("kind"),
        _text("label"),
        sa.Column("token_hash", sa.Text),
        sa.Column("expected", sa.Integer),
        _moment("created", needed=True),
        _text("created_by"),
        sa.Column("expires", sa.Date),
        _moment("revoked"),
        sa.PrimaryKeyConstraint("id", name="pk_invitation"),
        sa.ForeignKeyConstraint(["campaign"], ["campaign.id"], name="fk_invitation_campaign"),
        sa.UniqueConstraint("token_hash", name="uq_invitation_token_hash"),
    )
    op.create_index("ix_invitation_campaign", "invitation", ["campaign"])
    op.create_table(
        "respondent",
        _text("campaign"),
        _text("code"),
        _text("role"),
        _text("invitation"),
        sa.Column("token_hash", sa.Text),
        sa.Column("receipt_hash", sa.Text),
        _text("language"),
        _moment("created", needed=True),
        _moment("started"),
        _moment("submitted"),
        _moment("erased"),
        sa.PrimaryKeyConstraint("campaign", "code", name="pk_respondent"),
        sa.ForeignKeyConstraint(["campaign"], ["campaign.id"], name="fk_respondent_campaign"),
        sa.ForeignKeyConstraint(["invitation"], ["invitation.id"], name="fk_respondent_invitation"),
        sa.UniqueConstraint("token_hash", name="uq_respondent_token_hash"),
        sa.UniqueConstraint("receipt_hash", name="uq_respondent_receipt_hash"),
    )
    op.create_index("ix_respondent_invitation", "respondent", ["invitation"])
    op.create_table(
        "erasure",
        sa.Column("id", _number, nullable=False),
        _moment("at", needed=True),
        _text("campaign"),
        _text("respondent"),
        _text("cause"),
        sa.Column("answers", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_erasure"),
        sa.ForeignKeyConstraint(["campaign"], ["campaign.id"], name="fk_erasure_campaign"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_erasure_campaign", "erasure", ["campaign"])
    op.create_table(
        "feedback",
        sa.Column("id", _number, nullable=False),
        _text("campaign"),
        _text("axis"),
        _text("said"),
        _text("did"),
        _text("state"),
        _moment("at", needed=True),
        _text("author"),
        sa.PrimaryKeyConstraint("id", name="pk_feedback"),
        sa.ForeignKeyConstraint(["campaign"], ["campaign.id"], name="fk_feedback_campaign"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_feedback_campaign", "feedback", ["campaign"])
    op.create_table(
        "account",
        _text("id"),
        _text("name"),
        sa.Column("password_hash", sa.Text),
        _moment("created", needed=True),
        _moment("disabled"),
        sa.PrimaryKeyConstraint("id", name="pk_account"),
    )
    op.create_table(
        "permission",
        _text("account"),
        _text("institution"),
        _text("role"),
        sa.PrimaryKeyConstraint("account", "institution", name="pk_permission"),
        sa.ForeignKeyConstraint(["account"], ["account.id"], name="fk_permission_account"),
    )
    op.create_table(
        "sign_in",
        _text("token_hash"),
        _text("account"),
        _moment("created", needed=True),
        _moment("expires", needed=True),
        sa.PrimaryKeyConstraint("token_hash", name="pk_sign_in"),
        sa.ForeignKeyConstraint(["account"], ["account.id"], name="fk_sign_in_account"),
    )
    op.create_index("ix_sign_in_account", "sign_in", ["account"])


def _only_erased() -> str:
    """True of an update of an answer that takes content away after an erasure was written down, and of no other.

    The erasure of one person takes everything, that of a whole campaign the texts.
    """
    same = " AND ".join(f"NEW.{name} = OLD.{name}" for name in _KEPT)
    gone = " AND ".join(f"NEW.{name} IN (OLD.{name}, '')" for name in _CONTENT)
    told = (
        "EXISTS (SELECT 1 FROM erasure WHERE erasure.campaign = OLD.campaign "
        "AND (erasure.respondent = OLD.respondent OR erasure.respondent = '' AND NEW.answer = OLD.answer))"
    )
    return f"{same} AND {gone} AND {told}"


def _guard_on_sqlite() -> None:
    refuse = "BEGIN SELECT RAISE(ABORT, 'answers are append-only'); END"
    op.execute("DROP TRIGGER answer_never_updated")
    op.execute(f"CREATE TRIGGER answer_only_erased BEFORE UPDATE ON answer WHEN NOT ({_only_erased()}) {refuse}")
    op.execute(
        "CREATE TRIGGER answer_while_open BEFORE INSERT ON answer "
        "WHEN (SELECT state FROM campaign WHERE id = NEW.campaign) <> 'open' "
        "BEGIN SELECT RAISE(ABORT, 'the campaign is not open'); END"
    )
    op.execute(
        "CREATE TRIGGER answer_not_withdrawn BEFORE INSERT ON answer WHEN EXISTS (SELECT 1 FROM respondent "
        "WHERE campaign = NEW.campaign AND code = NEW.respondent AND erased IS NOT NULL) "
        "BEGIN SELECT RAISE(ABORT, 'the respondent has withdrawn'); END"
    )
    for table in ("event", "erasure"):
        kept = f"BEGIN SELECT RAISE(ABORT, '{table}s are append-only'); END"
        op.execute(f"CREATE TRIGGER {table}_never_updated BEFORE UPDATE ON {table} {kept}")
        op.execute(f"CREATE TRIGGER {table}_never_deleted BEFORE DELETE ON {table} {kept}")


def _guard_on_postgresql() -> None:
    op.execute("DROP TRIGGER answer_never_changed ON answer")
    op.execute(
        "CREATE TRIGGER answer_never_deleted BEFORE DELETE OR TRUNCATE ON answer "
        "FOR EACH STATEMENT EXECUTE FUNCTION answer_is_append_only()"
    )
    op.execute(
        "CREATE FUNCTION answer_only_erased() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF NOT ({_only_erased()}) THEN RAISE EXCEPTION 'answers are append-only'; END IF; RETURN NEW; END $$"
    )
    op.execute(
        "CREATE TRIGGER answer_only_erased BEFORE UPDATE ON answer "
        "FOR EACH ROW EXECUTE FUNCTION answer_only_erased()"
    )
    # FOR SHARE: an answer that comes while the campaign closes waits, and then sees that it has closed.
    op.execute(
        "CREATE FUNCTION answer_while_open() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "PERFORM 1 FROM campaign WHERE id = NEW.campaign AND state = 'open' FOR SHARE; "
        "IF NOT FOUND AND EXISTS (SELECT 1 FROM campaign WHERE id = NEW.campaign) THEN "
        "RAISE EXCEPTION 'the campaign is not open'; END IF; RETURN NEW; END $$"
    )
    op.execute(
        "CREATE TRIGGER answer_while_open BEFORE INSERT ON answer "
        "FOR EACH ROW EXECUTE FUNCTION answer_while_open()"
    )
    # FOR SHARE: an answer that comes while its respondent withdraws waits, or is erased with the others.
    op.execute(
        "CREATE FUNCTION answer_not_withdrawn() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "PERFORM 1 FROM respondent WHERE campaign = NEW.campaign AND code = NEW.respondent FOR SHARE; "
        "IF EXISTS (SELECT 1 FROM respondent WHERE campaign = NEW.campaign AND code = NEW.respondent "
        "AND erased IS NOT NULL) THEN RAISE EXCEPTION 'the respondent has withdrawn'; END IF; RETURN NEW; END $$"
    )
    op.execute(
        "CREATE TRIGGER answer_not_withdrawn BEFORE INSERT ON answer "
        "FOR EACH ROW EXECUTE FUNCTION answer_not_withdrawn()"
    )
    op.execute(
        "CREATE FUNCTION is_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
    )
    for table in ("event", "erasure"):
        op.execute(
            f"CREATE TRIGGER {table}_never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION is_append_only()"
        )
