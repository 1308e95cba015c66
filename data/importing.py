"""Puts tables into the store: all rows of a table or none."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow as pa

from data.store import Answer, Store
from data.tables import Kind, Table, read_table
from matrix import Problem, Refused, nearest
from questionnaires import Questionnaire


def import_table(
    store: Store,
    source: Path | bytes,
    kind: Kind,
    questionnaire: Questionnaire,
    *,
    name: str | None = None,
    skip_bad_rows: bool = False,
    author: str = "",
) -> tuple[int, tuple[Problem, ...]]:
    """Read a table and keep its rows: (how many were new, the rows that were skipped).

    An answer that already stands is not kept twice, so that importing a file again changes nothing. What is new leaves
    lines of history by ``author``.

    Raises:
        Refused: the table does not fit, or names an assessment the store does not know; nothing is kept.
    """
    table = read_table(source, kind, questionnaire, name=name, skip_bad_rows=skip_bad_rows)
    file = name or (str(source) if isinstance(source, Path) else "upload")
    if kind == "assessments":
        return store.add_assessments(table.frame.to_pylist(), questionnaire, author=author), table.skipped
    _know_all(store, table, file)
    if kind == "evidence":
        return store.add_evidence(table.frame, author=author), table.skipped
    answers = _answers(table)
    standing = store.answers(sorted({answer.campaign for answer in answers}))
    kept = {
        (row["assessment"], row["respondent"], row["role"], row["item"]): (
            row["answer"],
            row["reason"],
            row["comment"],
        )
        for row in standing.to_pylist()
    }
    new = [
        a
        for a in answers
        if kept.get((a.campaign, a.respondent, a.role, a.item)) != (a.answer, a.reason, a.comment)
    ]
    store.save_many(new, imported_by=author)
    return len(new), table.skipped


def _know_all(store: Store, table: Table, file: str) -> None:
    """Every assessment a table names must be in the store, with the questionnaire's own answers in it."""
    known = tuple(campaign.id for campaign in store.campaigns())
    unknown = [one for one in table.frame.column("assessment").unique().to_pylist() if one not in known]
    if unknown:
        raise Refused(
            Problem(file, 1, "assessment", "unknown-assessment", {"id": one}, nearest(one, known), known[:20])
            for one in unknown
        )


def _answers(table: Table) -> list[Answer]:
    rows = _long(table.frame) if table.wide else table.frame.to_pylist()
    return [
        Answer(
            campaign=row["assessment"],
            respondent=row["respondent"],
            role=row["role"],
            item=row["item"],
            answer=row["answer"],
            reason=row.get("reason") or "",
            comment=row.get("comment") or "",
            channel=row.get("channel") or "import",
            at=at if isinstance(at := row.get("at"), dt.datetime) else None,
        )
        for row in rows
    ]


def _long(frame: pa.Table) -> list[dict[str, Any]]:
    keys = ("assessment", "respondent", "role")
    items = [name for name in frame.column_names if name not in keys and not name.endswith("__reason")]
    return [
        {
            **{key: row[key] for key in keys},
            "item": item,
            "answer": row[item],
            "reason": row.get(f"{item}__reason"),
        }
        for row in frame.to_pylist()
        for item in items
        if row[item]
    ]
