"""What is kept: institutions, campaigns, answers and evidence, and the tables they come from."""

from typing import TYPE_CHECKING

from data.invitations import Invitation, Invitations, Issued, Respondent, Standing
from data.store import (
    Answer,
    Campaign,
    Change,
    Event,
    Feedback,
    Institution,
    Progress,
    Settings,
    Store,
    StoreError,
    Target,
    default_file,
)

if TYPE_CHECKING:
    from data.tables import Kind, Table, read_table, to_csv
else:

    def __getattr__(name: str) -> object:
        """The tables at their first use: what reads them takes longer to load than the store."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from data import tables  # noqa: PLC0415  # here: not with the store

        return getattr(tables, name)


__all__ = [
    "Answer",
    "Campaign",
    "Change",
    "Event",
    "Feedback",
    "Institution",
    "Invitation",
    "Invitations",
    "Issued",
    "Kind",
    "Progress",
    "Respondent",
    "Settings",
    "Standing",
    "Store",
    "StoreError",
    "Table",
    "Target",
    "default_file",
    "read_table",
    "to_csv",
]
