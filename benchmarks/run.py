"""Every benchmark in one run, as one Markdown table; ``--write`` puts it into the README too."""

from __future__ import annotations

import os
import platform
import re
import sys
from pathlib import Path

import many
import one
import pages
import respondents
import writers

README = Path(__file__).parent.parent / "README.md"
MARK = "<!-- bench -->"


def table(rows: list[tuple[str, str, str]]) -> str:
    """The rows as Markdown."""
    lines = ["| what | ratio, in one run | median |", "|---|---|---|"]
    lines += [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows]
    return "\n".join(lines)


def write(text: str, path: Path = README) -> None:
    """Put the table between the two marks of a file; a file without them is refused, not guessed at."""
    before = path.read_text(encoding="utf-8")
    after, count = re.subn(f"{MARK}.*?{MARK}", lambda _: f"{MARK}\n{text}\n{MARK}", before, flags=re.DOTALL)
    if count != 1:
        message = f"{path}: {count} places between two {MARK}, one was expected"
        raise SystemExit(message)
    path.write_text(after, encoding="utf-8")


def machine() -> str:
    """What it ran on."""
    return f"{os.cpu_count()} processors, {platform.system()}, Python {platform.python_version()}"


if __name__ == "__main__":
    found = [row for module in (one, many, writers, pages, respondents) for row in module.run()]
    text = f"{table(found)}\n\nMeasured on {machine()}."
    print(text)
    if "--write" in sys.argv:
        write(text)
