"""What answers mean: the ladder, conditions, showcase and rules, as pure dataframes; and what of it may be shown."""

from scoring.disclosure import disclosed, few_patients
from scoring.rules import STATES, Rule, Rulebook, check_rule, judge_facts, load_rulebook
from scoring.scores import CRITERIA, Head, Scores, positions_of, score, whole_months

__all__ = [
    "CRITERIA",
    "STATES",
    "Head",
    "Rule",
    "Rulebook",
    "Scores",
    "check_rule",
    "disclosed",
    "few_patients",
    "judge_facts",
    "load_rulebook",
    "positions_of",
    "score",
    "whole_months",
]
