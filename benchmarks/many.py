"""Eight million answers in a wide Parquet file: the program's positions beside hand-written DuckDB SQL."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from matrix import load_matrix
from questionnaires import Questionnaire, load_library
from scoring import positions_of

ANSWERS = 8_000_000
STAFF = ("direction", "quality", "professional", "teacher", "researcher")
PATIENTS = ("patient_partner", "patient", "relative", "association")


def make(path: Path, questionnaire: Questionnaire, answers: int = ANSWERS) -> int:
    """Write a synthetic wide Parquet file of at least so many answers; returns how many there are.

    An assessment has 60 staff and 40 patients; one answer in ten is "don't know", one in fifty not applicable.
    """
    chance = np.random.default_rng(1)
    asked = {
        lens: [i.id for i in questionnaire.items if questionnaire.options(i.id, lens)]
        for lens in ("declared", "experienced")
    }
    each = 60 * len(asked["declared"]) + 40 * len(asked["experienced"])
    assessments = -(-answers // each)
    roles = np.array(
        [STAFF[i % len(STAFF)] for i in range(60)] + [PATIENTS[i % len(PATIENTS)] for i in range(40)]
    )
    people = assessments * 100
    columns: dict[str, Any] = {
        "assessment": pa.array(np.repeat([f"a{i:05}" for i in range(assessments)], 100)).dictionary_encode(),
        "respondent": pa.array([f"r{i}" for i in range(people)]),
        "role": pa.array(np.tile(roles, assessments)).dictionary_encode(),
    }
    patient = np.tile(np.arange(100) >= 60, assessments)
    for item in questionnaire.items:
        codes = np.full(people, -1)
        words: list[str] = ["dk", "na"]
        for lens, mask in (("declared", ~patient), ("experienced", patient)):
            options = [option.id for option in questionnaire.options(item.id, lens)]
            if options:
                share = [0.1, 0.02, *([0.88 / len(options)] * len(options))]
                codes[mask] = chance.choice(
                    [0, 1, *range(len(words), len(words) + len(options))], mask.sum(), p=share
                )
                words += options
        index = pa.array(codes.astype(np.int32), mask=codes < 0)
        plain = pa.DictionaryArray.from_arrays(index, pa.array(words)).cast(pa.string())
        columns[item.id] = plain.dictionary_encode()
    pq.write_table(pa.table(columns), path)
    return assessments * each


def by_hand(path: Path, questionnaire: Questionnaire) -> str:
    """The SQL that a careful analyst would write for this questionnaire: role sums in one pass, then the ladder."""
    matrix = load_matrix()
    at = matrix.thresholds
    parts = []
    for lens in ("declared", "experienced"):
        roles = ", ".join(f"'{role}'" for role, its in matrix.lens_of.items() if its == lens)
        items = [item for item in questionnaire.items if questionnaire.options(item.id, lens)]
        sums = []
        for place, item in enumerate(items):
            options = questionnaire.options(item.id, lens)
            values = " ".join(f"WHEN '{option.id}' THEN {option.value}" for option in options)
            sums.append(f"""avg(CASE "{item.id}" {values} END) AS m{place},
                count(CASE WHEN "{item.id}" NOT IN ('dk', 'na') THEN 1 END) AS n{place},
                count(CASE WHEN "{item.id}" = 'dk' THEN 1 END) AS d{place},
                count("{item.id}") AS a{place}""")
        rows = ", ".join(
            f"{{'item': '{item.id}', 'm': m{place}, 'n': n{place}, 'd': d{place}, 'a': a{place}}}"
            for place, item in enumerate(items)
        )
        parts.append(f"""
            SELECT assessment, '{lens}' AS lens, unnest([{rows}], recursive := true)
            FROM (SELECT assessment, role, {", ".join(sums)} FROM read_parquet('{path}')
                  WHERE role IN ({roles}) GROUP BY assessment, role)""")
    items_table = ", ".join(
        f"('{item.id}', '{lens}', '{item.axis}', {matrix.number_of[item.level]}, {item.weight}, {item.core})"
        for item in questionnaire.items
        if item.level
        for lens in ("declared", "experienced")
        if questionnaire.options(item.id, lens)
    )
    kappa = " ".join(f"WHEN {level.number} THEN {at.kappa[level.number - 1]}" for level in matrix.levels)
    return f"""
    WITH roles AS ({" UNION ALL ".join(parts)}),
    means AS (
        SELECT assessment, lens, item, sum(n + d) AS alive,
            sum(CASE WHEN n > 0 AND 3 * n >= n + d THEN least(n, 5) * m END)
            / sum(CASE WHEN n > 0 AND 3 * n >= n + d THEN least(n, 5) END) AS x
        FROM roles WHERE a > 0 GROUP BY ALL),
    items(item, lens, axis, level, w, core) AS (VALUES {items_table}),
    asked AS (
        SELECT h.assessment, i.*, x FROM (SELECT DISTINCT assessment FROM roles) h CROSS JOIN items i
        LEFT JOIN means m USING (assessment, lens, item) WHERE coalesce(alive, 1) > 0),
    sums AS (
        SELECT assessment, lens, axis, level, count(x) AS known,
            sum(w * coalesce(x, 0)) / sum(w) AS cl, sum(w * coalesce(x, 1)) / sum(w) AS ch,
            min(CASE WHEN core THEN coalesce(x, 0) END) AS kl, min(CASE WHEN core THEN coalesce(x, 1) END) AS kh
        FROM asked GROUP BY ALL),
    cells AS (
        SELECT assessment, lens, axis, level, known,
            least(1, cl / {at.tau}, coalesce(kl / CASE level {kappa} END, 1)) AS low,
            least(1, ch / {at.tau}, coalesce(kh / CASE level {kappa} END, 1)) AS high
        FROM sums)
    SELECT assessment, lens, axis,
        min(CASE WHEN low >= 1 - 1e-9 THEN 4 ELSE level - 1 + low END) AS position,
        min(CASE WHEN high >= 1 - 1e-9 THEN 4 ELSE level - 1 + high END) AS high
    FROM cells GROUP BY ALL HAVING sum(known) > 0"""


def ours(path: Path, questionnaire: Questionnaire, engine: str) -> Any:
    """The program's positions on one engine."""
    if engine == "polars":
        return positions_of(questionnaire, pl.scan_parquet(path))
    if engine == "duckdb":
        return positions_of(questionnaire, duckdb.read_parquet(str(path)))
    table = pq.read_table(path)
    return positions_of(questionnaire, table.to_pandas() if engine == "pandas" else table)


