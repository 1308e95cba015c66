"""Builds and judges a golden case: a small questionnaire, answers in words, expected numbers with their working."""

from __future__ import annotations

import ast
import datetime as dt
import operator
from collections.abc import Iterable
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pytest
from reference import reference

from matrix import load_matrix
from questionnaires import Questionnaire
from scoring import judge_facts, load_rulebook, score

ENGINES = ("arrow", "pandas", "polars", "duckdb")
_OPERATORS: dict[type, Any] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def run(entry: dict[str, Any]) -> None:
    """Run one case: of a rule when it names one, else of the scoring."""
    if "rule" in entry:
        _run_rule(entry)
    else:
        _run_score(entry)


def _run_rule(entry: dict[str, Any]) -> None:
    axis = entry.get("axis")
    found, unjudged = judge_facts(entry["facts"], load_rulebook())
    said = "silent"
    for name, entries in (("fires", found), ("unjudged", unjudged)):
        if any(one["rule"] == entry["rule"] and one["axis"] == axis for one in entries):
            said = name
    assert said == entry["then"], f"{entry['rule']}: expected {entry['then']}, got {said}"


def _run_score(entry: dict[str, Any]) -> None:
    questionnaire = build(entry["items"], scales_of(entry["answers"]))
    answers = answer_table(entry["answers"], questionnaire)
    about = entry.get("about")
    heads = (
        pa.table({"assessment": ["a"], **{key: [str(value)] for key, value in about.items()}})
        if about
        else None
    )
    proof = evidence_table(entry["evidence"]) if "evidence" in entry else None
    on = dt.date.fromisoformat(str(entry.get("on", "2026-01-31")))
    form = entry.get("form", "full")
    for engine in ENGINES:
        scores = score(
            questionnaire, on_engine(answers, engine), evidence=proof, assessments=heads, on=on, form=form
        )
        (result,) = scores.to_json()
        _judge(result, entry["expect"], engine)
    rows = [table.to_pylist() if table else [] for table in (answers, proof, heads)]
    (result,) = reference(questionnaire, rows[0], evidence=rows[1], assessments=rows[2], on=on, form=form)
    known = {
        path: value
        for path, value in entry["expect"].items()
        if path.split(".")[0] in {*result, *result["axes"]}
    }
    _judge(result, known, "by hand")


def _judge(result: dict[str, Any], expect: dict[str, Any], who: str) -> None:
    for path, expected in expect.items():
        got = at(result, path)
        wanted = worked_out(expected)
        number = isinstance(wanted, int | float) and not isinstance(wanted, bool) and got is not None
        same = got == pytest.approx(wanted, abs=1e-9, rel=0) if number else got == wanted
        assert same, f"{who}: {path}: expected {expected}, got {got}"


