"""The form one role is asked, and what a person says on it, held against it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from dashboard.paging import Part, minutes_for, pages_of
from data import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from data import Campaign
    from questionnaires import Item, Questionnaire

TEXT_LIMIT = 1000
"""Characters of a comment or a reason."""
OPEN_ANSWERS = ("dk", "na")
"""What every question offers besides its options; ``na`` counts with a reason only."""


class Said(NamedTuple):
    """What a person says on a question; without ``answer`` they take back what they said."""

    answer: str = ""
    reason: str = ""
    comment: str = ""

    @classmethod
    def of(cls, fields: Mapping[str, object]) -> Said:
        """What these fields say, as it is kept: texts without blanks around, a reason beside ``na`` only.

        Raises ``TypeError`` when a field is no text.
        """
        answer, reason, comment = (_text(fields.get(name, "")) for name in cls._fields)
        return cls(answer, reason if answer == "na" else "", comment)

    @classmethod
    def kept(cls, answer: Answer | None) -> Said:
        """What the store holds."""
        return cls(answer.answer, answer.reason, answer.comment) if answer else cls()

    @property
    def mark(self) -> str:
        """A short mark, the same for the same words: a page tells by it whether somebody changed something."""
        return hashlib.blake2s("\x1f".join(self).encode(errors="replace"), digest_size=6).hexdigest()

    @property
    def fault(self) -> str:
        """The word that says why this cannot be kept, or nothing when it can."""
        texts = (self.reason, self.comment)
        if any(len(text) > TEXT_LIMIT for text in texts):
            return "r-error-long"
        if any(c == "\0" or "\ud800" <= c <= "\udfff" for text in texts for c in text):
            return "r-error-character"
        if self.answer == "na" and not self.reason:
            return "r-error-reason"
        return "r-error-comment" if self.comment and not self.answer else ""


@dataclass(frozen=True)
class Form:
    """The questions of a campaign for one lens, page by page."""

    campaign: Campaign
    questionnaire: Questionnaire
    lens: str

    @cached_property
    def pages(self) -> tuple[Part, ...]:
        """The pages in their order; the first is page 1."""
        return tuple(pages_of(self.campaign, self.questionnaire, self.lens))

    @cached_property
    def page_of(self) -> dict[str, int]:
        """The page of each question, by item, in the order they are asked."""
        return {item.id: n for n, page in enumerate(self.pages, 1) for item in page.items}

    @cached_property
    def number_of(self) -> dict[str, int]:
        """The number of each question, from 1, by item."""
        return {id_: n for n, id_ in enumerate(self.page_of, 1)}

    @cached_property
    def _choices(self) -> dict[str, frozenset[str]]:
        return {
            id_: frozenset(
                {"", *OPEN_ANSWERS, *(one.id for one in self.questionnaire.options(id_, self.lens))}
            )
            for id_ in self.page_of
        }

    def takes(self, item: str, said: Said) -> bool:
        """Whether this form asks the question and offers the answer."""
        return said.answer in self._choices.get(item, ())

    def items(self, page: int) -> tuple[Item, ...]:
        """The questions of a page."""
        return self.pages[page - 1].items

    def open_items(self, saved: Mapping[str, Answer]) -> list[str]:
        """The questions without an answer, in their order."""
        return [id_ for id_ in self.page_of if id_ not in saved]

    def progress(self, saved: Mapping[str, Answer]) -> dict[str, int]:
        """Questions answered, questions asked, and the minutes that the others take."""
        left = len(self.open_items(saved))
        total = len(self.page_of)
        return {"done": total - left, "total": total, "minutes": minutes_for(left) if left else 0}


def _text(found: object) -> str:
    if not isinstance(found, str):
        raise TypeError(type(found).__name__)
    return found.replace("\r\n", "\n").strip()


__all__ = ["OPEN_ANSWERS", "TEXT_LIMIT", "Form", "Said"]
