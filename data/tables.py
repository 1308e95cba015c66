"""The one door for tables: CSV, XLSX, Parquet and Arrow, judged whole before a row is let in."""

from __future__ import annotations

import codecs
import csv
import io
import re
import zipfile
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from matrix import Problem, Refused, load_matrix, nearest, register_refusals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from questionnaires import Option, Questionnaire

__all__ = ["Kind", "Table", "read_table", "to_csv"]

register_refusals(Path(__file__).with_name("refusals.yaml"))

Kind = Literal["answers", "evidence", "assessments"]

COLUMNS: dict[str, tuple[str, ...]] = {
    "answers": (
        "assessment",
        "respondent",
        "role",
        "item",
        "answer",
        "reason",
        "comment",
        "channel",
        "at",
    ),
    "evidence": (
        "assessment",
        "item",
        "title",
        "kind",
        "date",
        "valid_until",
        "added_by",
        "accepted_by",
        "units",
        "file",
    ),
    "assessments": (
        "assessment",
        "kind",
        "institution",
        "country",
        "type",
        "beds",
        "scope",
        "campaign",
        "form",
        "programme_start",
        "out_of_scope",
        "out_of_scope_reason",
    ),
}
"""Columns of each kind of table, in the order they are returned."""

_OPTIONAL = {
    "answers": frozenset({"comment", "channel", "at"}),
    "evidence": frozenset[str](),
    "assessments": frozenset(COLUMNS["assessments"]) - {"assessment"},
}
_WIDE_KEY = ("assessment", "respondent", "role")
_REASON = "__reason"
CHANNELS = ("own_link", "shared_link", "staff_entered", "import")
_NOT_A_VALUE = ("na", "dk")

MEGABYTE = 1_000_000
CSV_LIMIT = 512 * MEGABYTE
XLSX_LIMIT = 100 * MEGABYTE
UNPACKED_LIMIT = 1_000 * MEGABYTE
PARQUET_LIMIT = 2_000 * MEGABYTE
CELL_LIMIT = 1_000_000_000
"""Cells of a Parquet or Arrow table: a few compressed bytes can announce billions of rows."""
SHEET_ROWS = 1_048_576
SHEET_CELLS = 50_000_000
ID_LENGTH = 200
TEXT_LENGTH = 4_000
LISTED = 200
"""Problems written out; the rest is counted."""
_BLOCK = 1_024
"""Rows turned into columns at a time: so few stay in the processor's cache, and cost half the time."""
_KNOWN_SHOWN = 20
_SHOWN_LENGTH = 80

# Excel marks and no-break spaces ride along when cells are copied; str.strip() knows all but the last three.
_EDGES = "".join(c for c in map(chr, range(0x3001)) if c.isspace()) + "\ufeff\u200b\u2060"
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
# What Excel writes for a cell that failed, in the three languages it is used in here.
_EXCEL_ERRORS = (
    *("#N/A", "#REF!", "#NAME?", "#VALUE!", "#DIV/0!", "#NULL!", "#NUM!"),
    *("#NOM?", "#VALEUR!", "#NUL!", "#NOMBRE!"),
    *("#N/B", "#VERW!", "#NAAM?", "#WAARDE!", "#DEEL/0!", "#LEEG!", "#GETAL!"),
)
_DAY_FIRST = re.compile(r"(\d{1,2})[/. -](\d{1,2})[/. -](\d{2}|\d{4})")
_YEAR_FIRST = re.compile(r"(\d{4})[/. ](\d{1,2})[/. ](\d{1,2})")
_INSTANT = pa.timestamp("us", tz="UTC")
_YEARS = (1900, 2199)
_EXCEL_EPOCH = date(1899, 12, 30)
_EXCEL_DAYS = (20_000, 80_000)
"""Day numbers 1954 to 2119: a bare number in this range is a date that lost its format."""

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Table:
    """A table whose every row fits.

    ``frame`` is a ``pyarrow.Table``. Long answers, evidence and assessments have exactly the columns of
    their kind, as text, empty where nothing was given; dates are ISO text, ``beds`` a number or null, ``at`` an
    instant (UTC) or null.
    Wide answers (``wide``) have the three key columns and the item and ``<item>__reason`` columns of the
    file, null where nothing was answered. ``skipped`` says why rows were left out, ``skipped_rows`` how
    many; ``notes`` are remarks that refuse nothing.
    """

    kind: Kind
    frame: pa.Table
    wide: bool = False
    skipped: tuple[Problem, ...] = ()
    skipped_rows: int = 0
    notes: tuple[Problem, ...] = ()


def read_table(
    source: Path | bytes,
    kind: Kind,
    questionnaire: Questionnaire | None,
    *,
    name: str | None = None,
    skip_bad_rows: bool = False,
) -> Table:
    """Read a CSV, XLSX, Parquet or Arrow table, whatever its name says, and judge every row of it.

    Args:
        source: a path, or the bytes of an upload.
        kind: what the rows are.
        questionnaire: what was asked; answers need it, evidence is held against it when it is given.
        name: what messages call the file; the path as given, by default.
        skip_bad_rows: return the rows that fit and list the others, instead of refusing the table.

    Answers come back long, one row an answer, from CSV and XLSX; a wide Parquet or Arrow table stays wide.
    Lines are those of the file (CSV), the rows of the sheet (XLSX) or the rows of data from 1 (Parquet, Arrow).

    Raises:
        Refused: the file cannot be read, its header does not fit, or a row does not: every problem, in line
            order, at most 200 written out and the rest counted.
        ValueError: answers without a questionnaire.
    """
    if kind == "answers" and questionnaire is None:
        raise ValueError("answers are read against a questionnaire")
    file = name or (str(source) if isinstance(source, Path) else "upload")
    grid = _open(source, file, _Shape(kind, questionnaire))
    judge = _Judge(grid, kind, questionnaire)
    if kind == "answers" and questionnaire is not None:
        return judge.answers(questionnaire, skip=skip_bad_rows)
    return judge.evidence(skip=skip_bad_rows) if kind == "evidence" else judge.assessments(skip=skip_bad_rows)


