"""What maturity is: axes, levels, cells, roles, conditions, thresholds and the sources they rest on."""

from __future__ import annotations

from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from matrix.reader import Document, ModelT, load_document, parse
from matrix.refusals import Problem, Refused, nearest
from matrix.types import Citation, Flag, Format, Frozen, Id, Number, Share, Text_, Texts, Whole

HERE = Path(__file__).parent


class Source(Frozen):
    """A work the instrument rests on, and what it is used for."""

    id: Id
    authors: Text_
    year: Whole | None = None
    title: Text_
    doi: Text_ | None = None
    url: Text_ | None = None
    jurisdiction: Literal["be", "fr", "ca", "eu", "int"]
    note: Texts


class SourceList(Frozen):
    """The file sources.yaml."""

    schema_: Format = Field(alias="schema")
    sources: tuple[Source, ...]


class Level(Frozen):
    """A step of the ladder, 1 to 4."""

    id: Id
    number: Whole = Field(ge=1, le=4)
    title: Texts


class Axis(Frozen):
    """A dimension of engagement; ``scope`` is micro, meso, macro or none."""

    id: Id
    scope: Literal["micro", "meso", "macro"] | None
    title: Texts
    description: Texts


class Cell(Frozen):
    """What a level means on an axis; ``status`` tells how its wording is known."""

    axis: Id
    level: Id
    text: Texts
    status: Literal["seed", "remembered", "own"]
    sources: tuple[Citation, ...] = Field(min_length=1)


class Lens(Frozen):
    """One of the three views on the same ladder."""

    id: Literal["declared", "experienced", "documented"]
    title: Texts
    description: Texts


class Role(Frozen):
    """Who answers, and for which lens."""

    id: Id
    lens: Literal["declared", "experienced"]
    title: Texts


class Condition(Frozen):
    """What an item may show beside its level, and what that means on each axis."""

    id: Id
    title: Texts
    meaning: dict[str, Texts]
    sources: tuple[Citation, ...] = ()


class EvidenceKind(Frozen):
    """A sort of proof an item can ask for."""

    id: Id
    title: Texts


class Thresholds(Frozen):
    """Every number the scoring compares with; days and months are calendar ones, the rest shares or counts."""

    tau: Share
    kappa: tuple[Share, ...] = Field(min_length=4, max_length=4)
    condition: Share
    exposure: Share
    gap: Share
    gap_items: Whole = Field(ge=1)
    n_min: Whole = Field(ge=1)
    role_full: Whole = Field(ge=1)
    single_unit: Share
    evidence_days: Whole = Field(ge=1)
    emerging_months: Whole = Field(ge=1)
    emerging_position: Number
    claimed_level: Whole = Field(ge=1, le=4)
    consent_min: Whole = Field(ge=1)
    response_warn: Share


class Matrix(Frozen):
    """The whole matrix file; everything in it is addressed by id."""

    schema_: Format = Field(alias="schema")
    id: Id
    version: Whole = Field(ge=1)
    languages: tuple[Text_, ...] = Field(min_length=1)
    sources: tuple[Id, ...]
    levels: tuple[Level, ...] = Field(min_length=4, max_length=4)
    axes: tuple[Axis, ...] = Field(min_length=1)
    cells: tuple[Cell, ...]
    roles: tuple[Role, ...] = Field(min_length=2)
    lenses: tuple[Lens, ...] = Field(min_length=3, max_length=3)
    conditions: tuple[Condition, ...]
    evidence_kinds: tuple[EvidenceKind, ...]
    thresholds: Thresholds

    def __hash__(self) -> int:
        return hash((self.id, self.version))

    @cached_property
    def lens_of(self) -> dict[str, str]:
        """Lens of each role, by role id."""
        return {role.id: role.lens for role in self.roles}

    @cached_property
    def number_of(self) -> dict[str, int]:
        """Number (1 to 4) of each level, by level id."""
        return {level.id: level.number for level in self.levels}

    def ids(self, part: str) -> tuple[str, ...]:
        """Ids of a part: ``axes``, ``levels``, ``roles``, ``conditions``, ``evidence_kinds``, ``lenses``."""
        return tuple(one.id for one in getattr(self, part))

    def title(self, part: str, id_: str, lang: str) -> str:
        """Title of one entry of a part, in one language."""
        return str(next(one.title[lang] for one in getattr(self, part) if one.id == id_))


@cache
def load_sources(path: Path = HERE / "sources.yaml") -> dict[str, Source]:
    """The sources by id."""
    value, problems = check_sources(load_document(path, name=path.name))
    if value is None:
        raise Refused(problems)
    return {source.id: source for source in value.sources}


@cache
def load_matrix(path: Path = HERE / "pomey.yaml") -> Matrix:
    """The matrix the program ships."""
    value, problems = check_matrix(load_document(path, name=path.name))
    if value is None:
        raise Refused(problems)
    return value


@cache
def outline() -> Matrix:
    """The shipped matrix with whatever texts it has: files are checked against its ids while it is being translated."""
    document = load_document(HERE / "pomey.yaml", name="pomey.yaml")
    value, problems = parse(document, Matrix)
    if value is None:
        raise Refused(problems)
    return value


@cache
def source_ids() -> tuple[str, ...]:
    """Ids of the shipped sources, known whatever their notes lack."""
    return ids_of(load_document(HERE / "sources.yaml", name="sources.yaml").data["sources"])


def check_sources(document: Document) -> tuple[SourceList | None, tuple[Problem, ...]]:
    """Hold a sources file against its format; ids are unique."""
    problems = list(unique(document, "sources"))
    return _settle(document, SourceList, languages(document), problems)


