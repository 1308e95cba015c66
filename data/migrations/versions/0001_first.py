"""The first layout: institutions, campaigns, append-only answers, evidence."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_number = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def upgrade() -> None:
    """Make the tables, and make the database itself refuse to change or drop an answer."""
    op.create_table(
        "institution",
        _text("id"),
        _text("name"),
        _text("country"),
        _text("type"),
        sa.Column("beds", sa.Integer),
        sa.Column("synthetic", sa.Boolean, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_institution"),
    )
    op.create_table(
        "campaign",
        _text("id"),
        _text("institution"),
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
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_campaign"),
        sa.ForeignKeyConstraint(["institution"], ["institution.id"], name="fk_campaign_institution"),
    )
    op.create_index("ix_campaign_institution", "campaign", ["institution"])
    op.create_table(
        "answer",
        sa.Column("id", _number, nullable=False),
        _text("campaign"),
        _text("respondent"),
        _text("role"),
        _text("item"),
        _text("answer"),
        _text("reason"),
        _text("comment"),
        _text("channel"),
        sa.Column("at", sa.BigInteger, nullable=False),
        _text("questionnaire"),
        sa.Column("version", sa.Integer, nullable=False),
        _text("fingerprint"),
        _text("form"),
        sa.PrimaryKeyConstraint("id", name="pk_answer"),
        sa.ForeignKeyConstraint(["campaign"], ["campaign.id"], name="fk_answer_campaign"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_answer_latest", "answer", ["campaign", "respondent", "role", "item", "id"])
    op.create_table(
        "evidence",
        sa.Column("id", _number, nullable=False),
        _text("campaign"),
        _text("item"),
        _text("title"),
        _text("kind"),
        sa.Column("date", sa.Date),
        sa.Column("valid_until", sa.Date),
        _text("added_by"),
        _text("accepted_by"),
        _text("units"),
        _text("file"),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_evidence"),
        sa.ForeignKeyConstraint(["campaign"], ["campaign.id"], name="fk_evidence_campaign"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_evidence_campaign", "evidence", ["campaign"])
    if op.get_bind().dialect.name == "sqlite":
        _append_only_on_sqlite()
    elif op.get_bind().dialect.name == "postgresql":
        _append_only_on_postgresql()


def _append_only_on_sqlite() -> None:
    refuse = "BEGIN SELECT RAISE(ABORT, 'answers are append-only'); END"
    op.execute(f"CREATE TRIGGER answer_never_updated BEFORE UPDATE ON answer {refuse}")
    op.execute(f"CREATE TRIGGER answer_never_deleted BEFORE DELETE ON answer {refuse}")
    # INSERT OR REPLACE deletes the old row without asking the trigger above.
    taken = "WHEN EXISTS (SELECT 1 FROM answer WHERE id = NEW.id)"
    op.execute(f"CREATE TRIGGER answer_never_replaced BEFORE INSERT ON answer {taken} {refuse}")


def _append_only_on_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION answer_is_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'answers are append-only'; END $$"
    )
    op.execute(
        "CREATE TRIGGER answer_never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON answer "
        "FOR EACH STATEMENT EXECUTE FUNCTION answer_is_append_only()"
    )