def to_csv(table: Table | pa.Table, *, neutralise: bool = True, delimiter: Literal[";", ","] = ";") -> bytes:
    """Write a table as the CSV that Excel opens with a double click: UTF-8 with BOM, CRLF.

    Args:
        table: what to write; nulls become empty cells.
        neutralise: put an apostrophe before every text, headers included, that a spreadsheet would run as a
            formula (``= + - @``, tab, line break). Without it, ``read_table`` reads back what was written.
        delimiter: semicolon for a Belgian or French Excel, comma elsewhere.
    """
    frame = table.frame if isinstance(table, Table) else table
    guard = _neutral if neutralise else _plain
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\r\n")
    writer.writerow([guard(name) for name in frame.column_names])
    for batch in frame.to_batches(max_chunksize=_BLOCK):
        columns = [[guard(value) for value in column.to_pylist()] for column in batch.columns]
        writer.writerows(zip(*columns, strict=True))
    return codecs.BOM_UTF8 + text.getvalue().encode()


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    return "" if value is None else str(value)


def _neutral(value: object) -> str:
    text = _plain(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA_STARTS) else text


# ---------------------------------------------------------------------------------------------------------
# Opening: bytes of some format become named columns of text, each row with its line.


@dataclass(frozen=True)
class _Shape:
    """What a table's header may hold."""

    kind: Kind
    questionnaire: Questionnaire | None

    def words(self) -> frozenset[str]:
        """Every name that may stand in the header, to tell one delimiter from another."""
        items = () if self.questionnaire is None or self.kind != "answers" else self.questionnaire.items
        return frozenset(COLUMNS[self.kind]) | {i.id for i in items} | {i.id + _REASON for i in items}


@dataclass
class _Grid:
    """Columns of text of equal length, the line of each row, and the rows that were too odd to keep."""

    file: str
    header_line: int
    names: list[str]
    columns: list[pa.ChunkedArray]
    lines: Rows
    keeps_wide: bool = False
    odd: list[Problem] = field(default_factory=list)
    odd_rows: int = 0
    notes: list[Problem] = field(default_factory=list)


class _Unfit(Exception):  # noqa: N818  # carries one problem up to the door, where it becomes Refused
    """The file as a whole cannot be read."""

    def __init__(
        self, code: str, *, line: int = 1, place: str = "file", known: tuple[str, ...] = (), **values: object
    ) -> None:
        super().__init__(code)
        self.code, self.line, self.place, self.known, self.values = code, line, place, known, values

    def problem(self, file: str) -> Problem:
        return Problem(file, self.line, self.place, self.code, self.values, None, self.known)


def _open(source: Path | bytes, file: str, shape: _Shape) -> _Grid:
    """Tell the format by the content and read it."""
    try:
        head = _head(source)
        if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
            return _read_xlsx(source, file)
        if head.startswith(b"PAR1"):
            return _read_parquet(source, file)
        if head.startswith((b"ARROW1", b"\xff\xff\xff\xff")):
            return _read_arrow(source, file)
        _refuse_foreign(head)
        return _read_csv(source, file, shape)
    except _Unfit as unfit:
        raise Refused([unfit.problem(file)]) from unfit.__cause__
    except OSError as error:
        what = error.strerror or str(error)
        raise Refused([_Unfit("table-unreadable", what=what).problem(file)]) from error


def _head(source: Path | bytes) -> bytes:
    if isinstance(source, Path):
        if not source.exists():
            raise _Unfit("table-missing-file")
        if not source.is_file():
            raise _Unfit("table-not-a-file")
        with source.open("rb") as stream:
            head = stream.read(4096)
    else:
        head = bytes(source[:4096])
    if not head.removeprefix(codecs.BOM_UTF8).strip() and _size(source) <= len(head):
        raise _Unfit("table-empty")
    return head


def _size(source: Path | bytes) -> int:
    return source.stat().st_size if isinstance(source, Path) else len(source)


