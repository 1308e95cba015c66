"""What answers mean: the ladder, conditions, showcase and rules, as pure dataframes."""

from scoring.rules import STATES, Rule, Rulebook, check_rule, judge_facts, load_rulebook
from scoring.scores import CRITERIA, Head, Scores, patients_by_axis, positions_of, score, whole_months

__all__ = [
    "CRITERIA",
    "STATES",
    "Head",
    "Rule",
    "Rulebook",
    "Scores",
    "check_rule",
    "judge_facts",
    "load_rulebook",
    "patients_by_axis",
    "positions_of",
    "score",
    "whole_months",
]
