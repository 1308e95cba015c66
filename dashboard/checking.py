"""Any content file, held against the format its keys announce."""

from __future__ import annotations

from collections.abc import Sequence

from matrix import Document, Problem
from matrix.model import check_matrix, check_sources
from questionnaires import check_crosswalk, check_published, check_questionnaire
from scoring import check_rule


def check_document(
    document: Document, taken: dict[str, str] | None = None, items: Sequence[str] | None = None
) -> tuple[str, tuple[Problem, ...]]:
    """What kind of file this is, told by its keys, and every problem in it."""
    keys = set(document.data) if isinstance(document.data, dict) else set()
    if document.data is None and document.problems:
        return "unread", document.problems
    if {"items", "scales"} & keys:
        questionnaire, problems = check_questionnaire(document, taken=taken)
        return "questionnaire", problems if questionnaire is None else check_published(
            questionnaire, document
        )
    for marks, kind, check in (
        ({"requirements"}, "crosswalk", check_crosswalk),
        ({"when", "severity", "cap", "clears_when"}, "rule", lambda one: check_rule(one, items)),
        ({"axes", "cells", "thresholds"}, "matrix", check_matrix),
        ({"sources"}, "sources", check_sources),
    ):
        if marks & keys:
            return kind, check(document)[1]
    return "unknown", (*document.problems, document.problem((), "unknown-format"))
