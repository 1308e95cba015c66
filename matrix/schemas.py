"""JSON schemas of the formats, for editors that complete and check while one writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from matrix.model import Matrix, SourceList

if TYPE_CHECKING:
    from pydantic import BaseModel

HERE = Path(__file__).parent


def schemas() -> dict[Path, str]:
    """Text of each JSON schema of this package, by the file that keeps it."""
    return {HERE / "pomey.schema.json": schema(Matrix), HERE / "sources.schema.json": schema(SourceList)}


def schema(model: type[BaseModel]) -> str:
    """JSON schema of one model, as it is written."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return json.dumps(head | model.model_json_schema(), indent=2, ensure_ascii=False) + "\n"
