"""The rulebook: declarative rules over facts, in three-valued logic, judged as whole frames.

A rule's condition is brought to clauses when it is read: it holds when all leaves of any clause hold. Kleene's
three values are numbers (0 false, 1/2 unknown, 1 true), so that "all" is a minimum and "any" a maximum.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import product
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from matrix import (
    Document,
    Matrix,
    Problem,
    Refused,
    load_document,
    load_matrix,
    nearest,
    parse,
)
from matrix.model import cited, merge, outline
from matrix.schemas import schema
from matrix.types import Citation, Flag, Format, Frozen, Id, Number, Texts, Whole
from questionnaires import library_items
from scoring.ladder import EPS, Ceiling

RULEBOOK = Path(__file__).with_name("rulebook")
STATES = ("none", "sound", "unproven", "emerging", "watch", "high", "critical")
"""Showcase states, from nothing shown to a pattern; a fact carries the place in this list."""
SIDES = ("declared", "experienced")
NUMBERS = ("at_least", "at_most", "below", "above")
OPERATORS = (*NUMBERS, "is", "known")
FLAGS = ("applicable", "exposure", "unilateral")
"""Facts of an axis that are true or false."""
CLAUSE_LIMIT = 64
"""A rule that needs more ways to hold is several rules."""

Path_ = tuple[str | int, ...]


class Leaf(Frozen):
    """One comparison of one fact."""

    fact: str
    at_least: Number | None = None
    at_most: Number | None = None
    below: Number | None = None
    above: Number | None = None
    is_: Flag | str | None = Field(default=None, alias="is")
    known: Flag | None = None

    @model_validator(mode="after")
    def _one_comparison(self) -> Leaf:
        if len(self.model_fields_set) != 2:  # noqa: PLR2004  # the fact and its comparison
            raise PydanticCustomError("one-comparison", "one comparison")
        return self


class All(Frozen):
    """Holds when every part does."""

    all: tuple[Condition, ...] = Field(min_length=1)


class Any_(Frozen):  # noqa: N801  # beside All
    """Holds when one part does."""

    any: tuple[Condition, ...] = Field(min_length=1)


class Not(Frozen):
    """Holds when its part does not."""

    not_: Condition = Field(alias="not")


Condition = Leaf | All | Any_ | Not


class Cap(Frozen):
    """Which condition, when short, holds the retained position at which level."""

    condition: Id
    cap: Whole = Field(ge=1, le=3)


class Rule(Frozen):
    """One file of the rulebook."""

    schema_: Format = Field(alias="schema")
    id: Id
    kind: Literal["risk", "ceiling", "safeguard"]
    severity: Literal["low", "medium", "high", "critical"]
    each: Literal["axis"] | None = None
    when: Condition | None = None
    cap: Cap | None = None
    jurisdiction: Literal["be", "fr", "ca", "eu", "int"] | None = None
    title: Texts
    because: Texts
    advice: Texts
    clears_when: Texts
    sources: tuple[Citation, ...] = Field(min_length=1)


@dataclass(frozen=True)
class Term:
    """A leaf as it is judged: holds for ``low <= value < high``, or outside when ``outside``."""

    fact: str
    operator: str
    threshold: float | bool | str
    low: float
    high: float
    outside: bool = False

    def flipped(self) -> Term:
        """The term that holds exactly when this one does not."""
        other = {"at_least": "below", "below": "at_least", "at_most": "above", "above": "at_most"}
        if self.operator in other:
            return _term(self.fact, other[self.operator], self.threshold)
        if isinstance(self.threshold, bool):
            return _term(self.fact, self.operator, not self.threshold)
        name = "is" if self.operator == "is_not" else "is_not"
        return Term(self.fact, name, self.threshold, self.low, self.high, not self.outside)


def _term(fact: str, operator: str, threshold: Any) -> Term:
    if operator in ("is", "known"):
        at = float(STATES.index(threshold)) if isinstance(threshold, str) else float(threshold)
        return Term(fact, operator, threshold, at - 0.5, at + 0.5)
    bounds = {
        "at_least": (threshold - EPS, math.inf),
        "below": (-math.inf, threshold - EPS),
        "at_most": (-math.inf, math.nextafter(threshold + EPS, math.inf)),
        "above": (math.nextafter(threshold + EPS, math.inf), math.inf),
    }[operator]
    return Term(fact, operator, threshold, *bounds)


def clauses(condition: Any, *, holds: bool = True) -> tuple[tuple[Term, ...], ...]:
    """A condition (or, with ``holds`` false, its opposite) as alternatives of terms that must hold together."""
    if isinstance(condition, Leaf):
        operator = next(o for o in OPERATORS if (o if o != "is" else "is_") in condition.model_fields_set)
        threshold = getattr(condition, "is_" if operator == "is" else operator)
        term = _term(condition.fact, operator, threshold)
        return ((term if holds else term.flipped(),),)
    if isinstance(condition, Not):
        return clauses(condition.not_, holds=not holds)
    together = isinstance(condition, All) == holds
    parts = [
        clauses(one, holds=holds) for one in (condition.all if isinstance(condition, All) else condition.any)
    ]
    if not together:
        return tuple(dict.fromkeys(clause for part in parts for clause in part))
    joined = (tuple(dict.fromkeys(t for clause in one for t in clause)) for one in product(*parts))
    return tuple(dict.fromkeys(joined))


def _ways(condition: Any, *, holds: bool = True) -> int:
    """How many clauses a condition would make, counted without making them."""
    if isinstance(condition, Leaf):
        return 1
    if isinstance(condition, Not):
        return _ways(condition.not_, holds=not holds)
    parts = condition.all if isinstance(condition, All) else condition.any
    ways = [_ways(one, holds=holds) for one in parts]
    return math.prod(ways) if isinstance(condition, All) == holds else sum(ways)


@dataclass(frozen=True)
class Rulebook:
    """Rules by id, and the ceilings among them."""

    rules: dict[str, Rule]

    def __hash__(self) -> int:
        return hash(tuple(self.rules))

    @property
    def ceilings(self) -> tuple[Ceiling, ...]:
        """The ceilings as the ladder applies them."""
        return tuple(
            Ceiling(rule.id, rule.cap.condition, rule.cap.cap)
            for rule in self.rules.values()
            if rule.cap is not None
        )

    def __getitem__(self, id_: str) -> Rule:
        return self.rules[id_]


@cache
def load_rulebook(folder: Path = RULEBOOK) -> Rulebook:
    """The rules the program ships, or ``Refused`` with every problem of every file."""
    rules: dict[str, Rule] = {}
    problems: list[Problem] = []
    for path in sorted(folder.glob("*.yaml")):
        document = load_document(path, name=path.name)
        rule, wrong = check_rule(document)
        problems += wrong
        if rule is None:
            continue
        if rule.id in rules:
            problems.append(document.problem(("id",), "duplicate-id", id=rule.id, where=folder.name))
        rules[rule.id] = rule
    if problems:
        raise Refused(problems)
    return Rulebook(rules)


def schemas() -> dict[Path, str]:
    """Text of the JSON schema of a rule, by the file that keeps it."""
    return {RULEBOOK.with_name("rule.schema.json"): schema(Rule)}


def known_facts(matrix: Matrix, items: Iterable[str]) -> dict[str, str]:
    """Every fact a rule may name, with its kind: ``number``, ``flag`` or ``state``."""
    facts: dict[str, str] = {}
    conditions = matrix.ids("conditions")
    for axis in matrix.ids("axes"):
        numbers = [
            "declared",
            "experienced",
            "documented",
            "retained",
            "undocumented",
            "gap",
            "index",
            *conditions,
        ]
        numbers += [f"{c}.{side}" for c in conditions for side in SIDES]
        numbers += [f"cell.{level}.{side}" for level in matrix.ids("levels") for side in SIDES]
        facts |= {f"{axis}.{name}": "number" for name in numbers}
        facts |= {f"{axis}.{name}": "flag" for name in FLAGS}
        facts[f"{axis}.state"] = "state"
    facts |= {
        f"item.{item}.{lens}": "number" for item in items for lens in (*SIDES, "documented", "combined")
    }
    facts |= {f"overall.{condition}": "number" for condition in conditions}
    single = [f"{kind}.{side}" for kind in ("respondents", "completeness") for side in SIDES]
    single += ["channel.staff_entered", "evidence.coverage", "programme.months"]
    return facts | dict.fromkeys(single, "number")


def check_rule(
    document: Document, items: Iterable[str] | None = None
) -> tuple[Rule | None, tuple[Problem, ...]]:
    """A rule, or none, and every problem in file order.

    Args:
        items: ids of the items whose facts a rule may name; the library's, by default.
    """
    matrix = outline()
    if items is None:
        items = library_items()
    data = document.data
    own: list[Problem] = list(cited(document))
    if isinstance(data, dict):
        own += _shape(document, matrix)
        facts = known_facts(matrix, items)
        if data.get("each") == "axis":
            first = matrix.ids("axes")[0]
            facts |= {
                f"axis.{f.removeprefix(first + '.')}": k
                for f, k in facts.items()
                if f.startswith(first + ".")
            }
        own += _conditions(document, data.get("when"), ("when",), facts)
    rule, problems = parse(document, Rule, matrix.languages)
    # The union of condition shapes makes the parser's own words about `when` unreadable: ours are told instead.
    kept = [p for p in problems if p in document.problems or not re.match(r"when(\W|$)", p.place)]
    if rule is not None and rule.when is not None and not own and _ways(rule.when) > CLAUSE_LIMIT:
        own.append(document.problem(("when",), "too-many-clauses", limit=CLAUSE_LIMIT))
    merged = merge(kept, own) or (problems if rule is None else ())
    return (None if merged else rule), merged


def _shape(document: Document, matrix: Matrix) -> Iterable[Problem]:
    data = document.data
    is_ceiling = data.get("kind") == "ceiling"
    for key, belongs in (("cap", is_ceiling), ("when", not is_ceiling)):
        if belongs and key not in data:
            yield document.problem((), "missing-key", key=key)
        if not belongs and key in data:
            yield document.problem((key,), "not-for-kind", key=key, kind=data.get("kind"))
    cap = data.get("cap")
    if isinstance(cap, dict) and isinstance(cap.get("condition"), str):
        known = matrix.ids("conditions")
        if cap["condition"] not in known:
            near = nearest(cap["condition"], known)
            yield document.problem(
                ("cap", "condition"), "unknown-condition", suggestion=near, known=known, id=cap["condition"]
            )


def _conditions(document: Document, here: Any, path: Path_, facts: dict[str, str]) -> Iterable[Problem]:
    """What is wrong in a tree of conditions, told leaf by leaf."""
    if here is None:
        if path != ("when",):
            yield document.problem(path, "not-mapping", found="null")
        return
    if not isinstance(here, dict):
        yield document.problem(path, "not-mapping", found=str(here))
        return
    joint = [key for key in ("all", "any", "not") if key in here]
    if joint:
        for key in here:
            if key != joint[0]:
                yield document.problem((*path, key), "unknown-key", key=key, known=("all", "any", "not"))
        inner = here[joint[0]]
        if joint[0] == "not":
            yield from _conditions(document, inner, (*path, "not"), facts)
        elif not isinstance(inner, list) or not inner:
            yield document.problem((*path, joint[0]), "not-list", found=str(inner))
        else:
            for index, one in enumerate(inner):
                yield from _conditions(document, one, (*path, joint[0], index), facts)
        return
    yield from _leaf(document, here, path, facts)


def _leaf(document: Document, here: dict[str, Any], path: Path_, facts: dict[str, str]) -> Iterable[Problem]:
    known = ("fact", *OPERATORS)
    for key in (one for one in here if one not in known):
        near = nearest(key, (*known, "all", "any", "not"))
        yield document.problem((*path, key), "unknown-key", suggestion=near, known=known, key=key)
    fact = here.get("fact")
    used = [key for key in OPERATORS if key in here]
    if not isinstance(fact, str):
        yield document.problem(path, "missing-key", key="fact")
    elif fact not in facts:
        # Thousands of facts exist: the near miss helps, the whole list would not.
        near = nearest(fact, tuple(facts))
        yield document.problem((*path, "fact"), "unknown-fact", suggestion=near, id=fact)
    if len(used) != 1:
        yield document.problem(path, "one-comparison", known=OPERATORS)
        return
    yield from _comparison(document, (*path, used[0]), here[used[0]], fact, facts.get(str(fact)))


def _comparison(
    document: Document, place: Path_, value: object, fact: object, kind: str | None
) -> Iterable[Problem]:
    operator = place[-1]
    numeric = operator in NUMBERS
    if operator != "known" and kind is not None and numeric != (kind == "number"):
        fitting = (*NUMBERS, "known") if kind == "number" else ("is", "known")
        yield document.problem(place, "wrong-comparison", fact=fact, known=fitting)
    elif numeric:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            yield document.problem(place, "not-number", found=str(value))
    elif operator == "is" and kind == "state":
        if value not in STATES:
            near = nearest(str(value), STATES)
            yield document.problem(place, "not-among", suggestion=near, known=STATES, found=str(value))
    elif not isinstance(value, bool):
        yield document.problem(place, "not-bool", found=str(value))


@dataclass(frozen=True, eq=False)
class Compiled:
    """Every leaf of every judged rule as arrays, in order: leaves stand in clauses, clauses in instances.

    ``fact`` is the leaf's column among the facts, -1 for one that is always unknown here; ``clause_at`` and
    ``instance_at`` are where each clause (of leaves) and each instance (of clauses) begins. An instance is a
    rule, and for a rule on each axis the axis's place (else -1).
    """

    leaves: tuple[tuple[Term, str], ...]
    fact: npt.NDArray[np.int64]
    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]
    outside: npt.NDArray[np.bool_]
    asks: npt.NDArray[np.bool_]
    clause_at: list[int]
    instance_at: list[int]
    instances: tuple[tuple[Rule, int], ...]


@lru_cache(maxsize=8)
def compiled(rulebook: Rulebook, matrix: Matrix, facts: tuple[str, ...]) -> Compiled:
    """The rulebook as arrays over these facts."""
    column = {name: place for place, name in enumerate(facts)}
    leaves: list[tuple[Term, str]] = []
    clause_at: list[int] = []
    instance_at: list[int] = []
    instances: list[tuple[Rule, int]] = []
    axes = matrix.ids("axes")
    for rule in rulebook.rules.values():
        if rule.when is None:
            continue
        for axis in range(len(axes)) if rule.each else (-1,):
            instance_at.append(len(clause_at))
            instances.append((rule, axis))
            for clause in clauses(rule.when):
                clause_at.append(len(leaves))
                leaves += [
                    (
                        term,
                        f"{axes[axis]}.{term.fact[5:]}"
                        if axis >= 0 and term.fact.startswith("axis.")
                        else term.fact,
                    )
                    for term in clause
                ]
    terms = [term for term, _ in leaves]
    return Compiled(
        leaves=tuple(leaves),
        fact=np.array([column.get(name, -1) for _, name in leaves], dtype=np.int64),
        low=np.array([term.low for term in terms]),
        high=np.array([term.high for term in terms]),
        outside=np.array([term.outside for term in terms], dtype=bool),
        asks=np.array([term.operator == "known" for term in terms], dtype=bool),
        clause_at=clause_at,
        instance_at=instance_at,
        instances=tuple(instances),
    )


@dataclass(frozen=True, eq=False)
class Verdicts:
    """Truth (0 false, 1/2 unknown, 1 true) of every instance, clause and leaf, a row per assessment."""

    rules: Compiled
    facts: npt.NDArray[np.float64]
    leaf: npt.NDArray[np.float64]
    clause: npt.NDArray[np.float64]
    instance: npt.NDArray[np.float64]

    def of(self, row: int, silent: npt.NDArray[np.bool_] | None = None) -> tuple[list[Any], list[Any]]:
        """Findings and unjudged rules of one assessment, as the score's JSON carries them.

        A finding lists the leaves of the clauses that hold, an unjudged rule the unknown facts that would
        decide it.

        Args:
            row: the assessment.
            silent: marks the facts on which nothing is judged; a rule that lacks only such facts is no lack.
        """
        rules, axes = self.rules, load_matrix().ids("axes")
        found, unjudged = [], []
        for number in np.flatnonzero(self.instance[row] > 0):
            rule, axis = rules.instances[number]
            truth = self.instance[row, number]
            ends = (*rules.instance_at, len(rules.clause_at))
            deciding = [
                leaf
                for clause in range(ends[number], ends[number + 1])
                if self.clause[row, clause] == truth
                for leaf in range(rules.clause_at[clause], (*rules.clause_at, len(rules.leaves))[clause + 1])
                if self.leaf[row, leaf] == truth
            ]
            named = axes[axis] if axis >= 0 else None
            if truth == 1:
                because = [self._because(row, leaf) for leaf in deciding]
                because = [one for place, one in enumerate(because) if one not in because[:place]]
                found.append({"rule": rule.id, "axis": named, "severity": rule.severity, "because": because})
            else:
                if silent is not None:
                    deciding = [
                        leaf for leaf in deciding if rules.fact[leaf] < 0 or not silent[rules.fact[leaf]]
                    ]
                missing = list(dict.fromkeys(rules.leaves[leaf][1] for leaf in deciding))
                if not missing:
                    continue
                unjudged.append({"rule": rule.id, "axis": named, "missing": missing})
        return found, unjudged

    def _because(self, row: int, leaf: int) -> dict[str, Any]:
        term, fact = self.rules.leaves[leaf]
        column = self.rules.fact[leaf]
        value = self.facts[row, column] if column >= 0 else math.nan
        return {"fact": fact, "value": shown(fact, value), term.operator: term.threshold}


def judge(facts: npt.NDArray[np.float64], names: tuple[str, ...], rulebook: Rulebook) -> Verdicts:
    """Judge every rule on every assessment.

    Args:
        facts: assessment, fact; NaN is unknown, flags are 0 or 1, states their place in ``STATES``.
        names: the facts, in the order of the columns.
    """
    rules = compiled(rulebook, load_matrix(), names)
    with_unknown = np.column_stack([facts, np.full(len(facts), np.nan)])  # column -1
    values = with_unknown[:, rules.fact]
    known = ~np.isnan(values)
    seen = np.where(rules.asks, known, values)
    truth = ((seen >= rules.low) & (seen < rules.high)) != rules.outside
    leaf = np.where(known | rules.asks, truth, 0.5)
    if not rules.leaves:
        return Verdicts(rules, facts, leaf, leaf, leaf)
    clause = np.minimum.reduceat(leaf, rules.clause_at, axis=1)
    return Verdicts(rules, facts, leaf, clause, np.maximum.reduceat(clause, rules.instance_at, axis=1))


def shown(fact: str, value: float) -> float | bool | str | None:
    """A fact's value as JSON carries it: a number, a boolean, a state's name, or none."""
    if math.isnan(value):
        return None
    last = fact.rpartition(".")[2]
    if last in FLAGS:
        return bool(value)
    return STATES[round(value)] if last == "state" else float(value)


def judge_facts(facts: Mapping[str, Any], rulebook: Rulebook) -> tuple[list[Any], list[Any]]:
    """Judge one set of facts written out by hand: (findings, unjudged). Flags are booleans, states their names."""
    values = [
        math.nan if v is None else float(STATES.index(v)) if isinstance(v, str) else float(v)
        for v in facts.values()
    ]
    return judge(np.array([values]), tuple(facts), rulebook).of(0)
