"""Holds questionnaires and crosswalks against their format and against the matrix."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from matrix import Document, Matrix, Problem, Refused, load_document, load_matrix, load_sources, parse
from matrix.model import among, cited, entries, languages, merge, unique
from questionnaires.model import SIDE_OF, Crosswalk, Questionnaire

HERE = Path(__file__).parent
LIBRARY = HERE / "library"
PUBLISHED = HERE / "published.yaml"
LEVELLESS = ("display", "safeguard")
"""Conditions whose items never carry a level: showing is no step, and a breach is no lack."""


def check_questionnaire(
    document: Document, matrix: Matrix | None = None, taken: dict[str, str] | None = None
) -> tuple[Questionnaire | None, tuple[Problem, ...]]:
    """A questionnaire, or none, and every problem in file order.

    Args:
        taken: ids of items met in files checked before, with the place of each; this file's are added.
    """
    matrix = matrix or load_matrix()
    own: list[Problem] = list(cited(document, load_sources()))
    if isinstance(document.data, dict):
        own += unique(document, "items")
        own += _scales(document)
        own += _items(document, matrix, {} if taken is None else taken)
        if document.data.get("kind") == "ladder":
            own += _ladder(document, matrix)
    value, problems = parse(document, Questionnaire, languages(document) if document.data is None else matrix.languages)
    merged = merge(problems, own)
    return (None if merged else value), merged


def read_questionnaire(source: Path | bytes, *, name: str | None = None) -> Questionnaire:
    """Read one questionnaire file, or raise ``Refused`` with every problem at once."""
    value, problems = check_questionnaire(load_document(source, name=name))
    if value is None:
        raise Refused(problems)
    return value


@cache
def load_library(folder: Path = LIBRARY) -> dict[str, Questionnaire]:
    """The questionnaires the program ships, by id; an id stands once in all of them."""
    taken: dict[str, str] = {}
    library: dict[str, Questionnaire] = {}
    problems: list[Problem] = []
    for path in sorted(folder.glob("*.yaml")):
        value, wrong = check_questionnaire(load_document(path, name=path.name), taken=taken)
        problems += wrong
        if value is not None:
            library[value.id] = value
    if problems:
        raise Refused(problems)
    return library


def published() -> dict[str, dict[int, str]]:
    """Fingerprints of the published versions: questionnaire id, version, SHA-256."""
    kept = yaml.load(PUBLISHED.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader) or {}
    return {str(id_): dict(versions) for id_, versions in kept.items()}


def check_published(questionnaire: Questionnaire, document: Document) -> tuple[Problem, ...]:
    """A problem when a published version counts something else than it did."""
    kept = published().get(questionnaire.id, {}).get(questionnaire.version)
    if kept is None or kept == questionnaire.fingerprint:
        return ()
    values = {"id": questionnaire.id, "version": questionnaire.version}
    return (document.problem(("version",), "published-changed", **values),)


def check_crosswalk(document: Document) -> tuple[Crosswalk | None, tuple[Problem, ...]]:
    """A crosswalk, or none, and every problem in file order."""
    matrix = load_matrix()
    own = list(cited(document, load_sources()))
    if isinstance(document.data, dict):
        own += unique(document, "requirements")
        items = tuple(item.id for one in load_library().values() for item in one.items)
        for index, need in entries(document.data.get("requirements")):
            path = ("requirements", index)
            own += among(document, (*path, "axis"), need.get("axis"), matrix.ids("axes"), "unknown-axis")
            own += among(document, (*path, "level"), need.get("level"), matrix.ids("levels"), "unknown-level")
            own += _each_among(document, (*path, "evidence"), need, matrix.ids("evidence_kinds"), "unknown-evidence")
            own += _each_among(document, (*path, "items"), need, items, "unknown-item")
    value, problems = parse(document, Crosswalk, matrix.languages)
    merged = merge(problems, own)
    return (None if merged else value), merged


def _each_among(
    document: Document, path: tuple[str | int, ...], here: dict[str, Any], known: tuple[str, ...], code: str
) -> Iterable[Problem]:
    written = here.get(str(path[-1]))
    if isinstance(written, list):
        for index, one in enumerate(written):
            yield from among(document, (*path, index), one, known, code)


def _scales(document: Document) -> Iterable[Problem]:
    scales = document.data.get("scales")
    for name, options in scales.items() if isinstance(scales, dict) else ():
        before: float | None = None
        seen: dict[str, int] = {}
        for index, option in entries(options):
            path = ("scales", name, index)
            id_, value = option.get("id"), option.get("value")
            if isinstance(id_, str):
                if id_ in ("na", "dk"):
                    yield document.problem((*path, "id"), "reserved-option", id=id_)
                if id_ in seen:
                    where = f"{document.file}:{seen[id_]}"
                    yield document.problem((*path, "id"), "duplicate-id", id=id_, where=where)
                seen.setdefault(id_, document.line((*path, "id")))
            if isinstance(value, int | float) and not isinstance(value, bool):
                if before is not None and value < before:
                    yield document.problem((*path, "value"), "unordered-values", value=value, before=before)
                before = value


def _items(document: Document, matrix: Matrix, taken: dict[str, str]) -> Iterable[Problem]:
    scales = document.data.get("scales")
    scales = scales if isinstance(scales, dict) else {}
    own: dict[str, str] = {}
    for index, item in entries(document.data.get("items")):
        path = ("items", index)
        id_ = item.get("id")
        if isinstance(id_, str):
            if id_ in taken:
                yield document.problem((*path, "id"), "duplicate-id", id=id_, where=taken[id_])
            own.setdefault(id_, f"{document.file}:{document.line((*path, 'id'))}")
        for key, part, code in (
            ("axis", "axes", "unknown-axis"),
            ("level", "levels", "unknown-level"),
            ("condition", "conditions", "unknown-condition"),
        ):
            yield from among(document, (*path, key), item.get(key), matrix.ids(part), code)
        kinds = matrix.ids("evidence_kinds")
        yield from _each_among(document, (*path, "evidence"), item, kinds, "unknown-evidence")
        level, condition = item.get("level"), item.get("condition")
        if level is None and condition is None:
            yield document.problem(path, "no-level-no-condition")
        if level is not None and condition in LEVELLESS:
            yield document.problem((*path, "level"), "level-on-condition", condition=condition)
        if not item.get("sources"):
            yield document.problem(path, "no-source")
        ask = item.get("ask")
        if isinstance(ask, dict):
            if not any(isinstance(ask.get(side), dict) for side in SIDE_OF.values()):
                yield document.problem((*path, "ask"), "asked-of-nobody")
            for side in SIDE_OF.values():
                yield from _ask(document, (*path, "ask", side), ask.get(side), scales)
    taken.update(own)


def _ask(
    document: Document, path: tuple[str | int, ...], one: object, scales: dict[str, Any]
) -> Iterable[Problem]:
    if not isinstance(one, dict):
        return
    name = one.get("scale")
    yield from among(document, (*path, "scale"), name, tuple(scales), "unknown-scale")
    anchors = one.get("anchors")
    if isinstance(anchors, dict) and name in scales:
        options = tuple(str(option.get("id")) for _, option in entries(scales[name]))
        for option in anchors:
            place = (*path, "anchors", option)
            yield from among(document, place, option, options, "unknown-option", scale=name)


def _ladder(document: Document, matrix: Matrix) -> Iterable[Problem]:
    """A rung that nobody can answer, or nothing can prove, would make the whole ladder false."""
    asked: dict[str, set[str]] = {}  # axis: sides asked
    cells: dict[tuple[str, str, str], bool] = {}  # axis, level, side: asks for evidence
    for _, item in entries(document.data.get("items")):
        axis, level, ask = item.get("axis"), item.get("level"), item.get("ask")
        if not isinstance(axis, str) or not isinstance(ask, dict):
            continue
        for side in SIDE_OF.values():
            if isinstance(ask.get(side), dict):
                asked.setdefault(axis, set()).add(side)
                if isinstance(level, str):
                    key = (axis, level, side)
                    cells[key] = cells.get(key, False) or bool(item.get("evidence"))
    for axis in matrix.ids("axes"):
        for side in SIDE_OF.values():
            if side in asked.get(axis, ()):
                for level in matrix.ids("levels"):
                    if (axis, level, side) not in cells:
                        yield document.problem(("items",), "cell-not-asked", axis=axis, level=level, asked=side)
        if axis in asked:
            for level in matrix.ids("levels"):
                if not cells.get((axis, level, "institution")):
                    yield document.problem(("items",), "cell-without-evidence", axis=axis, level=level)