def check_matrix(document: Document) -> tuple[Matrix | None, tuple[Problem, ...]]:
    """Hold a matrix file against its format: ids unique, every cell there once, every reference known."""
    own: list[Problem] = []
    data = document.data if isinstance(document.data, dict) else {}
    for index, level in entries(data.get("levels")):
        number = level.get("number")
        if number in (1, 2, 3, 4) and number != index + 1:
            own.append(document.problem(("levels", index, "number"), "level-order", expected=index + 1))
    for part in ("levels", "axes", "roles", "lenses", "conditions", "evidence_kinds"):
        own += unique(document, part)
    axes, levels = ids_of(data.get("axes")), ids_of(data.get("levels"))
    seen: dict[str, int] = {}
    for index, cell in entries(data.get("cells")):
        path = ("cells", index)
        own += among(document, (*path, "axis"), cell.get("axis"), axes, "unknown-axis")
        own += among(document, (*path, "level"), cell.get("level"), levels, "unknown-level")
        if isinstance(cell.get("axis"), str) and isinstance(cell.get("level"), str):
            key = f"{cell['axis']}/{cell['level']}"
            if key in seen:
                own.append(
                    document.problem(path, "duplicate-id", id=key, where=f"{document.file}:{seen[key]}")
                )
            seen.setdefault(key, document.line(path))
    own += [
        document.problem(("cells",), "missing-cell", axis=axis, level=level)
        for axis in axes
        for level in levels
        if f"{axis}/{level}" not in seen and "cells" in data
    ]
    for index, condition in entries(data.get("conditions")):
        meaning = condition.get("meaning")
        if isinstance(meaning, dict):
            place = ("conditions", index, "meaning")
            own += [document.problem(place, "missing-key", key=axis) for axis in axes if axis not in meaning]
            for axis in meaning:
                own += among(document, (*place, axis), axis, axes, "unknown-axis")
    own += cited(document)
    return _settle(document, Matrix, languages(document), own)


def _settle(
    document: Document, model: type[ModelT], langs: tuple[str, ...], own: list[Problem]
) -> tuple[ModelT | None, tuple[Problem, ...]]:
    value, problems = parse(document, model, langs)
    merged = merge(problems, own)
    return (None if merged else value), merged


def merge(*lists: tuple[Problem, ...] | list[Problem]) -> tuple[Problem, ...]:
    """Problems of several checks in file order, each place and code once; a word that is unknown is not called ill-formed too."""
    once = {(p.line, p.place, p.code, str(p.values)): p for problems in lists for p in problems}
    unknown = {(p.line, p.place) for p in once.values() if p.code.startswith("unknown-")}
    kept = (p for p in once.values() if p.code != "bad-id" or (p.line, p.place) not in unknown)
    return tuple(sorted(kept, key=lambda p: p.line))


def languages(document: Document) -> tuple[str, ...]:
    """Languages a file must speak: its own list when it is a matrix, else the shipped matrix's."""
    data = document.data
    own = data.get("languages") if isinstance(data, dict) else None
    if isinstance(own, list) and all(isinstance(one, str) for one in own) and own:
        return tuple(own)
    return _shipped_languages()


@cache
def _shipped_languages() -> tuple[str, ...]:
    """Languages of the shipped matrix, known before it is checked: its sources are held against them."""
    return tuple(load_document(HERE / "pomey.yaml").data["languages"])


# The checks below work on plain data, so that a file with a wrong shape still hears everything else.


def entries(part: object) -> list[tuple[int, dict[str, Any]]]:
    """The mappings of a list, with their places."""
    return [(i, one) for i, one in enumerate(part) if isinstance(one, dict)] if isinstance(part, list) else []


def ids_of(part: object) -> tuple[str, ...]:
    """The ids written in a list."""
    return tuple(str(one["id"]) for _, one in entries(part) if isinstance(one.get("id"), str))


def unique(document: Document, part: str, *, within: tuple[str | int, ...] = ()) -> list[Problem]:
    """A problem for each id that a list uses a second time."""
    here: Any = document.data
    for step in within:
        here = here[step]
    seen: dict[str, int] = {}
    problems = []
    for index, one in entries(here.get(part) if isinstance(here, dict) else None):
        id_ = one.get("id")
        if isinstance(id_, str):
            path = (*within, part, index, "id")
            if id_ in seen:
                where = f"{document.file}:{seen[id_]}"
                problems.append(document.problem(path, "duplicate-id", id=id_, where=where))
            seen.setdefault(id_, document.line(path))
    return problems


def among(
    document: Document,
    path: tuple[str | int, ...],
    found: object,
    known: tuple[str, ...],
    code: str,
    **values: object,
) -> list[Problem]:
    """A problem when a written id is none of the known ones."""
    if not isinstance(found, str) or found in known:
        return []
    return [document.problem(path, code, suggestion=nearest(found, known), known=known, id=found, **values)]


def cited(document: Document) -> list[Problem]:
    """A problem for each citation, anywhere in the file, of a source that does not exist."""
    problems: list[Problem] = []
    known = source_ids()

    def walk(here: object, path: tuple[str | int, ...]) -> None:
        if isinstance(here, dict):
            for key, value in here.items():
                if key == "sources" and isinstance(value, list):
                    for index, one in enumerate(value):
                        place = (*path, key, index)
                        inner = one.get("id") if isinstance(one, dict) else one
                        where = (*place, "id") if isinstance(one, dict) else place
                        problems.extend(among(document, where, inner, known, "unknown-source"))
                else:
                    walk(value, (*path, key))
        elif isinstance(here, list):
            for index, value in enumerate(here):
                walk(value, (*path, index))

    walk(document.data, ())
    return problems


__all__ = [
    "Axis",
    "Cell",
    "Condition",
    "EvidenceKind",
    "Flag",
    "Lens",
    "Level",
    "Matrix",
    "Role",
    "Source",
    "Thresholds",
]
