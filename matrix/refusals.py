"""What is wrong, where, and what to do about it, in every language."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

KNOWN_LIMIT = 40
"""Words listed as known at most: a hundred ids would bury the sentence."""

_NEAR, _PART, _PREFIX = 70, 50, 2
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
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

    def sentence(self, lang: str = "en") -> str:
        """One line, ``What is wrong. Did you mean 'x'? Known: a, b.``: for whoever has just done it and knows where."""
        parts = [_sentence(self.code, lang, self.values)]
        if self.suggestion is not None:
            parts.append(_sentence("did-you-mean", lang, {"suggestion": self.suggestion}))
        if self.known:
            more = (*self.known[:KNOWN_LIMIT], "…") if len(self.known) > KNOWN_LIMIT else self.known
            parts.append(_sentence("known", lang, {"known": ", ".join(more)}))
        return _CONTROL.sub(" ", " ".join(parts))

    def text(self, lang: str = "en") -> str:
        """One line, ``file:line: place: `` and the sentence, whatever a file holds."""
        return _CONTROL.sub(" ", f"{self.file}:{self.line}: {self.place}: {self.sentence(lang)}")


class Refused(Exception):  # noqa: N818  # read as a sentence: the file was refused
    """A file or table was refused: all of its problems, in file order."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(sorted(problems, key=lambda p: (p.file, p.line)))
        super().__init__(self.text())

    def text(self, lang: str = "en") -> str:
        """One line a problem."""
        return "\n".join(p.text(lang) for p in self.problems)

    def sentences(self, lang: str = "en") -> str:
        """What is wrong without where, one line for each thing."""
        return "\n".join(dict.fromkeys(p.sentence(lang) for p in self.problems))


def nearest(word: str, known: Sequence[str]) -> str | None:
    """The known word that was probably meant, or none when nothing is close."""
    likeness = {one: _likeness(word.lower(), one.lower()) for one in known}
    best = max(known, key=likeness.__getitem__, default=None)
    return best if best is not None and likeness[best] >= _NEAR else None


def _likeness(word: str, other: str) -> float:
    """Share of common letters, 0 to 100, and more for a word one slip away or part of the other."""
    from rapidfuzz import distance, fuzz  # noqa: PLC0415  # here: most runs have no mistake to explain

    short, long = sorted((word, other), key=len)
    if len(short) > _PREFIX and distance.OSA.distance(word, other) <= 1:
        return 99
    part = long.startswith(short) if len(short) == _PREFIX else len(short) > _PREFIX and short in long
    return fuzz.ratio(word, other) + (_PART if part else 0)


def _sentence(code: str, lang: str, values: Mapping[str, object]) -> str:
    return _CATALOGUE[code][lang].format(**values)
