"""The one door for YAML: strict, complete, and polite about what it refuses."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from matrix.refusals import Problem, Refused, nearest

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

SIZE_LIMIT = 4_000_000
"""Bytes: a hundred questions in three languages take about 300,000."""
DEPTH_LIMIT = 24
"""Nested levels: the deepest sensible rule needs about fifteen."""
NODE_LIMIT = 100_000
"""Keys, values and list entries: a hundred questions have about 10,000; a hostile file stays a matter of seconds."""

Path_ = tuple[str | int, ...]
ModelT = TypeVar("ModelT", bound=BaseModel)

# YAML 1.2's core schema: `No`, `on` and dates stay the text they are.
_NULL = re.compile(r"~|null|Null|NULL|")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]{1,19}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = {
    f"{sign}.{word}": float(f"{sign}inf") for sign in ("", "+", "-") for word in ("inf", "Inf", "INF")
}
_SPECIAL |= dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan)
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
"""What YAML forbids in a file: control characters, and a byte order mark anywhere but first."""
_SHOWN = 60
_YAML11 = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}


@dataclass(frozen=True)
class Document:
    """One YAML file as plain data, the line of every key and item, and what is wrong so far."""

    file: str
    data: Any  # plain data of a shape that is not known yet
    lines: dict[Path_, int]
    problems: tuple[Problem, ...]

    def line(self, path: Path_) -> int:
        """Line of a place, or of its nearest parent that was written."""
        while path not in self.lines and path:
            path = path[:-1]
        return self.lines.get(path, 1)

    def problem(
        self,
        path: Path_,
        code: str,
        *,
        suggestion: str | None = None,
        known: tuple[str, ...] = (),
        **values: object,
    ) -> Problem:
        """A problem at a place of this file."""
        return Problem(self.file, self.line(path), self.place(path), code, values, suggestion, known)

    def place(self, path: Path_) -> str:
        """A place as a person would name it: items by their id, list places counted from 1."""
        words: list[str] = []
        here: Any = self.data
        for step in path:
            try:
                here = here[step]
            except (KeyError, IndexError, TypeError):
                here = None
            if isinstance(step, int):
                name = here.get("id") if isinstance(here, dict) else None
                words[-1:] = [f"{words[-1] if words else ''}[{name if isinstance(name, str) else step + 1}]"]
            else:
                words.append(step)
        return ".".join(words) or "file"


@dataclass
class _Frame:
    """A mapping or list that is still open; ``kept`` is false below a key that was refused."""

    value: dict[str, object] | list[object]
    path: Path_
    kept: bool
    key: str | None = None
    """The key that waits for its value; none: the mapping waits for a key."""
    key_kept: bool = True
    seen: dict[str, int] = field(default_factory=dict)
    """Line of each key met so far."""


class _Stop(Exception):  # noqa: N818  # an order, not an error
    """Reading cannot go on: the line and sentence that tell why."""

    def __init__(self, line: int, code: str, **values: object) -> None:
        super().__init__(code)
        self.line, self.code, self.values = line, code, values


class _Builder:
    """Builds plain data from parser events without recursion, so that depth is a number, not a crash."""

    def __init__(self, file: str, text: str) -> None:
        self.file, self.text = file, text
        self.lines: dict[Path_, int] = {(): 1}
        self.problems: list[Problem] = []
        self.data: object = None
        self.stack: list[_Frame] = []
        self.nodes = 0

    def refuse(self, line: int, code: str, path: Path_ | None = None, **values: object) -> None:
        where = Document(self.file, self.data, self.lines, ()).place(self._here() if path is None else path)
        self.problems.append(Problem(self.file, line, where, code, values))

    def build(self) -> Document:
        """The document; half a file is no file: when reading stops, only what is wrong is kept."""
        try:
            self._read()
        except _Stop as stop:
            self.refuse(stop.line, stop.code, (), **stop.values)
            return Document(self.file, None, {(): 1}, tuple(self.problems))
        return Document(self.file, self.data, self.lines, tuple(self.problems))

    def _read(self) -> None:
        if not self.text.strip():
            raise _Stop(1, "empty-file")
        stray = _UNPRINTABLE.search(self.text)
        if stray:
            line = self.text.count("\n", 0, stray.start()) + 1
            raise _Stop(line, "control-character", character=f"U+{ord(stray[0]):04X}")
        loader = yaml.CSafeLoader(self.text)
        documents = 0
        try:
            while (event := loader.get_event()) is not None:
                documents += isinstance(event, yaml.DocumentStartEvent)
                self._event(event, documents)
        except yaml.YAMLError as error:
            raise self._broken(error) from error
        finally:
            loader.dispose()
        if not documents:
            raise _Stop(1, "empty-file")

    def _event(self, event: yaml.Event, documents: int) -> None:
        line = event.start_mark.line + 1 if event.start_mark else 1
        if documents > 1:
            raise _Stop(line, "second-document")
        if isinstance(event, yaml.NodeEvent):
            self._node(event, line)
        elif isinstance(event, yaml.CollectionEndEvent):
            self.stack.pop()
        if len(self.stack) > DEPTH_LIMIT:
            raise _Stop(line, "too-deep", limit=DEPTH_LIMIT)
        if self.nodes > NODE_LIMIT:
            raise _Stop(line, "too-many", limit=NODE_LIMIT)

    def _broken(self, error: yaml.YAMLError) -> _Stop:
        what = str(getattr(error, "problem", None) or error)
        mark = getattr(error, "problem_mark", None)
        if (
            "end of stream" in what
        ):  # an open quote runs to the end: the line where it opens is the one to mend
            mark = getattr(error, "context_mark", None) or mark
        written = self.text.splitlines()
        line = min(mark.line + 1 if mark else 1, len(written))
        indent = re.match(r"\s*", written[line - 1])
        return _Stop(line, "tab") if indent and "\t" in indent[0] else _Stop(line, "not-yaml", what=what)

    def _node(self, event: yaml.NodeEvent, line: int) -> None:
        self.nodes += 1
        if isinstance(event, yaml.AliasEvent):
            self.refuse(line, "alias", name=event.anchor)
            self._value(None, line)
            return
        if event.anchor is not None:
            self.refuse(line, "anchor", name=event.anchor)
        tag = getattr(event, "tag", None)
        if tag is not None:
            self.refuse(line, "tag", tag=tag)
        if isinstance(event, yaml.ScalarEvent):
            if self._waits_for_key():
                self._key(event.value, line)
            else:
                self._value(event.value if event.style else _resolve(event.value), line)
            return
        if self._waits_for_key():
            self.refuse(line, "key-not-text")
        self._open({} if isinstance(event, yaml.MappingStartEvent) else [], line)

    def _waits_for_key(self) -> bool:
        return bool(self.stack) and isinstance(self.stack[-1].value, dict) and self.stack[-1].key is None

    def _here(self) -> Path_:
        """Where the next node goes."""
        if not self.stack:
            return ()
        frame = self.stack[-1]
        if isinstance(frame.value, list):
            return (*frame.path, len(frame.value))
        return frame.path if frame.key is None else (*frame.path, frame.key)

    def _key(self, key: str, line: int) -> None:
        """A key is the text that was written: `1` and `No` are names like any other."""
        frame = self.stack[-1]
        frame.key, frame.key_kept = key, key not in frame.seen
        if not frame.key_kept:
            self.refuse(line, "duplicate-key", key=key, first=frame.seen[key])
            return
        frame.seen[key] = line
        if frame.kept:
            self.lines[*frame.path, key] = line

    def _value(self, value: object, line: int) -> tuple[Path_, bool]:
        """Put a value where it belongs; its path, and whether it is kept."""
        path = self._here()
        if not self.stack:
            self.data = value
            return path, True
        frame = self.stack[-1]
        if isinstance(frame.value, list):
            frame.value.append(value)
            if frame.kept:
                self.lines[path] = line
            return path, frame.kept
        if frame.key is None:  # an alias, a mapping or a list used as a key: read on, keep nothing of it
            frame.key, frame.key_kept = "?", False
            return (*path, "?"), False
        if frame.key_kept:
            frame.value[frame.key] = value
        frame.key = None
        return path, frame.kept and frame.key_kept

    def _open(self, value: dict[str, object] | list[object], line: int) -> None:
        path, kept = self._value(value, line)
        self.stack.append(_Frame(value, path, kept))


def _resolve(text: str) -> str | float | bool | None:
    """The value of an unquoted scalar."""
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text) or _FALSE.fullmatch(text):
        return text.lower() == "true"
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return _SPECIAL.get(text, text)


def load_document(source: Path | bytes, *, name: str | None = None) -> Document:
    """Read one YAML file as plain data with the line of every place.

    Args:
        source: a path, or the bytes of an upload.
        name: what messages call the file; the path as given, by default.

    Errors are not raised but kept in ``Document.problems``, so that a caller can report them all.
    """
    file = name or (str(source) if isinstance(source, Path) else "upload.yaml")

    def refused(line: int, code: str, **values: object) -> Document:
        return Document(file, None, {(): 1}, (Problem(file, line, "file", code, values),))

    try:
        size, raw = _read(source)
    except FileNotFoundError:
        return refused(1, "missing-file")
    except IsADirectoryError:
        return refused(1, "is-folder")
    except (OSError, ValueError) as error:  # ValueError: a path that no system can hold
        return refused(1, "unreadable-file", what=getattr(error, "strerror", None) or str(error))
    if size > SIZE_LIMIT:
        return refused(1, "too-large", size=size, limit=SIZE_LIMIT)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        return refused(line, "not-utf8", byte=f"0x{error.object[error.start]:02X}")
    return _Builder(file, text).build()


def _read(source: Path | bytes) -> tuple[int, bytes]:
    """Size and bytes of a source; a file that is too large is not read, one without end only so far."""
    if isinstance(source, bytes):
        return len(source), source
    size = source.stat().st_size
    if source.is_file() and size > SIZE_LIMIT:
        return size, b""
    with source.open("rb") as stream:
        raw = stream.read(SIZE_LIMIT + 1)
    return len(raw), raw


def parse(
    document: Document, model: type[ModelT], languages: tuple[str, ...] = ()
) -> tuple[ModelT | None, tuple[Problem, ...]]:
    """Hold a document against a model: the value, or none, and every problem in file order.

    Args:
        document: what was read.
        model: the shape it must have.
        languages: what every text must speak; none: whatever the file speaks.
    """
    problems = list(document.problems)
    value: ModelT | None = None
    if document.data is not None or not problems:
        # Where an alias was refused there is nothing to judge yet.
        hollow = {(p.line, p.place) for p in problems if p.code == "alias"}
        try:
            value = model.model_validate(document.data, context={"languages": languages})
        except ValidationError as error:
            found = [_explain(document, one, model) for one in error.errors() if not _miscounted(one)]
            problems += [p for p in found if p.code == "unknown-key" or (p.line, p.place) not in hollow]
    ordered = tuple(sorted(dict.fromkeys(problems), key=lambda p: p.line))
    return (None if ordered else value), ordered


def read_yaml(source: Path | bytes, model: type[ModelT], *, name: str | None = None) -> ModelT:
    """Read one YAML file into a frozen model, or raise ``Refused`` with every problem at once."""
    value, problems = parse(load_document(source, name=name), model)
    if value is None:
        raise Refused(problems)
    return value


_CODES = {
    "string_type": "not-text",
    "string_too_short": "empty-text",
    "bool_type": "not-bool",
    "int_type": "not-integer",
    "float_type": "not-number",
    "finite_number": "not-number",
    "tuple_type": "not-list",
    "dict_type": "not-mapping",
    "model_type": "not-mapping",
    "too_short": "list-length",
    "too_long": "list-length",
    "greater_than_equal": "out-of-range",
    "less_than_equal": "out-of-range",
    "greater_than": "out-of-range",
    "less_than": "out-of-range",
    "string_pattern_mismatch": "bad-id",
}
"""Sentence of each pydantic error that needs no more than its place and what was found."""
_LIMITS = {"ge": "≥", "le": "≤", "gt": ">", "lt": "<", "min_length": "≥", "max_length": "≤"}


def _miscounted(error: ErrorDetails) -> bool:
    """A list is long enough when its wrong entries are counted too, which pydantic does not."""
    return error["type"] == "too_short" and len(error["input"]) >= error["ctx"]["min_length"]


def _code(kind: str, found: object) -> str:
    """The sentence for a kind of error; our own kinds are codes already."""
    code = kind if "-" in kind else _CODES.get(kind, "not-valid")
    if code == "not-text" and (found is None or isinstance(found, dict | list)):
        return "empty-text" if found is None else "text-expected"  # quotes would not help here
    return code


def _explain(document: Document, error: ErrorDetails, model: type[BaseModel]) -> Problem:
    """One pydantic error as a problem a clinician can act on."""
    kind, context, found = error["type"], error.get("ctx", {}), error.get("input")
    path = tuple(step for step in error["loc"] if step != "[key]")
    if kind == "missing":
        return document.problem(path[:-1], "missing-key", key=path[-1])
    if path == ("schema",):
        return document.problem(path, "wrong-schema", found=shown(found))
    if kind == "too_short" and path[-1] == "sources":
        return document.problem(path, "no-source")
    code = _code(kind, found)
    values: dict[str, object] = {"found": shown(found)}
    suggestion: str | None = None
    known: tuple[str, ...] = ()
    if kind == "extra_forbidden":
        code, values, known = "unknown-key", {"key": path[-1]}, _fields_at(model, path[:-1])
        suggestion = nearest(str(path[-1]), known)
    elif kind == "literal_error":
        code, known = "not-among", tuple(re.findall(r"'([^']*)'", context["expected"]))
        suggestion = nearest(str(found), known)
    elif code == "unknown-language":
        values, known = {"language": path[-1]}, tuple(context["languages"])
        suggestion = nearest(str(path[-1]), known)
    elif code == "not-bool":
        suggestion = _YAML11.get(str(found).lower())
    elif code == "not-valid":
        values["what"] = error["msg"]
    elif "-" in kind:
        values |= context
    else:
        values["limits"] = ", ".join(
            f"{_LIMITS[key]} {limit:g}" for key, limit in context.items() if key in _LIMITS
        )
        values["count"] = len(found) if isinstance(found, list) else None
    return Problem(document.file, document.line(path), document.place(path), code, values, suggestion, known)


def shown(found: object) -> str:
    """A value as the file writes it, shortened."""
    if isinstance(found, dict | list):
        return "{…}" if isinstance(found, dict) else "[…]"
    if found is None or isinstance(found, bool):
        return "null" if found is None else str(found).lower()
    text = str(found)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _fields_at(model: type[BaseModel], path: Path_) -> tuple[str, ...]:
    """Names a mapping at this place may carry, found by walking the model's annotations."""
    here: list[object] = [model]
    for step in path:
        inner: list[object] = []
        for one in here:
            fields = _fields(one)
            inner += [fields[str(step)]] if step in fields else [] if fields else list(get_args(one))
        here = [flat for one in inner for flat in _unwrapped(one)]
    return tuple(dict.fromkeys(name for one in here for name in _fields(one)))


def _fields(annotation: object) -> dict[str, object]:
    """Annotation of each key a model reads; nothing for what is no model."""
    if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return {}
    return {field.alias or name: field.annotation for name, field in annotation.model_fields.items()}


def _unwrapped(annotation: object) -> list[object]:
    """The alternatives of a union, without their metadata."""
    if get_origin(annotation) in {UnionType, Union, Annotated}:
        return [flat for one in get_args(annotation) for flat in _unwrapped(one)]
    return [annotation]
