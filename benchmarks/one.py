"""One hospital, in process: from its answers to the whole score, rules included, on each engine."""

from __future__ import annotations

import datetime as dt
import time
from itertools import zip_longest
from statistics import median
from typing import Any

import numpy as np
import pyarrow as pa

from dashboard.commands import on_engine
from matrix import load_matrix
from questionnaires import Questionnaire, load_library
from scoring import load_rulebook, score

ITEMS, RESPONDENTS = 72, 40
STAFF = ("direction", "quality", "professional", "teacher", "researcher")
PATIENTS = ("patient_partner", "patient", "relative")
ON = dt.date(2026, 1, 31)


def smaller(questionnaire: Questionnaire, count: int) -> Questionnaire:
    """The same questionnaire with its first items of every axis only, ``count`` in all."""
    by_axis = [[i for i in questionnaire.items if i.axis == axis] for axis in load_matrix().ids("axes")]
    names = [i.id for row in zip_longest(*by_axis) for i in row if i is not None][:count]
    data = questionnaire.model_dump(by_alias=True, exclude_none=True)
    data["items"] = [item for item in data["items"] if item["id"] in names]
    return Questionnaire.model_validate(data)


def hospital(questionnaire: Questionnaire) -> tuple[pa.Table, pa.Table]:
    """Synthetic answers of one hospital, and evidence for a third of its items."""
    chance = np.random.default_rng(2)
    rows = []
    for person in range(RESPONDENTS):
        role = STAFF[person % 5] if person < RESPONDENTS * 5 // 8 else PATIENTS[person % 3]
        for item in questionnaire.items:
            options = [o.id for o in questionnaire.options(item.id, load_matrix().lens_of[role])]
            if options:
                answer = "dk" if chance.random() < 0.1 else options[chance.integers(len(options))]
                rows.append(("a", f"r{person}", role, item.id, answer, "", "own_link"))
    columns = ("assessment", "respondent", "role", "item", "answer", "reason", "channel")
    answers = pa.table({name: pa.array([row[i] for row in rows]) for i, name in enumerate(columns)})
    proofs = [
        ("a", item.id, "t", item.evidence[0], "2025-12-01", "", "quality", "committee", "all", "f")
        for item in questionnaire.items[::3]
        if item.evidence
    ]
    columns = (
        "assessment",
        "item",
        "title",
        "kind",
        "date",
        "valid_until",
        "added_by",
        "accepted_by",
        "units",
        "file",
    )
    return answers, pa.table({name: pa.array([row[i] for row in proofs]) for i, name in enumerate(columns)})


def run(rounds: int = 31) -> list[tuple[str, str, str]]:
    """Rows of the benchmark table: what, ratio to the default engine, median milliseconds."""
    questionnaire = smaller(load_library()["hospital"], ITEMS)
    answers, evidence = hospital(questionnaire)
    load_rulebook()
    times: dict[str, list[float]] = {}
    tables: dict[str, Any] = {
        engine: on_engine(answers, engine) for engine in ("arrow", "pandas", "polars", "duckdb")
    }
    for place in range(rounds + 2):
        for engine, table in tables.items():
            start = time.perf_counter()
            score(questionnaire, table, evidence=evidence, on=ON).to_json()
            if place >= 2:  # the first two warm the caches
                times.setdefault(engine, []).append(time.perf_counter() - start)
    base = median(times["arrow"])
    what = f"one hospital ({len(questionnaire.items)} items, {RESPONDENTS} respondents, three lenses, rules)"
    return [
        (
            f"{what}: {engine}",
            f"{median(took) / base:.1f} x the default engine",
            f"{median(took) * 1000:.1f} ms",
        )
        for engine, took in times.items()
    ]


if __name__ == "__main__":
    for row in run():
        print(" | ".join(row))
