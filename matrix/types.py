"""What every format shares: strict scalars, ids, texts in every language, citations."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, Strict, ValidationError, WithJsonSchema
from pydantic_core import InitErrorDetails, PydanticCustomError
from pydantic_core.core_schema import ValidationInfo


class Frozen(BaseModel):
    """A value that is read once and never changes; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


Text_ = Annotated[str, Strict(), Field(min_length=1)]
"""A text that is written, not left empty."""
Whole = Annotated[int, Strict()]
Number = Annotated[float, Strict(), Field(allow_inf_nan=False)]
Flag = Annotated[bool, Strict()]
Id = Annotated[str, Strict(), Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]*$")]
Share = Annotated[float, Strict(), Field(ge=0, le=1, allow_inf_nan=False)]


def _texts(value: Any, info: ValidationInfo) -> dict[str, str]:
    """Every language of the matrix, each with a text; every lack is told at once."""
    languages: tuple[str, ...] = (info.context or {}).get("languages", ())
    if not isinstance(value, dict):
        raise PydanticCustomError("dict_type", "Input should be a mapping of language to text")
    wrong: list[InitErrorDetails] = []

    def refuse(code: str, loc: tuple[str, ...], found: object, **context: Any) -> None:
        error = PydanticCustomError(code, "{found}", {"found": str(found), **context})  # type: ignore[arg-type]
        wrong.append(InitErrorDetails(type=error, loc=loc, input=found))

    for lang, text in value.items():
        if languages and lang not in languages:
            refuse("unknown-language", (lang,), text, language=lang, known_=languages)
        elif not isinstance(text, str):
            refuse("not-text", (lang,), "null" if text is None else text)
        elif not text.strip():
            refuse("empty-text", (lang,), text)
    for lang in languages:
        if lang not in value:
            refuse("missing-language", (), value, language=lang)
    if wrong:
        raise ValidationError.from_exception_data("Texts", wrong)
    return dict(value)


Texts = Annotated[
    dict[str, str],
    PlainValidator(_texts),
    WithJsonSchema({"type": "object", "additionalProperties": {"type": "string", "minLength": 1}}),
]
"""One text in every language of the matrix."""


class Citation(Frozen):
    """A place in a source: ``id`` of sources.yaml, ``where`` in it."""

    id: Id
    where: Text_ | None = None
