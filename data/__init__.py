"""What is kept: institutions, campaigns, answers and evidence, and the tables they come from."""

from data.store import Answer, Campaign, Institution, Progress, Settings, Store, StoreError, default_file
from data.tables import Kind, Table, read_table, to_csv

__all__ = [
    "Answer",
    "Campaign",
    "Institution",
    "Kind",
    "Progress",
    "Settings",
    "Store",
    "StoreError",
    "Table",
    "default_file",
    "read_table",
    "to_csv",
]
