"""The rulebook: declarative rules over facts, in three-valued logic, judged as whole frames.

A rule's condition is brought to clauses when it is read: it holds when all leaves of any clause hold. Kleene's
three values are numbers (0 false, 1/2 unknown, 1 true), so that "all" is a minimum and "any" a maximum.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import product
from pathlib import Path
from typing import Any, Literal

import narwhals as nw
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from matrix import Document, Matrix, Problem, Refused, load_document, load_matrix, load_sources, nearest, parse
from matrix.model import cited, merge
from matrix.types import Citation, Flag, Frozen, Id, Number, Texts, Whole
from questionnaires import load_library
from scoring.ladder import EPS, Ceiling, frame

RULEBOOK = Path(__file__).with_name("rulebook")
STATES = ("none", "sound", "unproven", "emerging", "watch", "high", "critical")
"""Showcase states, from nothing shown to a pattern; a fact carries the place in this list."""
SIDES = ("declared", "experienced")
NUMBERS = ("at_least", "at_most", "below", "above")
OPERATORS = (*NUMBERS, "is", "known")
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

    schema_: Literal[1] = Field(alias="schema")
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

    @property
    def on_known(self) -> bool:
        """Whether it asks if the fact is known, which is never unknown itself."""
        return self.operator == "known"

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
    parts = [clauses(one, holds=holds) for one in (condition.all if isinstance(condition, All) else condition.any)]
    if not together:
        return tuple(dict.fromkeys(clause for part in parts for clause in part))
    joined = (tuple(dict.fromkeys(t for clause in one for t in clause)) for one in product(*parts))
    return tuple(dict.fromkeys(joined))


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
            Ceiling(rule.id, rule.cap.condition, rule.cap.cap) for rule in self.rules.values() if rule.cap is not None
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


def known_facts(matrix: Matrix, items: Iterable[str]) -> dict[str, str]:
    """Every fact a rule may name, with its kind: ``number``, ``flag`` or ``state``."""
    facts: dict[str, str] = {}
    conditions = matrix.ids("conditions")
    for axis in matrix.ids("axes"):
        numbers = ["declared", "experienced", "documented", "retained", "undocumented", "gap", "index", *conditions]
        numbers += [f"{c}.{side}" for c in conditions for side in SIDES]
        numbers += [f"cell.{level}.{side}" for level in matrix.ids("levels") for side in SIDES]
        facts |= {f"{axis}.{name}": "number" for name in numbers}
        facts |= {f"{axis}.{name}": "flag" for name in ("applicable", "exposure", "unilateral")}
        facts[f"{axis}.state"] = "state"
    facts |= {f"item.{item}.{lens}": "number" for item in items for lens in (*SIDES, "documented", "combined")}
    facts |= {f"overall.{condition}": "number" for condition in conditions}
    single = [f"{kind}.{side}" for kind in ("respondents", "completeness") for side in SIDES]
    single += ["channel.staff_entered", "evidence.coverage", "programme.months"]
    return facts | dict.fromkeys(single, "number")


def check_rule(document: Document, items: Iterable[str] | None = None) -> tuple[Rule | None, tuple[Problem, ...]]:
    """A rule, or none, and every problem in file order.

    Args:
        items: ids of the items whose facts a rule may name; the library's, by default.
    """
    matrix = load_matrix()
    if items is None:
        items = [item.id for one in load_library().values() for item in one.items]
    data = document.data
    own: list[Problem] = list(cited(document, load_sources()))
    if isinstance(data, dict):
        own += _shape(document, matrix)
        facts = known_facts(matrix, items)
        if data.get("each") == "axis":
            first = matrix.ids("axes")[0]
            facts |= {f"axis.{f.removeprefix(first + '.')}": k for f, k in facts.items() if f.startswith(first + ".")}
        own += _conditions(document, data.get("when"), ("when",), facts)
    rule, problems = parse(document, Rule, matrix.languages)
    # The union of condition shapes makes the parser's own words about `when` unreadable: ours are told instead.
    kept = [p for p in problems if not p.place.startswith("when") or p.code in ("duplicate-key",)]
    if rule is not None and rule.when is not None and not own and len(clauses(rule.when)) > CLAUSE_LIMIT:
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
    for key in here:
        if key not in known:
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
    operator, value, kind = used[0], here[used[0]], facts.get(str(fact))
    place = (*path, operator)
    if operator == "known":
        if not isinstance(value, bool):
            yield document.problem(place, "not-bool", found=str(value))
    elif operator in NUMBERS:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            yield document.problem(place, "not-number", found=str(value))
        elif kind in ("flag", "state"):
            yield document.problem(path, "wrong-comparison", fact=fact, known=("is", "known"))
    elif kind == "number":
        yield document.problem(path, "wrong-comparison", fact=fact, known=(*NUMBERS, "known"))
    elif kind == "flag" and not isinstance(value, bool):
        yield document.problem(place, "not-bool", found=str(value))
    elif kind == "state" and value not in STATES:
        near = nearest(str(value), STATES)
        yield document.problem(place, "not-among", suggestion=near, known=STATES, found=str(value))


@lru_cache(maxsize=8)
def terms(rulebook: Rulebook, matrix: Matrix, backend: nw.Implementation) -> nw.DataFrame[Any]:
    """Every leaf of every judged rule: rule, axis ("" for none), clause, order, fact, low, high, outside, asks."""
    rows = []
    order = 0
    for rule in rulebook.rules.values():
        if rule.when is None:
            continue
        for axis in matrix.ids("axes") if rule.each else ("",):
            for number, clause in enumerate(clauses(rule.when)):
                for term in clause:
                    name = f"{axis}.{term.fact.removeprefix('axis.')}" if axis and term.fact.startswith("axis.") else term.fact
                    rows.append(
                        {
                            "rule": rule.id,
                            "axis": axis,
                            "clause": number,
                            "order": order,
                            "fact": name,
                            "low": term.low,
                            "high": term.high,
                            "outside": float(term.outside),
                            "asks": float(term.on_known),
                            "operator": term.operator,
                            "threshold": float(STATES.index(term.threshold))
                            if isinstance(term.threshold, str)
                            else float(term.threshold),
                        }
                    )
                    order += 1
    return frame(rows, TERMS, backend)


TERMS = {
    "rule": nw.String(),
    "axis": nw.String(),
    "clause": nw.Int64(),
    "order": nw.Int64(),
    "fact": nw.String(),
    "low": nw.Float64(),
    "high": nw.Float64(),
    "outside": nw.Float64(),
    "asks": nw.Float64(),
    "operator": nw.String(),
    "threshold": nw.Float64(),
}


def judge(
    facts: nw.DataFrame[Any], assessments: nw.DataFrame[Any], inapplicable: nw.DataFrame[Any] | None, rulebook: Rulebook
) -> nw.DataFrame[Any]:
    """The leaves that decide: rows of rules that fire (truth 1) or stay unjudged (truth 0.5).

    Args:
        facts: assessment, fact, value (null: unknown); flags are 0 or 1, states their place in ``STATES``.
        assessments: assessment.
        inapplicable: assessment, axis on which no rule is judged.

    Returns:
        assessment, rule, axis, truth, order, fact, value, operator, threshold; for a rule that fires the leaves
        of the clauses that hold, for an unjudged one the unknown leaves that would decide it.
    """
    matrix = load_matrix()
    col = nw.col
    leaves = (
        assessments.select("assessment")
        .join(terms(rulebook, matrix, facts.implementation), how="cross")
        .join(facts, on=["assessment", "fact"], how="left")
    )
    if inapplicable is not None:
        leaves = leaves.join(inapplicable, on=["assessment", "axis"], how="anti")
    known = (~col("value").is_null()).cast(nw.Float64)
    # A leaf that asks whether a fact is known compares that knowledge itself.
    seen = nw.when(col("asks") > 0).then(known).otherwise(col("value"))
    leaves = leaves.with_columns(seen=seen)
    inside = ((col("seen") >= col("low")) & (col("seen") < col("high"))).cast(nw.Float64)
    truth = inside * (1 - 2 * col("outside")) + col("outside")
    leaves = leaves.with_columns(leaf=nw.when(col("seen").is_null()).then(nw.lit(0.5)).otherwise(truth))
    by_clause = leaves.group_by("assessment", "rule", "axis", "clause").agg(col("leaf").min().alias("clause_truth"))
    by_rule = by_clause.group_by("assessment", "rule", "axis").agg(col("clause_truth").max().alias("truth"))
    deciding = by_clause.join(by_rule.filter(col("truth") > 0), on=["assessment", "rule", "axis"], how="inner").filter(
        col("clause_truth") == col("truth")
    )
    return (
        leaves.join(deciding, on=["assessment", "rule", "axis", "clause"], how="inner")
        .filter(col("leaf") == col("truth"))
        .select("assessment", "rule", "axis", "truth", "order", "fact", "value", "operator", "threshold")
    )


def findings(decided: nw.DataFrame[Any], rulebook: Rulebook) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
    """What ``judge`` decided, by assessment: findings and unjudged rules, as the score's JSON carries them."""
    facts = known_facts(load_matrix(), ())
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    unjudged: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row in sorted(decided.rows(named=True), key=lambda r: (r["assessment"], r["order"])):
        key = (row["assessment"], row["rule"], row["axis"])
        axis = row["axis"] or None
        fact = row["fact"]
        if row["truth"] < 1:
            entry = unjudged.setdefault(key, {"rule": row["rule"], "axis": axis, "missing": []})
            if fact not in entry["missing"]:
                entry["missing"].append(fact)
            continue
        rule = rulebook[row["rule"]]
        entry = found.setdefault(key, {"rule": rule.id, "axis": axis, "severity": rule.severity, "because": []})
        kind = "flag" if row["operator"] == "known" else facts.get(fact, "number")
        value = row["value"]
        shown = _shown(value, facts.get(fact, "number"))
        leaf = {"fact": fact, "value": shown, row["operator"]: _shown(row["threshold"], kind)}
        if leaf not in entry["because"]:
            entry["because"].append(leaf)
    return _by_assessment(found), _by_assessment(unjudged)