def run(answers: int = ANSWERS, rounds: int = 5) -> list[tuple[str, str, str]]:
    """Rows of the benchmark table: what, ratio to the hand-written SQL, median milliseconds."""
    questionnaire = load_library()["hospital"]
    duckdb.execute("SET enable_progress_bar = false")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "answers.parquet"
        count = make(path, questionnaire, answers)
        sql = by_hand(path, questionnaire)
        works: dict[str, Any] = {"hand-written DuckDB SQL": lambda: duckdb.sql(sql).fetchall()}
        for engine in ("polars", "duckdb", "arrow"):
            works[engine] = lambda engine=engine: ours(path, questionnaire, engine)
        _same(works)
        times: dict[str, list[float]] = {name: [] for name in works}
        for _ in range(rounds):
            for name, work in works.items():
                start = time.perf_counter()
                work()
                times[name].append(time.perf_counter() - start)
    base = median(times["hand-written DuckDB SQL"])
    return [
        (
            f"{count / 1e6:.1f} million answers, wide Parquet: {name}",
            f"{median(t) / base:.2f} x the SQL",
            f"{median(t) * 1000:.0f} ms",
        )
        for name, t in times.items()
    ]


def _same(works: dict[str, Any]) -> None:
    """Every way gives the same positions, or the comparison means nothing."""
    axes, lenses = load_matrix().ids("axes"), ("declared", "experienced")
    wanted = {(a, lens, axis): (p, h) for a, lens, axis, p, h in works["hand-written DuckDB SQL"]()}
    for engine in ("polars", "duckdb", "arrow"):
        ids, low, high = works[engine]()
        for (assessment, lens, axis), (position, top) in wanted.items():
            at = (ids.index(assessment), lenses.index(lens), axes.index(axis))
            assert abs(low[at] - position) < 1e-9, (engine, assessment, lens, axis, low[at], position)
            assert abs(high[at] - top) < 1e-9, (engine, assessment, lens, axis)


if __name__ == "__main__":
    for row in run(int(sys.argv[1]) if len(sys.argv) > 1 else ANSWERS):
        print(" | ".join(row))
