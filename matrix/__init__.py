"""What maturity is: the matrix, its sources, and the strict door through which every file comes."""

from matrix.model import Matrix, Source, Thresholds, load_matrix, load_sources
from matrix.reader import Document, load_document, parse, read_yaml
from matrix.refusals import Problem, Refused, nearest, register_refusals
from matrix.words import Words, day, number, percent

__all__ = [
    "Document",
    "Matrix",
    "Problem",
    "Refused",
    "Source",
    "Thresholds",
    "Words",
    "day",
    "load_document",
    "load_matrix",
    "load_sources",
    "nearest",
    "number",
    "parse",
    "percent",
    "read_yaml",
    "register_refusals",
]