def _limit(source: Path | bytes, limit: int) -> None:
    """Refuse by size before a byte more is read."""
    if (size := _size(source)) > limit:
        raise _Unfit("table-too-large", size=-(-size // MEGABYTE), limit=limit // MEGABYTE)


_FOREIGN = (
    (b"%PDF", "PDF"),
    (b"\x1f\x8b", "gzip"),
    (b"7z\xbc\xaf", "7z"),
    (b"SQLite format 3\x00", "SQLite"),
    (b"PARE", "Parquet (encrypted)"),
    (b"FEA1", "Feather 1"),
    (b"{\\rtf", "RTF"),
    (b"\x89PNG", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
)


def _refuse_foreign(head: bytes) -> None:
    """Refuse the files that people pick instead of a table, each with what to do."""
    if head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        raise _Unfit("table-xls")
    for magic, found in _FOREIGN:
        if head.startswith(magic):
            raise _Unfit("table-foreign", found=found)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise _Unfit("table-utf16")
    text = head.removeprefix(codecs.BOM_UTF8).lstrip().lower()
    if text.startswith(b"<"):
        raise _Unfit("table-html")
    if text.startswith((b"{", b"[")):
        raise _Unfit("table-foreign", found="JSON")


def _gather(file: str, records: Iterator[tuple[int, list[str]]], *, ragged: bool) -> _Grid:
    """Make columns of rows: the first that is not empty is the header, empty ones are left out.

    ``ragged``: rows may be shorter than the header (a sheet ends a row at its last cell).
    """
    header_line, header = next(((line, row) for line, row in records if any(map(_stripped, row))), (0, []))
    if not header:
        raise _Unfit("table-empty")
    names = list(map(_stripped, header))
    while not names[-1]:
        names.pop()
    width = len(names)
    grid = _Grid(file, header_line, names, [], np.zeros(0, np.int64))
    chunks: list[list[pa.Array]] = [[] for _ in names]
    lines: list[int] = []
    while block := list(islice(records, _BLOCK)):
        rows: list[Sequence[str]] = []
        for line, row in block:
            fitted: Sequence[str] = row
            if len(row) != width:
                if any(map(_stripped, row[width:])) or (len(row) < width and not ragged and any(row)):
                    grid.odd_rows += 1
                    if len(grid.odd) < LISTED:
                        code = "table-row-long" if len(row) > width else "table-row-short"
                        values: dict[str, object] = {"found": len(row), "expected": width}
                        grid.odd.append(Problem(file, line, "row", code, values))
                    continue
                fitted = [*row[:width], *[""] * (width - len(row))]
            # The first column is seldom empty: one look at it spares a look at the others.
            if not _stripped(fitted[0]) and not any(map(_stripped, fitted)):
                continue
            rows.append(fitted)
            lines.append(line)
        for chunk, cells in zip(chunks, zip(*rows, strict=True), strict=False):
            chunk.append(pa.array(cells, pa.string()))
    grid.columns = [
        pa.chunked_array([pa.concat_arrays(chunk)] if chunk else [], pa.string()) for chunk in chunks
    ]
    grid.lines = np.array(lines, np.int64)
    return grid


def _stripped(cell: str) -> str:
    return cell.strip(_EDGES)


# CSV ------------------------------------------------------------------------------------------------------


def _read_csv(source: Path | bytes, file: str, shape: _Shape) -> _Grid:
    _limit(source, CSV_LIMIT)
    raw = source.read_bytes() if isinstance(source, Path) else bytes(source)
    start = len(codecs.BOM_UTF8) if raw.startswith(codecs.BOM_UTF8) else 0
    _refuse_bytes(raw, start)
    delimiter, declared = _delimiter(raw, start, shape)
    records = _records(raw, start, delimiter)
    if declared:
        next(records)
    return _gather(file, records, ragged=False)


def _refuse_bytes(raw: bytes, start: int) -> None:
    """Refuse what is not UTF-8 text, at its first bad byte."""
    if (at := raw.find(b"\0")) >= 0:
        raise _Unfit("table-nul", line=_line_at(raw, at))
    decoder = codecs.getincrementaldecoder("utf-8")()
    step, done = 16 * MEGABYTE, start
    try:
        for done in range(start, len(raw), step):
            decoder.decode(raw[done : done + step], final=done + step >= len(raw))
    except UnicodeDecodeError as error:
        # The decoder counts from the bytes that it held back from the last step.
        at = done - (len(error.object) - len(raw[done : done + step])) + error.start
        raise _Unfit("table-encoding", line=_line_at(raw, at), byte=f"0x{raw[at]:02X}") from error


def _line_at(raw: bytes, at: int) -> int:
    return 1 + raw.count(b"\n", 0, at) + raw.count(b"\r", 0, at) - raw.count(b"\r\n", 0, at)


def _lines(raw: bytes, start: int) -> io.TextIOWrapper:
    stream = io.BytesIO(raw)
    stream.seek(start)
    # newline="" leaves CRLF, LF and CR as they are, and counts each as one line.
    return io.TextIOWrapper(stream, encoding="utf-8", newline="")


def _delimiter(raw: bytes, start: int, shape: _Shape) -> tuple[str, bool]:
    """The delimiter, and whether a first line ``sep=;`` declares it."""
    first = _lines(raw, start).readline().strip().strip('"')
    if first.lower().startswith("sep="):
        if (declared := first[4:5] or "\t") not in ";,\t":
            raise _Unfit("table-delimiter", found=declared, place="header")
        return declared, True
    words = shape.words()

    def fit(delimiter: str) -> tuple[int, int]:
        reader = csv.reader(_lines(raw, start), delimiter=delimiter)
        try:
            header = next((row for row in reader if any(c.strip(_EDGES + ";,") for c in row)), [])
        except csv.Error:
            return -1, 0
        return sum(_stripped(cell) in words for cell in header), len(header)

    return max(";,\t", key=fit), False


def _records(raw: bytes, start: int, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Rows with the line each begins on."""
    reader = csv.reader(_lines(raw, start), delimiter=delimiter, strict=True)
    line = 1
    try:
        for row in reader:
            yield line, row
            line = reader.line_num + 1
    except csv.Error as error:
        opened = _open_quote(islice(_lines(raw, start), line - 1, reader.line_num), line, delimiter)
        if opened is None:
            raise _Unfit("table-cell-huge", line=line, place="row", limit=csv.field_size_limit()) from error
        raise _Unfit("table-quote", line=opened, place="row") from error


def _open_quote(lines: Iterable[str], first: int, delimiter: str) -> int | None:
    """The line on which the broken quoted cell of a row begins; none when no cell is left open."""
    opened = first
    fresh, quoted, inside = True, False, False
    for number, line in enumerate(lines, first):
        for char in line:
            if char == '"' and (fresh or quoted):
                opened = number if fresh else opened
                quoted, inside, fresh = True, not inside, False
            elif inside:
                continue
            elif char == delimiter:
                fresh, quoted = True, False
            elif quoted and char not in "\r\n":
                return opened
            else:
                fresh = False
    return opened if inside else None


# XLSX -----------------------------------------------------------------------------------------------------


def _read_xlsx(source: Path | bytes, file: str) -> _Grid:
    """The first sheet, with the results that Excel stored for formulas; nothing is ever calculated."""
    _limit(source, XLSX_LIMIT)
    raw = source.read_bytes() if isinstance(source, Path) else bytes(source)
    try:
        return _first_sheet(raw, file, has_formulas=_inspect(raw))
    except _Unfit:
        raise
    except Exception as error:  # a damaged workbook makes openpyxl raise anything
        raise _Unfit("table-xlsx-broken") from error


def _first_sheet(raw: bytes, file: str, *, has_formulas: bool) -> _Grid:
    import openpyxl  # noqa: PLC0415  # a tenth of a second that only workbooks should cost

    book = openpyxl.load_workbook(io.BytesIO(raw), read_only=True, data_only=True)
    if not book.worksheets:
        raise _Unfit("table-sheet-missing")
    rows: Iterator[list[str]] = ([_cell(value) for value in row] for row in _sheet(book))
    if has_formulas:
        formulas = _sheet(openpyxl.load_workbook(io.BytesIO(raw), read_only=True))
        both = zip(_sheet(book), formulas, strict=False)
        rows = ([_cell(f if r is None else r) for r, f in zip_longest(*pair)] for pair in both)
    grid = _gather(file, enumerate(_bounded(rows), 1), ragged=True)
    if len(book.sheetnames) > 1:
        values: dict[str, object] = {"sheet": _shown(book.sheetnames[0]), "count": len(book.sheetnames)}
        grid.notes.append(Problem(file, 1, "file", "table-note-sheets", values))
    return grid


def _inspect(raw: bytes) -> bool:
    """Refuse what is no workbook, or would unpack too large; tell whether a sheet holds formulas."""
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        parts = archive.infolist()
        names = {part.filename for part in parts}
        if "content.xml" in names:
            raise _Unfit("table-ods")
        if "xl/workbook.bin" in names:
            raise _Unfit("table-foreign", found="Excel (.xlsb)")
        if "[Content_Types].xml" not in names or not any(name.startswith("xl/") for name in names):
            raise _Unfit("table-foreign", found="Word (.docx)" if "word/document.xml" in names else "ZIP")
        # A part never unpacks beyond the size it declares: zipfile stops there.
        if (size := sum(part.file_size for part in parts)) > UNPACKED_LIMIT:
            size, limit = -(-size // MEGABYTE), UNPACKED_LIMIT // MEGABYTE
            raise _Unfit("table-unpacked", size=size, limit=limit)
        return any(_has_formula(archive, name) for name in names if name.startswith("xl/worksheets/"))


def _has_formula(archive: zipfile.ZipFile, name: str) -> bool:
    tail = b""
    with archive.open(name) as part:
        while block := part.read(MEGABYTE):
            if re.search(rb"<(?:\w{1,20}:)?f[ >/]", tail + block):
                return True
            tail = block[-30:]
    return False


def _sheet(workbook: Any) -> Iterator[tuple[object, ...]]:  # openpyxl ships no types
    sheet = workbook.worksheets[0]
    sheet.reset_dimensions()  # what the file declares about its size is often wrong
    yield from sheet.iter_rows(values_only=True)


def _bounded(rows: Iterable[list[str]]) -> Iterator[list[str]]:
    """Stop at what no real sheet holds: a row number can be any number."""
    cells = 0
    for number, row in enumerate(rows, 1):
        cells += len(row)
        if number > SHEET_ROWS or cells > SHEET_CELLS:
            raise _Unfit("table-sheet-large", line=number, rows=SHEET_ROWS, cells=SHEET_CELLS)
        yield row


def _cell(value: object) -> str:
    """A cell's value as the text a CSV would hold, dates in ISO form."""
    match value:
        case None | str():
            return value or ""
        case bool():
            return str(value).upper()
        case datetime() if value.time() == time():
            return value.date().isoformat()
        case date() | time():
            return value.isoformat()
        case int() | float() | timedelta():
            return str(value).removesuffix(".0")
        case _:  # an array formula without a stored result: its text, inert
            return str(getattr(value, "text", None) or "=")


# Parquet and Arrow ----------------------------------------------------------------------------------------


def _read_parquet(source: Path | bytes, file: str) -> _Grid:
    _limit(source, PARQUET_LIMIT)
    try:
        with pq.ParquetFile(source if isinstance(source, Path) else pa.BufferReader(source)) as parquet:
            _bound_cells(parquet.metadata.num_rows, parquet.metadata.num_columns)
            table = parquet.read()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _Unfit("table-damaged", found="Parquet") from error
    return _from_arrow(table, file)


def _read_arrow(source: Path | bytes, file: str) -> _Grid:
    _limit(source, PARQUET_LIMIT)
    try:
        with pa.memory_map(str(source)) if isinstance(source, Path) else pa.BufferReader(source) as stream:
            is_file = stream.read(6) == b"ARROW1"
            stream.seek(0)
            table = (pa.ipc.open_file if is_file else pa.ipc.open_stream)(stream).read_all()
            table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _Unfit("table-damaged", found="Arrow") from error
    _bound_cells(table.num_rows, table.num_columns)
    return _from_arrow(table, file)


def _bound_cells(rows: int, columns: int) -> None:
    if rows * columns > CELL_LIMIT:
        raise _Unfit("table-cells", rows=rows, columns=columns, limit=CELL_LIMIT)


def _from_arrow(table: pa.Table, file: str) -> _Grid:
    names = [_stripped(name) for name in table.column_names]
    unfit: list[Problem] = []
    columns: list[pa.ChunkedArray] = []
    for name, column in zip(names, table.columns, strict=True):
        try:
            columns.append(_as_text(column))
        except (pa.ArrowException, ValueError):
            unfit.append(
                Problem(file, 1, _shown(name) or "header", "table-column-type", {"found": str(column.type)})
            )
    if unfit:
        raise Refused(unfit)
    if not names:
        raise _Unfit("table-empty")
    return _Grid(file, 1, names, columns, np.arange(1, table.num_rows + 1), keeps_wide=True)


def _as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column of any flat type as text, dates in ISO form, nulls empty."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if pa.types.is_floating(kind):
        column = pc.if_else(pc.is_nan(column), None, column)  # pandas writes a missing number so
    text = column.cast(pa.string())
    if pa.types.is_timestamp(kind):
        text = pc.replace_substring(text, " ", "T")
        text = pc.replace_substring_regex(text, r"\.0+([Z+-]|$)", r"\1")
        if pc.all(pc.ends_with(text, "T00:00:00")).as_py():
            text = pc.replace_substring(text, "T00:00:00", "")
    text = pc.fill_null(text, "")
    text.validate(full=True)  # Parquet promises UTF-8, nobody checks
    return text


# ---------------------------------------------------------------------------------------------------------
# Judging: distinct values are looked at once, rows only through their codes.


@dataclass(frozen=True)
class _Fault:
    """What a problem says, before it is tied to a line."""

    place: str
    code: str
    values: dict[str, object] = field(default_factory=dict)
    suggestion: str | None = None
    known: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Coded:
    """A column as codes into its distinct words."""

    codes: Rows
    words: pa.Array

    def rows(self, mask: npt.NDArray[np.bool_]) -> Rows:
        """Rows whose word is marked."""
        return np.flatnonzero(mask[self.codes]) if mask.any() else np.zeros(0, np.int64)

    def word(self, row: int) -> str:
        return str(self.words[int(self.codes[row])].as_py())


def _encode(column: pa.ChunkedArray) -> _Coded:
    encoded = column.dictionary_encode().unify_dictionaries()
    if encoded.num_chunks == 0:
        return _Coded(np.zeros(0, np.int64), pa.array([], pa.string()))
    codes = np.concatenate([chunk.indices.to_numpy(zero_copy_only=False) for chunk in encoded.chunks])
    return _Coded(codes.astype(np.int64), encoded.chunk(0).dictionary)


def _pair(left: Rows, right: Rows, width: int) -> tuple[Rows, npt.NDArray[np.bool_]]:
    """Codes of the pairs of two codes, numbered as they first appear, and which rows are first."""
    codes = pa.array(left * max(width, 1) + right).dictionary_encode().indices.to_numpy().astype(np.int64)
    first = np.ones(len(codes), np.bool_)
    first[1:] = codes[1:] > np.maximum.accumulate(codes)[:-1]
    return codes, first


def _shown(value: str) -> str:
    """A value as a message may show it: short, and with no character that moves a cursor."""
    text = "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in value[:_SHOWN_LENGTH]
    )
    return text + "…" if len(value) > _SHOWN_LENGTH else text


def _listed(known: Sequence[str]) -> tuple[str, ...]:
    """What would be accepted, unless it is too long to read."""
    return tuple(known) if len(known) <= _KNOWN_SHOWN else ()


def _near(word: str, known: Sequence[str]) -> str | None:
    return nearest(word[:ID_LENGTH], known) if word and known else None


class _Judge:
    """Judges one grid and returns it as a table, or refuses it."""

    def __init__(self, grid: _Grid, kind: Kind, questionnaire: Questionnaire | None) -> None:
        self.grid, self.kind = grid, kind
        self.matrix = load_matrix()
        self.items = {} if questionnaire is None else {item.id: item for item in questionnaire.items}
        self.questionnaire = questionnaire
        self.wide = kind == "answers" and self._looks_wide()
        self.found: list[tuple[Rows, Callable[[int], _Fault]]] = []
        self.notes = list(grid.notes)
        self._header()
        self.columns = dict(zip(grid.names, grid.columns, strict=True))
        blank = pa.chunked_array([pa.repeat(pa.scalar("", pa.string()), len(grid.lines))])
        for name in _WIDE_KEY if self.wide else COLUMNS[kind]:
            self.columns.setdefault(name, blank)

    # Header

    def _looks_wide(self) -> bool:
        names = set(self.grid.names)
        return not names & {"item", "answer"} and any(
            name.removesuffix(_REASON) in self.items for name in names
        )

    def _header(self) -> None:
        """Refuse a header that does not fit, with all that is wrong with it, and a table without rows."""
        names = self.grid.names
        known = (*_WIDE_KEY, *self.items) if self.wide else COLUMNS[self.kind]
        required = _WIDE_KEY if self.wide else [n for n in known if n not in _OPTIONAL[self.kind]]
        accepted = set(known) | ({n + _REASON for n in self.items if n in names} if self.wide else set())
        wrong: list[_Fault] = []
        places: dict[str, int] = {}
        unheard = 0
        for position, name in enumerate(names, 1):
            first = places.setdefault(name, position)
            if name in accepted and first == position:
                continue
            if len(wrong) >= LISTED:  # a header can have thousands of names, each with its near miss
                unheard += 1
            elif not name:
                wrong.append(_Fault("header", "table-column-unnamed", {"position": position}))
            elif first != position:
                values: dict[str, object] = {"column": _shown(name), "first": first, "second": position}
                wrong.append(_Fault("header", "table-column-twice", values))
            else:
                wrong.append(self._unknown_column(name, known))
        # A name that was misspelt is one mistake, not two.
        meant = {fault.suggestion for fault in wrong}
        wrong += [
            _Fault("header", "table-column-missing", {"column": n}, None, _listed(known))
            for n in required
            if n not in names and n not in meant
        ]
        if not wrong and not len(self.grid.lines) and not self.grid.odd_rows:
            wrong.append(_Fault("file", "table-header-only"))
        if wrong:
            raise Refused(_capped([self._at(self.grid.header_line, f) for f in wrong], len(wrong) + unheard))

    def _unknown_column(self, name: str, known: Sequence[str]) -> _Fault:
        item = name.removesuffix(_REASON)
        if self.wide and item != name and item in self.items:
            return _Fault("header", "table-reason-alone", {"column": _shown(name), "item": item})
        names = set(self.grid.names)
        if self.wide and item != name:
            free = [n + _REASON for n in self.items if n in names and n + _REASON not in names]
        else:
            free = [n for n in known if n not in names]
        return _Fault(
            "header", "table-column-unknown", {"column": _shown(name)}, _near(name, free), _listed(known)
        )

    def _at(self, line: int, fault: _Fault) -> Problem:
        return Problem(
            self.grid.file, line, fault.place, fault.code, fault.values, fault.suggestion, fault.known
        )

    # Checks shared by all kinds

    def _add(self, rows: Rows, explain: Callable[[int], _Fault]) -> None:
        if len(rows):
            self.found.append((rows, explain))

    def _column(self, name: str) -> _Coded:
        """A column of ids or codes without the blanks around them; put back so."""
        coded = _encode(self.columns[name])
        trimmed = pc.utf8_trim(coded.words, characters=_EDGES)
        if not trimmed.equals(coded.words):
            again = trimmed.dictionary_encode()
            coded = _Coded(again.indices.to_numpy().astype(np.int64)[coded.codes], again.dictionary)
            self.columns[name] = pa.chunked_array([coded.words.take(pa.array(coded.codes))])
        return coded

    def _ids(self, name: str, *, optional: bool = False) -> _Coded:
        """Check a column of ids: given, short, not the mark of a failed spreadsheet cell."""
        coded = self._column(name)
        lengths = pc.utf8_length(coded.words).to_numpy(zero_copy_only=False)
        if not optional:
            self._add(coded.rows(lengths == 0), lambda _: _Fault(name, "table-cell-empty", {"column": name}))
        self._too_long(coded.rows(lengths > ID_LENGTH), name, ID_LENGTH)
        # Made here: a first array loads pandas, which whoever only opens the dashboard should not wait for.
        failed = pc.is_in(coded.words, value_set=pa.array(_EXCEL_ERRORS)).to_numpy(zero_copy_only=False)
        self._add(
            coded.rows(failed), lambda row: _Fault(name, "table-excel-error", {"value": coded.word(row)})
        )
        return coded

    def _text(self, name: str) -> None:
        """Check the length of a free text; its content is nobody's business here."""
        lengths = pc.utf8_length(self.columns[name]).to_numpy()
        self._too_long(np.flatnonzero(lengths > TEXT_LENGTH), name, TEXT_LENGTH)

    def _too_long(self, rows: Rows, name: str, limit: int) -> None:
        column = self.columns[name]
        self._add(
            rows,
            lambda row: _Fault(name, "table-cell-long", {"length": len(column[row].as_py()), "limit": limit}),
        )

    def _words(
        self, coded: _Coded, fits: Callable[[str], bool], explain: Callable[[str], _Fault]
    ) -> npt.NDArray[np.bool_]:
        """Check each distinct word once; the marked words are the bad ones."""
        bad = np.fromiter((not fits(word) for word in coded.words.to_pylist()), np.bool_, len(coded.words))
        self._add(coded.rows(bad), lambda row: explain(coded.word(row)))
        return bad

    def _choice(self, name: str, code: str, known: Sequence[str], *, default: str | None = None) -> _Coded:
        """Check a column that holds one of a few codes; an empty cell is the default, when there is one."""
        coded = self._column(name)
        allowed = set(known) | ({""} if default is not None else set())

        def explain(word: str) -> _Fault:
            if not word:
                return _Fault(name, "table-cell-empty", {"column": name}, None, _listed(known))
            return _Fault(name, code, {"value": _shown(word)}, _near(word, known), _listed(known))

        self._words(coded, allowed.__contains__, explain)
        if default:
            empty = pc.equal(self.columns[name], "")
            self.columns[name] = pc.if_else(empty, default, self.columns[name])
        return coded

    def _days(self, name: str, *, optional: bool) -> Callable[[int], date | None]:
        """Check a column of dates and write them all as YYYY-MM-DD; returns the date of a row."""
        coded = self._column(name)
        days = [_day(word) for word in coded.words.to_pylist()]
        by_word = dict(zip(coded.words.to_pylist(), days, strict=True))

        def explain(word: str) -> _Fault:
            if not word:
                return _Fault(name, "table-cell-empty", {"column": name})
            return _Fault(name, "table-date", {"value": _shown(word)}, _meant_day(word))

        self._words(coded, lambda word: by_word[word] is not None or (optional and not word), explain)
        iso = pa.array([w if d is None else d.isoformat() for w, d in by_word.items()], pa.string())
        if not iso.equals(coded.words):
            self.columns[name] = pa.chunked_array([iso.take(pa.array(coded.codes))])
        return lambda row: days[int(coded.codes[row])]

    def _twice(self, keys: Sequence[tuple[str, _Coded]]) -> None:
        """Refuse the second row of a key, naming the line of the first."""
        codes = np.zeros(len(self.grid.lines), np.int64)
        first, complete = codes == 0, codes == 0
        for _, coded in keys:
            codes, first = _pair(codes, coded.codes, len(coded.words))
        for _, coded in keys:
            complete &= ~pc.equal(coded.words, "").to_numpy(zero_copy_only=False)[coded.codes]
        firsts, lines = np.flatnonzero(first), self.grid.lines
        place = "+".join(name for name, _ in keys)

        def explain(row: int) -> _Fault:
            key = ", ".join(_shown(coded.word(row)) for _, coded in keys)
            return _Fault(place, "table-row-twice", {"key": key, "first": int(lines[firsts[codes[row]]])})

        self._add(np.flatnonzero(~first & complete), explain)

    # Answers

    def answers(self, questionnaire: Questionnaire, *, skip: bool) -> Table:
        """Judge answers, long or wide."""
        assessment, respondent = self._ids("assessment"), self._ids("respondent")
        roles = [role.id for role in self.matrix.roles]
        role = self._choice("role", "table-role", roles)
        allowed = _Allowed(questionnaire, self.matrix.lens_of, blank=self.wide)
        if self.wide:
            self._twice([("assessment", assessment), ("respondent", respondent), ("role", role)])
            return self._wide_answers(role, allowed, skip=skip)
        item = self._choice_of_item(questionnaire)
        answer = self._column("answer")
        self._twice([("assessment", assessment), ("respondent", respondent), ("role", role), ("item", item)])
        pairs, _ = _pair(role.codes, item.codes, len(item.words))
        self._fitting(pairs, role, item, answer, "answer", allowed)
        self._reasons("reason", answer.codes, answer.words, required=True)
        self._choice("channel", "table-channel", CHANNELS, default="")
        at = self._moments()
        self._text("comment")
        return self._done(COLUMNS["answers"], skip=skip, typed={"at": at})

    def _choice_of_item(self, questionnaire: Questionnaire) -> _Coded:
        coded = self._ids("item")

        def explain(word: str) -> _Fault:
            known = list(self.items)
            values: dict[str, object] = {"value": _shown(word), "questionnaire": questionnaire.id}
            return _Fault("item", "table-item", values, _near(word, known), _listed(known))

        self._words(coded, lambda word: not word or word in self.items, explain)
        return coded

    def _fitting(
        self,
        groups: Rows,
        role: _Coded,
        item: _Coded | None,
        answer: _Coded,
        place: str,
        allowed: _Allowed,
    ) -> None:
        """Check answers against what the role's lens may answer on the item.

        ``groups`` has one code for each role and item: with the answer's code it makes the distinct cases, and
        each of these is judged once. ``item`` is none where the column is the item.
        """

        def case(row: int) -> tuple[str, str, str]:
            return role.word(row), place if item is None else item.word(row), answer.word(row)

        cases, first = _pair(groups, answer.codes, len(answer.words))
        firsts = np.flatnonzero(first).tolist()
        bad = np.fromiter((not allowed.fits(*case(row)) for row in firsts), np.bool_, len(firsts))
        self._add(
            np.flatnonzero(bad[cases]) if bad.any() else np.zeros(0, np.int64),
            lambda row: allowed.explain(*case(row), place),
        )

    def _reasons(self, column: str, codes: Rows, words: pa.Array, *, required: bool) -> int:
        """Check that a reason stands with `na` and nowhere else; returns how many `na` have none."""
        text = self.columns[column]
        given = pc.not_equal(pc.utf8_trim(text, characters=_EDGES), "").to_numpy()
        na = pc.equal(words, "na").to_numpy(zero_copy_only=False)[codes]
        if required:
            self._add(np.flatnonzero(na & ~given), lambda _: _Fault(column, "table-na-reason"))
        answered = [str(word) for word in words.to_pylist()] if (~na & given).any() else []
        self._add(
            np.flatnonzero(~na & given),
            lambda row: _Fault(column, "table-reason-idle", {"value": _shown(answered[int(codes[row])])}),
        )
        self._text(column)
        if not pc.all(pc.or_(pc.equal(text, ""), pa.array(given))).as_py():
            self.columns[column] = pc.if_else(pa.array(given), text, "")
        return int((na & ~given).sum())

    def _moments(self) -> pa.ChunkedArray:
        """Check when answers were given, and return it as instants; a time without a zone is taken as UTC."""
        coded = self._column("at")
        moments = [_moment(word) for word in coded.words.to_pylist()]
        known = {w for w, moment in zip(coded.words.to_pylist(), moments, strict=True) if moment is not None}

        def explain(word: str) -> _Fault:
            return _Fault("at", "table-moment", {"value": _shown(word)}, _meant_day(word))

        self._words(coded, lambda word: not word or word in known, explain)
        return pa.chunked_array([pa.array(moments, _INSTANT).take(pa.array(coded.codes))])

    def _wide_answers(self, role: _Coded, allowed: _Allowed, *, skip: bool) -> Table:
        unexplained = 0
        names = [name for name in self.grid.names if name in self.items]
        filled: dict[str, npt.NDArray[np.bool_]] = {}
        for name in names:
            cell = self._column(name)
            self._fitting(role.codes, role, None, cell, name, allowed)
            filled[name] = ~pc.equal(cell.words, "").to_numpy(zero_copy_only=False)[cell.codes]
            if name + _REASON in self.columns:
                unexplained += self._reasons(name + _REASON, cell.codes, cell.words, required=False)
            else:
                na = pc.equal(cell.words, "na").to_numpy(zero_copy_only=False)
                unexplained += int(na[cell.codes].sum()) if na.any() else 0
        if unexplained:
            values: dict[str, object] = {"count": unexplained}
            self.notes.append(Problem(self.grid.file, self.grid.header_line, "file", "table-note-na", values))
        if self.grid.keeps_wide:
            kept = [*_WIDE_KEY, *(n for n in self.grid.names if n not in _WIDE_KEY)]
            table = self._done(kept, skip=skip)
            empty = [
                column if n in _WIDE_KEY else pc.if_else(pc.equal(column, ""), None, column)
                for n, column in zip(kept, table.frame.columns, strict=True)
            ]
            frame = pa.Table.from_arrays(empty, names=kept)
            return Table("answers", frame, True, table.skipped, table.skipped_rows, table.notes)  # noqa: FBT003
        return self._unpivoted(names, filled, skip=skip)

    def _unpivoted(
        self, names: Sequence[str], filled: dict[str, npt.NDArray[np.bool_]], *, skip: bool
    ) -> Table:
        """Wide answers as long ones: a row an answer, in the order of the file."""
        good, skipped, skipped_rows = self._verdict(skip=skip)
        kept = np.ones(len(self.grid.lines), np.bool_) if good is None else good
        rows = {name: np.flatnonzero(filled[name] & kept) for name in names}
        where = np.concatenate(list(rows.values()))
        order = np.argsort(where, kind="stable")
        if not len(where):
            fault = self._at(self.grid.header_line, _Fault("file", "table-no-answer"))
            raise Refused([*skipped, fault])
        blank = pa.repeat(pa.scalar("", pa.string()), len(where))

        def stacked(suffix: str) -> pa.ChunkedArray:
            parts = [
                self.columns[n + suffix].take(pa.array(rows[n])).combine_chunks()
                if n + suffix in self.columns
                else blank[: len(rows[n])]
                for n in names
            ]
            return pa.chunked_array(parts, pa.string()).take(pa.array(order))

        item = np.repeat(np.arange(len(names)), [len(rows[n]) for n in names])[order]
        columns = {name: self.columns[name].take(pa.array(where[order])) for name in _WIDE_KEY}
        columns["item"] = pa.array(list(names), pa.string()).take(pa.array(item))
        columns |= {"answer": stacked(""), "reason": stacked(_REASON)}
        columns["at"] = pa.nulls(len(where), _INSTANT)
        frame = pa.table({name: columns.get(name, blank) for name in COLUMNS["answers"]})
        return Table("answers", frame, False, skipped, skipped_rows, tuple(self.notes))  # noqa: FBT003

    # Evidence and assessments

    def evidence(self, *, skip: bool) -> Table:
        """Judge pieces of evidence."""
        self._ids("assessment")
        if self.questionnaire is None:
            self._ids("item")
        else:
            self._choice_of_item(self.questionnaire)
        blank = pc.equal(pc.utf8_trim(self.columns["title"], characters=_EDGES), "")
        self._add(
            np.flatnonzero(blank.to_numpy()),
            lambda _: _Fault("title", "table-cell-empty", {"column": "title"}),
        )
        self._text("title")
        self._choice("kind", "table-evidence-kind", [kind.id for kind in self.matrix.evidence_kinds])
        day = self._days("date", optional=False)
        until = self._days("valid_until", optional=True)
        start, end = self.columns["date"], self.columns["valid_until"]
        # Both are written YYYY-MM-DD by now, so that text compares as days do; misfits have their own problem.
        reversed_ = np.flatnonzero(pc.and_(pc.not_equal(end, ""), pc.less(end, start)).to_numpy())
        reversed_ = np.array([r for r in reversed_ if day(int(r)) and until(int(r))], np.int64)
        self._add(
            reversed_,
            lambda row: _Fault("valid_until", "table-date-order", {"date": day(row), "until": until(row)}),
        )
        for name in ("added_by", "accepted_by"):
            self._ids(name, optional=True)
        self._choice("units", "table-units", ("one", "all"))
        self._text("file")
        return self._done(COLUMNS["evidence"], skip=skip)

    def assessments(self, *, skip: bool) -> Table:
        """Judge the list of assessments."""
        assessment = self._ids("assessment")
        self._twice([("assessment", assessment)])
        self._choice("kind", "table-kind", ("assessment", "reading"), default="assessment")
        self._choice("form", "table-form", ("full", "express"), default="full")
        for name in ("institution", "country", "type", "campaign"):
            self._ids(name, optional=True)
        self._days("programme_start", optional=True)
        beds = self._beds()
        self._scope()
        for name in ("scope", "out_of_scope_reason"):
            self._text(name)
        return self._done(COLUMNS["assessments"], skip=skip, typed={"beds": beds})

    def _beds(self) -> pa.Array:
        coded = self._column("beds")

        def whole(word: str) -> bool:
            return not word or (word.isascii() and word.isdigit() and len(word) < 10)  # noqa: PLR2004  # fits 32 bits

        self._words(coded, whole, lambda word: _Fault("beds", "table-beds", {"value": _shown(word)}))
        numbers = [int(w) if w and whole(w) else None for w in coded.words.to_pylist()]
        return pa.array(numbers, pa.int64()).take(pa.array(coded.codes))

    def _scope(self) -> None:
        axes = [axis.id for axis in self.matrix.axes]
        coded = self._column("out_of_scope")

        def explain(word: str) -> _Fault:
            wrong = next(axis for axis in word.split() if axis not in axes)
            return _Fault(
                "out_of_scope", "table-axis", {"value": _shown(wrong)}, _near(wrong, axes), tuple(axes)
            )

        self._words(coded, lambda word: all(axis in axes for axis in word.split()), explain)
        named = ~pc.equal(coded.words, "").to_numpy(zero_copy_only=False)[coded.codes]
        reason = pc.utf8_trim(self.columns["out_of_scope_reason"], characters=_EDGES)
        unsaid = pc.equal(reason, "").to_numpy()
        self._add(
            np.flatnonzero(named & unsaid), lambda _: _Fault("out_of_scope_reason", "table-scope-reason")
        )

    # Verdict

    def _verdict(self, *, skip: bool) -> tuple[npt.NDArray[np.bool_] | None, tuple[Problem, ...], int]:
        """Refuse, or say which rows are good (None: all), what is wrong with the others, and how many they are."""
        lines = self.grid.lines
        total = self.grid.odd_rows + sum(len(rows) for rows, _ in self.found)
        if not total:
            return None, (), 0
        all_rows = np.concatenate([np.zeros(0, np.int64), *(rows for rows, _ in self.found)])
        source = np.repeat(np.arange(len(self.found)), [len(rows) for rows, _ in self.found])
        order = np.argsort(lines[all_rows], kind="stable")[:LISTED]
        problems = [
            self._at(int(lines[row]), self.found[number][1](int(row)))
            for row, number in zip(all_rows[order].tolist(), source[order].tolist(), strict=True)
        ]
        problems = sorted([*self.grid.odd, *problems], key=lambda problem: problem.line)[:LISTED]
        listed = tuple(_capped(problems, total))
        good = np.ones(len(lines), np.bool_)
        good[all_rows] = False
        if not skip or not good.any():
            raise Refused(listed)
        return good, listed, int((~good).sum()) + self.grid.odd_rows

    def _done(self, names: Sequence[str], *, skip: bool, typed: dict[str, pa.Array] | None = None) -> Table:
        good, skipped, skipped_rows = self._verdict(skip=skip)
        columns = self.columns | (typed or {})
        frame = pa.table({name: columns[name] for name in names})
        if good is not None:
            frame = frame.filter(pa.array(good))
        return Table(self.kind, frame, False, skipped, skipped_rows, tuple(self.notes))  # noqa: FBT003


def _capped(problems: Sequence[Problem], total: int) -> list[Problem]:
    """At most so many problems written out, and a last one that counts the rest."""
    listed = list(problems[:LISTED])
    if (rest := total - len(listed)) > 0:
        last = listed[-1]
        listed.append(Problem(last.file, last.line, "file", "table-more", {"count": rest}))
    return listed


class _Allowed:
    """What each role may answer on each item."""

    def __init__(self, questionnaire: Questionnaire, lens_of: dict[str, str], *, blank: bool) -> None:
        self.questionnaire, self.lens_of = questionnaire, lens_of
        self.blank = blank  # an empty cell of a wide table is no answer, and no mistake
        self.items = {item.id for item in questionnaire.items}
        self.seen: dict[tuple[str, str], dict[str, Option]] = {}

    def options(self, role: str, item: str) -> dict[str, Option]:
        """Options by id; none when the item is not put to the role's lens."""
        if (role, item) not in self.seen:
            options = self.questionnaire.options(item, self.lens_of[role])
            self.seen[role, item] = {option.id: option for option in options}
        return self.seen[role, item]

    def fits(self, role: str, item: str, answer: str) -> bool:
        """Whether the answer is one of the item's; an unknown role or item has its own problem."""
        if (self.blank and not answer) or role not in self.lens_of or item not in self.items:
            return True
        options = self.options(role, item)
        return answer in options or (bool(options) and answer in _NOT_A_VALUE)

    def explain(self, role: str, item: str, answer: str, place: str) -> _Fault:
        """What is wrong with an answer that does not fit, and what was probably meant."""
        options = self.options(role, item)
        if not options:
            asked = {lens for lens in self.lens_of.values() if self.questionnaire.options(item, lens)}
            roles = tuple(r for r, lens in self.lens_of.items() if lens in asked)
            return _Fault(place, "table-lens", {"item": item, "role": role}, None, roles)
        known = (*options, *_NOT_A_VALUE)
        if not answer:
            return _Fault(place, "table-answer-empty", {}, None, known)
        values: dict[str, object] = {"value": _shown(answer), "item": item}
        folded = _folded(answer)
        for option in options.values():
            if folded in map(_folded, option.text.values()):
                return _Fault(place, "table-answer-label", values, option.id, known)
        if re.fullmatch(r"-?\d+([.,]\d+)?", answer):
            number = float(answer.replace(",", "."))
            meant = [option.id for option in options.values() if option.value == number]
            return _Fault(place, "table-answer-number", values, meant[0] if len(meant) == 1 else None, known)
        return _Fault(place, "table-answer", values, _near(answer, known), known)


def _folded(text: str) -> str:
    """A label as anybody types it: in any case, with either apostrophe."""
    return text.casefold().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")


def _day(word: str) -> date | None:
    """The day an ISO 8601 text names, at midnight if it names a time; none for anything else."""
    try:
        moment = datetime.fromisoformat(word)
    except ValueError:
        return None
    sensible = _YEARS[0] <= moment.year <= _YEARS[1] and moment.time() == time() and moment.tzinfo is None
    return moment.date() if sensible else None


def _moment(word: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(word)
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if _YEARS[0] <= moment.year <= _YEARS[1] else None


def _meant_day(word: str) -> str | None:
    """The ISO form of a day written as people do, day first, or as Excel counts days."""
    word = (word.split() or [""])[0]
    if word.isascii() and word.isdigit() and _EXCEL_DAYS[0] < int(word[:9]) < _EXCEL_DAYS[1]:
        return (_EXCEL_EPOCH + timedelta(days=int(word))).isoformat()
    if match := _DAY_FIRST.fullmatch(word):
        day, month, year = map(int, match.groups())
        year += 2000 if year < 100 else 0  # noqa: PLR2004  # 31/01/26
        orders = ((year, month, day), (year, day, month))
    elif match := _YEAR_FIRST.fullmatch(word):
        year, month, day = map(int, match.groups())
        orders = ((year, month, day),) * 2
    else:
        return None
    for order in orders:
        try:
            return date(*order).isoformat()
        except ValueError:
            continue
    return None
