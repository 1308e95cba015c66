"""What the database itself refuses beside changing what was said: undoing a withdrawal, and evidence after a closing."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# Another moment, none at all, or another code would let somebody answer again in the name of whoever withdrew.
_UNDONE = (
    "OLD.erased IS NOT NULL AND (NEW.erased IS NULL OR NEW.erased <> OLD.erased "
    "OR NEW.campaign <> OLD.campaign OR NEW.code <> OLD.code)"
)
_REFUSAL = "a withdrawal stands"
_CLOSED = "the campaign is closed"


def upgrade() -> None:
    """Guard the moment at which a respondent withdrew with the line it stands in, and the evidence of closed campaigns."""
    if op.get_bind().dialect.name == "sqlite":
        _guard_on_sqlite()
        _guard_evidence_on_sqlite()
    elif op.get_bind().dialect.name == "postgresql":
        _guard_on_postgresql()
        _guard_evidence_on_postgresql()


def _guard_on_sqlite() -> None:
    refuse = f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
    op.execute(f"CREATE TRIGGER respondent_stays_erased BEFORE UPDATE ON respondent WHEN {_UNDONE} {refuse}")
    op.execute(
        f"CREATE TRIGGER respondent_erased_is_kept BEFORE DELETE ON respondent WHEN OLD.erased IS NOT NULL {refuse}"
    )
    # INSERT OR REPLACE deletes the old row without asking the trigger above.
    taken = "EXISTS (SELECT 1 FROM respondent WHERE campaign = NEW.campaign AND code = NEW.code AND erased IS NOT NULL)"
    op.execute(
        f"CREATE TRIGGER respondent_erased_is_not_replaced BEFORE INSERT ON respondent WHEN {taken} {refuse}"
    )


def _guard_on_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION respondent_stays_erased() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{_REFUSAL}'; END $$"
    )
    op.execute(
        "CREATE TRIGGER respondent_stays_erased BEFORE UPDATE ON respondent FOR EACH ROW "
        f"WHEN ({_UNDONE}) EXECUTE FUNCTION respondent_stays_erased()"
    )
    op.execute(
        "CREATE TRIGGER respondent_erased_is_kept BEFORE DELETE ON respondent FOR EACH ROW "
        "WHEN (OLD.erased IS NOT NULL) EXECUTE FUNCTION respondent_stays_erased()"
    )
    # It would empty the table without looking at a row.
    op.execute(
        "CREATE TRIGGER respondent_never_emptied BEFORE TRUNCATE ON respondent "
        "FOR EACH STATEMENT EXECUTE FUNCTION respondent_stays_erased()"
    )


def _guard_evidence_on_sqlite() -> None:
    refuse = f"BEGIN SELECT RAISE(ABORT, '{_CLOSED}'); END"

    def closed(*campaigns: str) -> str:
        return f"EXISTS (SELECT 1 FROM campaign WHERE id IN ({', '.join(campaigns)}) AND state = 'closed')"

    # INSERT OR REPLACE, as above: of a piece that is there already, its campaign counts too.
    replaced = "(SELECT campaign FROM evidence WHERE id = NEW.id)"
    for deed, condition in (
        ("INSERT", closed("NEW.campaign", replaced)),
        ("UPDATE", closed("OLD.campaign", "NEW.campaign")),
        ("DELETE", closed("OLD.campaign")),
    ):
        name = f"evidence_before_closing_{deed.lower()}"
        op.execute(f"CREATE TRIGGER {name} BEFORE {deed} ON evidence WHEN {condition} {refuse}")


def _guard_evidence_on_postgresql() -> None:
    # FOR SHARE: evidence that comes while the campaign closes waits, and then sees that it has closed.
    op.execute(
        "CREATE FUNCTION evidence_before_closing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "PERFORM 1 FROM campaign WHERE id IN (OLD.campaign, NEW.campaign) FOR SHARE; "
        "IF EXISTS (SELECT 1 FROM campaign WHERE id IN (OLD.campaign, NEW.campaign) AND state = 'closed') THEN "
        f"RAISE EXCEPTION '{_CLOSED}'; END IF; RETURN COALESCE(NEW, OLD); END $$"
    )
    op.execute(
        "CREATE TRIGGER evidence_before_closing BEFORE INSERT OR UPDATE OR DELETE ON evidence "
        "FOR EACH ROW EXECUTE FUNCTION evidence_before_closing()"
    )
    op.execute(
        "CREATE FUNCTION evidence_never_emptied() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{_CLOSED}'; END $$"
    )
    # It would empty the table without looking at a row.
    op.execute(
        "CREATE TRIGGER evidence_never_emptied BEFORE TRUNCATE ON evidence "
        "FOR EACH STATEMENT EXECUTE FUNCTION evidence_never_emptied()"
    )
