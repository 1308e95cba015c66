"""What is asked: questionnaires as frozen data, and the fingerprint of what they count."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field

from matrix.types import Citation, Flag, Format, Frozen, Id, Number, Share, Text_, Texts, Whole

Form = Literal["full", "express"]
SIDE_OF = {"declared": "institution", "experienced": "patients"}
"""Which wording of an item each answering lens sees."""


class Option(Frozen):
    """One answer a scale offers; ``value`` is a share of full practice, 0 to 1."""

    id: Id
    value: Share
    text: Texts


class Ask(Frozen):
    """How an item is put to one side; ``anchors`` tell what an option means for this item."""

    scale: Id
    text: Texts
    anchors: dict[str, Texts] = Field(default_factory=dict)


class Asks(Frozen):
    """The two wordings of an item; an absent one is not asked."""

    institution: Ask | None = None
    patients: Ask | None = None


class Item(Frozen):
    """One question; without ``level`` it counts in its condition only."""

    id: Id
    axis: Id
    level: Id | None = None
    condition: Id | None = None
    core: Flag = False
    express: Flag = False
    weight: Annotated[Number, Field(gt=0)] = 1.0
    ask: Asks
    evidence: tuple[Id, ...]
    advice: Texts
    jurisdiction: Literal["be", "fr", "ca", "eu", "int"] | None = None
    sources: tuple[Citation, ...] = Field(min_length=1)

    def asked_of(self, lens: str) -> Ask | None:
        """The wording for a lens (``declared`` or ``experienced``), or none when it is not asked."""
        return self.ask.institution if lens == "declared" else self.ask.patients


class Questionnaire(Frozen):
    """A whole questionnaire file; items and options are addressed by id."""

    schema_: Format = Field(alias="schema")
    id: Id
    version: Whole = Field(ge=1)
    kind: Literal["ladder", "module"]
    title: Texts
    sources: tuple[Id, ...]
    scales: dict[str, Annotated[tuple[Option, ...], Field(min_length=2)]]
    items: Annotated[tuple[Item, ...], Field(min_length=1)]

    @cached_property
    def _by_id(self) -> dict[str, Item]:
        return {item.id: item for item in self.items}

    def item(self, id_: str) -> Item:
        """The item of an id; ``KeyError`` when there is none."""
        return self._by_id[id_]

    def form(self, form: str) -> tuple[Item, ...]:
        """The items of a form: all of them, or the express ones."""
        return self.items if form == "full" else tuple(item for item in self.items if item.express)

    def options(self, item_id: str, lens: str) -> tuple[Option, ...]:
        """The options an item offers a lens; empty when it is not asked of that lens."""
        ask = self.item(item_id).asked_of(lens)
        return self.scales[ask.scale] if ask else ()

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all that changes a number: items with their place, weight, scales and forms, not their wording."""
        counted = [
            {
                "id": item.id,
                "axis": item.axis,
                "level": item.level,
                "condition": item.condition,
                "core": item.core,
                "express": item.express,
                "weight": item.weight,
                "evidence": sorted(item.evidence),
                "ask": {
                    side: [[option.id, option.value] for option in self.scales[ask.scale]]
                    for side, ask in (("institution", item.ask.institution), ("patients", item.ask.patients))
                    if ask is not None
                },
            }
            for item in sorted(self.items, key=lambda item: item.id)
        ]
        text = json.dumps([self.id, self.kind, counted], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


class Requirement(Frozen):
    """One requirement of a scheme, in our own words, and what of ours answers it."""

    id: Id
    code: Text_ | None
    text: Texts
    axis: Id
    level: Id
    items: tuple[Id, ...]
    evidence: tuple[Id, ...]
    confidence: Literal["verified", "to_confirm"]
    sources: tuple[Citation, ...] = Field(min_length=1)


class Crosswalk(Frozen):
    """The bridge to one accreditation scheme."""

    schema_: Format = Field(alias="schema")
    id: Id
    version: Whole = Field(ge=1)
    scheme: Text_
    edition: Text_
    jurisdiction: Literal["be", "fr", "ca", "eu", "int"]
    licence_note: Texts
    requirements: tuple[Requirement, ...]
