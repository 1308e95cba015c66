"""Concurrent writers: answers saved on SQLite and on PostgreSQL, side by side, each acknowledged when on disk."""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from statistics import median, quantiles

from data import Answer, Store
from questionnaires import load_library

sys.path.append(str(Path(__file__).parent.parent / "tests"))
import postgres  # the tests know where to find a server

WRITERS = (1, 16)
PASSES = 5
SECONDS = 3.0
"""How long each side saves in a pass."""


def campaign(store: Store) -> str:
    """An open campaign to answer in."""
    house = store.add_institution("Hospital A", country="be")
    return store.add_campaign(house.id, load_library()["hospital"], title="2026", year=2026).id


def save(store: Store, into: str, writers: int, seconds: float) -> list[float]:
    """Have so many threads save one answer after the other; the seconds each save took."""
    start, end = threading.Barrier(writers), time.perf_counter() + seconds

    def write(who: int) -> list[float]:
        start.wait()
        took = []
        for n in count():
            before = time.perf_counter()
            if before > end:
                return took
            store.save(Answer(into, f"p{who}", "patient", f"i{n % 70}", "often", comment="Très bien"))
            took.append(time.perf_counter() - before)
        raise AssertionError

    with ThreadPoolExecutor(writers) as pool:
        return [one for took in pool.map(write, range(writers)) for one in took]


def run(passes: int = PASSES, seconds: float = SECONDS) -> list[tuple[str, str, str]]:
    """Rows of the benchmark table: what, PostgreSQL's ratio to SQLite, medians of the passes."""
    took: dict[tuple[str, int], list[list[float]]] = {}
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        server = stack.enter_context(postgres.server(durable=True))
        urls = {
            "SQLite": f"sqlite:///{folder}/pomey.db",
            "PostgreSQL": stack.enter_context(server.database()),
        }
        stores = {name: stack.enter_context(Store.open(url)) for name, url in urls.items()}
        into = {name: campaign(store) for name, store in stores.items()}
        for _ in range(passes):
            for writers in WRITERS:
                for name, store in stores.items():
                    took.setdefault((name, writers), []).append(save(store, into[name], writers, seconds))
        for name, store in stores.items():  # acknowledged means kept
            kept = sum(len(one) for (side, _), of in took.items() if side == name for one in of)
            assert len(store.history(into[name])) == kept, name

    return [
        row
        for writers in WRITERS
        for row in _rows(writers, took["PostgreSQL", writers], took["SQLite", writers], seconds)
    ]


def _rows(
    writers: int, ours: list[list[float]], base: list[list[float]], seconds: float
) -> list[tuple[str, str, str]]:
    """Two rows: how many answers a second, and how long each waited."""
    what = "1 writer" if writers == 1 else f"{writers} writers at once"
    speed = [(len(one) / seconds, len(other) / seconds) for one, other in zip(ours, base, strict=True)]
    waits = [(_waits(one), _waits(other)) for one, other in zip(ours, base, strict=True)]
    mine, theirs = ([median(side[n] for side in of) for n in range(3)] for of in zip(*waits, strict=True))
    ratios = [median(one[n] / other[n] for one, other in waits) for n in range(3)]
    return [
        (
            f"{what}, every answer on disk before its acknowledgement: answers per second",
            f"PostgreSQL {median(one / other for one, other in speed):.2f} x SQLite",
            f"{median(one for one, _ in speed):.0f} (SQLite {median(other for _, other in speed):.0f})",
        ),
        (
            f"{what}: median / 99th percentile / longest wait",
            f"PostgreSQL {' / '.join(f'{one:.2f}' for one in ratios)} x SQLite",
            f"{_listed(mine)} ms (SQLite {_listed(theirs)} ms)",
        ),
    ]


def _waits(took: Sequence[float]) -> tuple[float, float, float]:
    """Median, 99th percentile and longest, in milliseconds."""
    return median(took) * 1000, quantiles(took, n=100)[98] * 1000, max(took) * 1000


def _listed(waits: Sequence[float]) -> str:
    return " / ".join(f"{one:.1f}" for one in waits)


if __name__ == "__main__":
    for row in run():
        print(" | ".join(row))