def scales_of(groups: dict[str, dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Scales with every value a case's answers name, beside none and all."""
    given = [one for answers in groups.values() for one in answers.values()]
    values = {0, 1, *(one for said in given for one in (said if isinstance(said, list) else [said]))}
    scale = {
        option_id(value): float(value) for value in sorted(v for v in values if isinstance(v, int | float))
    }
    return {"institution": scale, "patients": scale}


def build(items: dict[str, dict[str, Any]], scales: dict[str, dict[str, float]]) -> Questionnaire:
    """A questionnaire from compact items; ``ask`` is both, institution or patients.

    Args:
        scales: values by option id, for ``institution`` and ``patients``.
    """
    text = dict.fromkeys(load_matrix().languages, "…")
    full = []
    for id_, item in items.items():
        short = dict(item)
        sides = {"both": ("institution", "patients")}.get(short.get("ask", "both"), (short.get("ask"),))
        short["ask"] = {side: {"scale": side, "text": text} for side in sides}
        short.setdefault("evidence", [])
        full.append({"id": id_, "advice": text, "sources": [{"id": "dumont2025"}], **short})
    return Questionnaire.model_validate(
        {
            "schema": 1,
            "id": "golden",
            "version": 1,
            "kind": "ladder",
            "title": text,
            "sources": ["dumont2025"],
            "scales": {
                name: [{"id": id_, "value": value, "text": text} for id_, value in options.items()]
                for name, options in scales.items()
            },
            "items": full,
        }
    )


def option_id(value: float) -> str:
    """Option of a value on the cases' scale."""
    return f"v{float(value)!r}"


def answer_table(groups: dict[str, dict[str, Any]], questionnaire: Questionnaire) -> pa.Table:
    """Answers from groups such as ``patient x5: {s1: 0.7}``; a list gives each person of the group his own.

    ``patient=ann`` names a person, who may answer in several roles; ``patient/a x3`` tells groups of a role apart.
    """
    rows: list[dict[str, str]] = []
    lens_of = load_matrix().lens_of
    for place, (group, answers) in enumerate(groups.items()):
        role, _, count = group.partition(" x")
        role, _, name = role.partition("=")
        role = role.split("/")[0]
        for person in range(int(count or 1)):
            for item, given in answers.items():
                one = given[person] if isinstance(given, list) else given
                if one is None or not questionnaire.item(item).asked_of(lens_of[role]):
                    continue
                answer = one if isinstance(one, str) else option_id(one)
                rows.append(
                    {
                        "assessment": "a",
                        "respondent": name or f"{group}-{place}-{person}",
                        "role": role,
                        "item": item,
                        "answer": answer,
                        "reason": "not ours" if answer == "na" else "",
                    }
                )
    columns = ("assessment", "respondent", "role", "item", "answer", "reason")
    return pa.table({c: pa.array([row[c] for row in rows], pa.string()) for c in columns})


def evidence_table(pieces: list[dict[str, Any]]) -> pa.Table:
    """Evidence from compact pieces: accepted, institution-wide minutes unless they say otherwise."""
    plain = {
        "assessment": "a", "title": "t", "kind": "minutes", "date": "2026-01-01", "valid_until": "",
        "added_by": "quality", "accepted_by": "committee", "units": "all", "file": "f",
    }  # fmt: skip
    rows = [{**plain, **{key: str(value) for key, value in piece.items()}} for piece in pieces]
    return pa.table({c: pa.array([row[c] for row in rows], pa.string()) for c in ("item", *plain)})


def on_engine(table: pa.Table, engine: str) -> Any:
    """The same table on another engine."""
    if engine == "pandas":
        return table.to_pandas()
    if engine == "polars":
        return pl.from_arrow(table).lazy()  # type: ignore[union-attr]
    if engine == "duckdb":
        return duckdb.from_arrow(table)
    return table


def wide_table(table: pa.Table, items: Iterable[str] | None = None) -> pa.Table:
    """The wide form of a long answers table, with a column for each of the items, or for those answered."""
    rows = table.to_pylist()
    people: dict[tuple[str, str, str], dict[str, str]] = {}
    for row in rows:
        people.setdefault((row["assessment"], row["respondent"], row["role"]), {})[row["item"]] = row[
            "answer"
        ]
    names = sorted({row["item"] for row in rows}) if items is None else list(items)
    columns: dict[str, list[str | None]] = {
        key: [who[place] for who in people] for place, key in enumerate(("assessment", "respondent", "role"))
    }
    columns |= {name: [answers.get(name) for answers in people.values()] for name in names}
    return pa.table({name: pa.array(cells, pa.string()) for name, cells in columns.items()})


def at(result: dict[str, Any], path: str) -> Any:
    """What a score holds at a dotted path; a path that begins with an axis starts below ``axes``.

    ``findings.<rule>`` and ``unjudged.<rule>`` give the axes on which that rule is listed.
    """
    here: Any = result
    steps = path.split(".")
    if steps[0] in result["axes"]:
        here = result["axes"]
    for step in steps:
        if here is None:
            return None
        here = [one["axis"] for one in here if one["rule"] == step] if isinstance(here, list) else here[step]
    return here


def worked_out(expected: Any) -> Any:
    """A number from its written working, such as ``(0.7*2 + 0.3) / 3``; anything else as it is."""
    if not isinstance(expected, str):
        return expected
    try:
        return _value(ast.parse(expected, mode="eval").body)
    except (SyntaxError, ValueError):
        return expected


def _value(node: ast.expr) -> float:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return node.value
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        result: float = _OPERATORS[type(node.op)](_value(node.left), _value(node.right))
        return result
    raise ValueError
