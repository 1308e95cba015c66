"""Rewrites what is kept beside the formats: ``python -m questionnaires publish`` or ``schemas``."""

from __future__ import annotations

import sys

import matrix.schemas
import questionnaires.schemas
from matrix import Refused
from questionnaires import publish


def main(words: list[str]) -> int:
    """Exit code of one command: 0 done, 1 refused, 2 no such command."""
    if words == ["publish"]:
        try:
            publish()
        except Refused as refused:
            sys.stderr.write(f"{refused}\n")
            return 1
    elif words == ["schemas"]:
        for path, text in (matrix.schemas.schemas() | questionnaires.schemas.schemas()).items():
            path.write_text(text, encoding="utf-8")
    else:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
