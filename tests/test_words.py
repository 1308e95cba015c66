"""Every word the program says exists in every language, with the same {braces}, and is used."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter

import pytest

from matrix import load_document, load_matrix

ROOT = Path(__file__).parent.parent
CATALOGUES = sorted(
    [
        *(ROOT / "dashboard" / "words").glob("*.yaml"),
        ROOT / "reports" / "words.yaml",
        ROOT / "matrix" / "refusals.yaml",
        ROOT / "data" / "refusals.yaml",
    ]
)
LANGUAGES = load_matrix().languages


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_word_is_there_in_every_language(path: Path) -> None:
    """A catalogue has every language of the matrix for every key, none empty, with the same placeholders."""
    lacking = []
    for key, texts in load_document(path).data.items():
        holes = {}
        for lang in LANGUAGES:
            text = texts.get(lang)
            if not (isinstance(text, str) and text.strip()):
                lacking.append(f"{path.name}: {key}: {lang}")
            else:
                holes[lang] = {name for _, name, _, _ in Formatter().parse(text) if name}
        if len(set(map(frozenset, holes.values()))) > 1:
            lacking.append(f"{path.name}: {key}: the {{braces}} differ: {holes}")
    assert not lacking, "\n".join(lacking)


def test_every_locale_is_one_babel_knows() -> None:
    """Each language of the matrix says how it writes numbers and dates."""
    assert set(load_document(ROOT / "matrix" / "locales.yaml").data) == set(LANGUAGES)


def test_every_refusal_is_raised_somewhere() -> None:
    """A sentence that no code names is dead, and a code without a sentence would crash when it is needed."""
    source = "\n".join(
        path.read_text(encoding="utf-8")
        for folder in ("matrix", "questionnaires", "scoring", "data", "reports", "dashboard")
        for path in (ROOT / folder).rglob("*.py")
    )
    known = {key for name in ("matrix", "data") for key in load_document(ROOT / name / "refusals.yaml").data}
    dead = sorted(key for key in known if not re.search(rf"""["']{re.escape(key)}["']""", source))
    assert not dead, dead
