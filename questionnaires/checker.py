"""Holds questionnaires and crosswalks against their format and against the matrix."""

from __future__ import annotations

from functools import cache
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from matrix import Document, Matrix, Problem, Refused, load_document, parse
from matrix.model import among, cited, entries, ids_of, merge, outline, unique
from questionnaires.model import SIDE_OF, Crosswalk, Questionnaire

if TYPE_CHECKING:
    from collections.abc import Iterable

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
        document: what was read.
        matrix: what its axes, levels and languages are held against; the shipped one, by default.
        taken: ids of items met in files checked before, with the place of each; this file's are added.
    """
    matrix = matrix or outline()
    own: list[Problem] = list(cited(document))
    if isinstance(document.data, dict):
        own += unique(document, "items")
        own += _scales(document)
        own += _items(document, matrix, {} if taken is None else taken)
        if document.data.get("kind") == "ladder":
            own += _ladder(document, matrix)
    value, problems = parse(document, Questionnaire, matrix.languages)
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
        document = load_document(path, name=path.name)
        value, wrong = check_questionnaire(document, taken=taken)
        problems += wrong
        if value is not None:
            if value.id in library:
                problems.append(document.problem(("id",), "duplicate-id", id=value.id, where=folder.name))
            library[value.id] = value
    if problems:
        raise Refused(problems)
    return library


@cache
def library_items(folder: Path = LIBRARY) -> tuple[str, ...]:
    """Ids of all items of the library, known whatever its texts lack."""
    files = [load_document(path).data for path in sorted(folder.glob("*.yaml"))]
    return tuple(id_ for data in files if isinstance(data, dict) for id_ in ids_of(data.get("items")))


def published(kept: Path = PUBLISHED) -> dict[str, dict[int, str]]:
    """Fingerprints of the published versions: questionnaire id, version, SHA-256."""
    document = load_document(kept, name=kept.name)
    if document.problems:
        raise Refused(document.problems)
    return {
        id_: {int(version): sha for version, sha in versions.items()}
        for id_, versions in document.data.items()
    }


def check_published(
    questionnaire: Questionnaire, document: Document, kept: Path = PUBLISHED
) -> tuple[Problem, ...]:
    """A problem when a published version counts something else than it did."""
    known = published(kept).get(questionnaire.id, {}).get(questionnaire.version)
    if known in (None, questionnaire.fingerprint):
        return ()
    place = ("version",)
    return (document.problem(place, "published-changed", id=questionnaire.id, version=questionnaire.version),)


def publish(folder: Path = LIBRARY, kept: Path = PUBLISHED) -> None:
    """Keep the fingerprint of every version in the library; ``Refused`` when a published one has changed."""
    known = published(kept)
    problems: list[Problem] = []
    for path in sorted(folder.glob("*.yaml")):
        one = read_questionnaire(path, name=path.name)
        problems += check_published(one, load_document(path, name=path.name), kept)
        known.setdefault(one.id, {})[one.version] = one.fingerprint
    if problems:
        raise Refused(problems)
    head = "".join(
        line for line in kept.read_text(encoding="utf-8").splitlines(keepends=True) if line[:1] == "#"
    )
    kept.write_text(head + yaml.safe_dump(known), encoding="utf-8")


def check_crosswalk(document: Document) -> tuple[Crosswalk | None, tuple[Problem, ...]]:
    """A crosswalk, or none, and every problem in file order."""
    matrix = outline()
    own = list(cited(document))
    if isinstance(document.data, dict):
        own += unique(document, "requirements")
        items = library_items()
        for index, need in entries(document.data.get("requirements")):
            path = ("requirements", index)
            own += among(document, (*path, "axis"), need.get("axis"), matrix.ids("axes"), "unknown-axis")
            own += among(document, (*path, "level"), need.get("level"), matrix.ids("levels"), "unknown-level")
            own += _each_among(
                document, (*path, "evidence"), need, matrix.ids("evidence_kinds"), "unknown-evidence"
            )
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
        yield from _counts(document, path, item, matrix)
        ask = item.get("ask")
        if isinstance(ask, dict):
            if all(one is None for one in ask.values()):
                yield document.problem((*path, "ask"), "asked-of-nobody")
            for side in SIDE_OF.values():
                yield from _ask(document, (*path, "ask", side), ask.get(side), scales)
    taken.update(own)


def _counts(
    document: Document, path: tuple[str | int, ...], item: dict[str, Any], matrix: Matrix
) -> Iterable[Problem]:
    """Where an item counts: its cell or condition, and the evidence it asks for."""
    for key, part, code in (
        ("axis", "axes", "unknown-axis"),
        ("level", "levels", "unknown-level"),
        ("condition", "conditions", "unknown-condition"),
    ):
        yield from among(document, (*path, key), item.get(key), matrix.ids(part), code)
    yield from _each_among(
        document, (*path, "evidence"), item, matrix.ids("evidence_kinds"), "unknown-evidence"
    )
    level, condition = item.get("level"), item.get("condition")
    if level is None and condition is None:
        yield document.problem(path, "no-level-no-condition")
    if level is not None and condition in LEVELLESS:
        yield document.problem((*path, "level"), "level-on-condition", condition=condition)


def _ask(
    document: Document, path: tuple[str | int, ...], one: object, scales: dict[str, Any]
) -> Iterable[Problem]:
    if not isinstance(one, dict):
        return
    name = one.get("scale")
    yield from among(document, (*path, "scale"), name, tuple(scales), "unknown-scale")
    anchors = one.get("anchors")
    if isinstance(anchors, dict) and isinstance(name, str) and name in scales:
        options = ids_of(scales[name])
        for option in anchors:
            place = (*path, "anchors", option)
            yield from among(document, place, option, options, "unknown-option", scale=name)


def _ladder(document: Document, matrix: Matrix) -> Iterable[Problem]:
    """A rung that nobody can answer, or nothing can prove, would make the whole ladder false."""
    cells: dict[tuple[str, str], list[tuple[object, bool]]] = {}  # axis, side: level, asks for evidence
    for _, item in entries(document.data.get("items")):
        axis, ask = item.get("axis"), item.get("ask")
        for side in SIDE_OF.values():
            if isinstance(axis, str) and isinstance(ask, dict) and isinstance(ask.get(side), dict):
                cells.setdefault((axis, side), []).append((item.get("level"), bool(item.get("evidence"))))
    for axis, level in product(matrix.ids("axes"), matrix.ids("levels")):
        for side in SIDE_OF.values():
            if (axis, side) in cells and not any(rung == level for rung, _ in cells[axis, side]):
                yield document.problem(("items",), "cell-not-asked", axis=axis, level=level, asked=side)
        if any((axis, side) in cells for side in SIDE_OF.values()):
            proved = [rung for rung, evidence in cells.get((axis, "institution"), ()) if evidence]
            if level not in proved:
                yield document.problem(("items",), "cell-without-evidence", axis=axis, level=level)