def _by_assessment(entries: dict[tuple[str, str, str], dict[str, Any]]) -> dict[str, list[Any]]:
    grouped: dict[str, list[Any]] = {}
    for (assessment, _, _), entry in entries.items():
        grouped.setdefault(assessment, []).append(entry)
    return grouped


def _shown(value: float | None, kind: str) -> float | bool | str | None:
    if value is None or math.isnan(value):
        return None
    if kind == "flag":
        return bool(value)
    return STATES[round(value)] if kind == "state" else value


def judge_facts(facts: Mapping[str, Any], rulebook: Rulebook) -> tuple[list[Any], list[Any]]:
    """Judge one set of facts written out by hand: (findings, unjudged). Flags are booleans, states their names."""
    values = [
        None if v is None else float(STATES.index(v)) if isinstance(v, str) else float(v) for v in facts.values()
    ]
    backend = nw.Implementation.PYARROW
    rows = [{"assessment": "a", "fact": f, "value": v} for f, v in zip(facts, values, strict=True)]
    types = {"assessment": nw.String(), "fact": nw.String(), "value": nw.Float64()}
    one = frame([{"assessment": "a"}], {"assessment": nw.String()}, backend)
    found, unjudged = findings(judge(frame(rows, types, backend), one, None, rulebook), rulebook)
    return found.get("a", []), unjudged.get("a", [])
