"""JSON schemas of questionnaires and crosswalks, beside the formats they describe."""

from __future__ import annotations

from pathlib import Path

from matrix.schemas import schema
from questionnaires.model import Crosswalk, Questionnaire

HERE = Path(__file__).parent


def schemas() -> dict[Path, str]:
    """Text of each JSON schema of this package, by the file that keeps it."""
    return {
        HERE / "questionnaire.schema.json": schema(Questionnaire),
        HERE / "crosswalk.schema.json": schema(Crosswalk),
    }
