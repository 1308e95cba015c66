"""What is wrong, where, and what to do about it, in every language."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from rapidfuzz import process

_CATALOGUE: dict[str, dict[str, str]] = {}


def register_refusals(path: Path) -> None:
    """Add a catalogue of refusals: a YAML mapping of code to sentence per language."""
    _CATALOGUE.update(yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader))


register_refusals(Path(__file__).with_name("refusals.yaml"))


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong at one place of one file.

    ``code`` names a sentence of the catalogue, ``values`` fill it; ``suggestion`` is the near miss and
    ``known`` what would have been accepted.
    """

    file: str
    line: int
    place: str
    code: str
    values: dict[str, object] = field(default_factory=dict, hash=False)
    suggestion: str | None = None
    known: tuple[str, ...] = ()

    def text(self, lang: str = "en") -> str:
        """``file:line: place: what is wrong. Did you mean 'x'? Known: a, b.``"""
        parts = [_sentence(self.code, lang, self.values)]
        if self.suggestion is not None:
            parts.append(_sentence("did-you-mean", lang, {"suggestion": self.suggestion}))
        if self.known:
            parts.append(_sentence("known", lang, {"known": ", ".join(self.known)}))
        return f"{self.file}:{self.line}: {self.place}: {' '.join(parts)}"


class Refused(Exception):  # noqa: N818  # read as a sentence: the file was refused
    """A file or table was refused: all of its problems, in file order."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(sorted(problems, key=lambda p: (p.file, p.line)))
        super().__init__(self.text())

    def text(self, lang: str = "en") -> str:
        """One line a problem."""
        return "\n".join(p.text(lang) for p in self.problems)


def nearest(word: str, known: Sequence[str]) -> str | None:
    """The known word that was probably meant, or none when nothing is close."""
    found = process.extractOne(word.lower(), known, processor=str.lower, score_cutoff=60)
    return found[0] if found else None


def _sentence(code: str, lang: str, values: dict[str, Any]) -> str:
    return _CATALOGUE[code][lang].format(**values)
