"""What every format shares: strict scalars, ids, texts in every language, citations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    Strict,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

if TYPE_CHECKING:
    from pydantic_core.core_schema import ValidationInfo


class Frozen(BaseModel):
    """A value that is read once and never changes; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _written(text: str) -> str:
    if not text.strip():
        raise PydanticCustomError("empty-text", "blank")
    return text


Text_ = Annotated[str, Strict(), Field(min_length=1), AfterValidator(_written)]
"""A text that is written, not left empty."""
Format = Annotated[int, Strict(), Field(ge=1, le=1)]
"""The format's version: 1 is the only one so far."""
Whole = Annotated[int, Strict()]
Number = Annotated[float, Strict(), Field(allow_inf_nan=False)]
ID_PATTERN = r"^[A-Za-z][A-Za-z0-9_.-]*$"
Flag = Annotated[bool, Strict()]
Id = Annotated[str, Strict(), Field(pattern=ID_PATTERN)]
Share = Annotated[float, Strict(), Field(ge=0, le=1, allow_inf_nan=False)]


def _texts(value: object, info: ValidationInfo) -> dict[str, str]:
    """Every language of the matrix, each with a text; every lack is told at once."""
    languages: tuple[str, ...] = (info.context or {}).get("languages", ())
    if not isinstance(value, dict):
        raise PydanticCustomError("dict_type", "Input should be a mapping of language to text")
    wrong: list[InitErrorDetails] = []

    for lang, text in value.items():
        if languages and lang not in languages:
            error = PydanticCustomError("unknown-language", "unknown", {"languages": languages})
        elif not isinstance(text, str):
            error = PydanticCustomError("not-text", "not a text")
        elif not text.strip():
            error = PydanticCustomError("empty-text", "blank")
        else:
            continue
        wrong.append(InitErrorDetails(type=error, loc=(lang,), input=text))
    for lang in languages:
        if lang not in value:
            error = PydanticCustomError("missing-language", "missing", {"language": lang})
            wrong.append(InitErrorDetails(type=error, loc=(), input=value))
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
