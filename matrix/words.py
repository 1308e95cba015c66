"""Words and numbers as each language writes them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from babel.dates import format_date
from babel.numbers import format_decimal, format_percent

from matrix.reader import load_document
from matrix.refusals import Refused

if TYPE_CHECKING:
    import datetime as dt

_LOCALES: dict[str, dict[str, str]] = load_document(Path(__file__).with_name("locales.yaml")).data


@dataclass(frozen=True)
class Words:
    """A catalogue of interface words: key to text per language."""

    texts: dict[str, dict[str, str]]

    @classmethod
    def load(cls, *paths: Path) -> Words:
        """Read catalogues, YAML mappings of key to text per language; a key stands in one of them only."""
        texts: dict[str, dict[str, str]] = {}
        for path in paths:
            document = load_document(path)
            if document.problems:
                raise Refused(document.problems)
            own = document.data
            twice = texts.keys() & own.keys()
            if twice:
                raise KeyError(f"{path}: {sorted(twice)} stand in another catalogue too")
            texts |= own
        return cls(texts)

    def __call__(self, key: str, lang: str, **values: object) -> str:
        """The text of a key in one language, its {braces} filled in."""
        text = self.texts[key][lang]
        return text.format(**values) if values else text


def number(value: float, lang: str, digits: int = 1) -> str:
    """A number with a fixed count of decimals, halves rounded up, and the locale's decimal sign."""
    written = Decimal(repr(float(value)))  # the digits people see, not the binary ones below them
    rounded = written.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP) + 0  # + 0: never "-0"
    form = f"#,##0.{'0' * digits}" if digits else "#,##0"
    return str(format_decimal(rounded, format=form, locale=_LOCALES[lang]["locale"]))


def percent(share: float, lang: str) -> str:
    """A share of 1 as a whole percentage, spaced as the locale does."""
    return str(format_percent(share, locale=_LOCALES[lang]["locale"]))


def day(date: dt.date, lang: str) -> str:
    """A date in the locale's medium form; the first of a month as the language says it."""
    own = _LOCALES[lang]
    form = own.get("first", "medium") if date.day == 1 else "medium"
    return str(format_date(date, format=form, locale=own["locale"]))
