"""What is asked: questionnaires, crosswalks, and the check they must pass."""

from questionnaires.checker import (
    check_crosswalk,
    check_published,
    check_questionnaire,
    library_items,
    load_library,
    publish,
    published,
    read_questionnaire,
)
from questionnaires.model import SIDE_OF, Ask, Crosswalk, Form, Item, Option, Questionnaire

__all__ = [
    "SIDE_OF",
    "Ask",
    "Crosswalk",
    "Form",
    "Item",
    "Option",
    "Questionnaire",
    "check_crosswalk",
    "check_published",
    "check_questionnaire",
    "library_items",
    "load_library",
    "publish",
    "published",
    "read_questionnaire",
]
