"""Rewrites the JSON schema kept beside the rulebook: ``python -m scoring``."""

from scoring.rules import schemas

for path, text in schemas().items():
    path.write_text(text, encoding="utf-8")
