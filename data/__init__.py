"""What is kept: institutions, campaigns, answers and evidence, and the tables they come from."""

from data.store import Answer, Campaign, Institution, Progress, Settings, Store, StoreError, default_file

__all__ = [
    "Answer",
    "Campaign",
    "Institution",
    "Progress",
    "Settings",
    "Store",
    "StoreError",
    "default_file",
]
