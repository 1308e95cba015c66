"""Tables: what people really save is read, everything else is refused with its line and a remedy."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from data import tables
from data.tables import COLUMNS, Kind, Table, read_table, to_csv
from matrix import Problem, Refused
from questionnaires import Questionnaire

BAD = Path(__file__).parent / "bad" / "tables"
EXPECTED = yaml.safe_load((BAD / "expected.yaml").read_text(encoding="utf-8"))


def _texts(fr: str, nl: str, en: str) -> dict[str, str]:
    return {"fr": fr, "nl": nl, "en": en}


def _item(id_: str, *sides: str) -> dict[str, Any]:
    scales = {"institution": "deployment", "patients": "frequency"}
    return {
        "id": id_,
        "axis": "services",
        "level": "collaboration",
        "ask": {side: {"scale": scales[side], "text": _texts("?", "?", "?")} for side in sides},
        "evidence": ["minutes"],
        "advice": _texts("…", "…", "…"),
        "sources": [{"id": "dumont2025"}],
    }


TINY = Questionnaire.model_validate(
    {
        "schema": 1,
        "id": "tiny",
        "version": 1,
        "kind": "module",
        "title": _texts("Petit", "Klein", "Tiny"),
        "sources": ["dumont2025"],
        "scales": {
            "deployment": [
                {"id": "absent", "value": 0, "text": _texts("Pas en place", "Niet aanwezig", "Not in place")},
                {"id": "pilot", "value": 0.3, "text": _texts("Essai", "Proef", "Pilot project")},
                {"id": "everywhere", "value": 1, "text": _texts("Partout", "Overal", "Everywhere")},
            ],
            "frequency": [
                {"id": "never", "value": 0, "text": _texts("Jamais", "Nooit", "Never at all")},
                {"id": "always", "value": 1, "text": _texts("Toujours", "Altijd", "All the time")},
            ],
        },
        "items": [
            _item("services.committees", "institution", "patients"),
            _item("services.board", "institution"),
            _item("services.heard", "patients"),
        ],
    }
)
HEADER = "assessment,respondent,role,item,answer,reason"
LONG = f"""{HEADER}
a1,r1,quality,services.committees,pilot,
a1,r1,quality,services.board,na,no board here
a1,p1,patient,services.committees,always,
a1,p1,patient,services.heard,dk,
"""
WIDE = {
    "assessment": ["a1", "a1"],
    "respondent": ["r1", "p1"],
    "role": ["quality", "patient"],
    "services.committees": ["pilot", "always"],
    "services.board": ["na", None],
    "services.board__reason": ["no board here", None],
    "services.heard": [None, "dk"],
}


def _answers(source: bytes | str | Path, *, skip_bad_rows: bool = False) -> Table:
    raw = source.encode() if isinstance(source, str) else source
    return read_table(raw, "answers", TINY, skip_bad_rows=skip_bad_rows)


def _refused(
    source: bytes | str | Path,
    kind: Kind = "answers",
    *,
    name: str | None = None,
    skip_bad_rows: bool = False,
) -> tuple[Problem, ...]:
    raw = source.encode() if isinstance(source, str) else source
    with pytest.raises(Refused) as caught:
        read_table(raw, kind, TINY, name=name, skip_bad_rows=skip_bad_rows)
    return caught.value.problems


def _xlsx(*rows: tuple[object, ...], sheets: int = 1) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    for _ in range(sheets - 1):
        book.create_sheet()
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _parquet(table: pa.Table) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


def _ipc(table: pa.Table, *, stream: bool) -> bytes:
    out = io.BytesIO()
    with (pa.ipc.new_stream if stream else pa.ipc.new_file)(out, table.schema) as writer:
        writer.write_table(table)
    return out.getvalue()


# Refusals


@pytest.mark.parametrize("case", EXPECTED, ids=lambda case: case["file"])
def test_a_bad_table_says_its_line_and_what_to_do(case: dict[str, Any]) -> None:
    """Every fixture is refused on the line and with the words that stand beside it."""
    path = BAD / case["file"]
    problems = _refused(path, case["kind"], name=case["file"])
    said = [problem.text() for problem in problems]
    assert any(
        text.startswith(f"{case['file']}:{case['line']}: ") and case["says"] in text for text in said
    ), said
    assert len(said) == 1


def test_every_bad_table_is_listed() -> None:
    """No fixture lies about without its words."""
    assert {case["file"] for case in EXPECTED} == {p.name for p in BAD.iterdir()} - {"expected.yaml"}


def test_every_refusal_can_be_said_in_every_language() -> None:
    """Each sentence of the catalogue speaks French, Dutch and English with the same blanks."""
    path = Path(tables.__file__).with_name("refusals.yaml")
    for code, texts in yaml.safe_load(path.read_text(encoding="utf-8")).items():
        blanks = {lang: sorted(set(_blanks(text))) for lang, text in texts.items()}
        assert set(texts) == {"fr", "nl", "en"}, code
        assert blanks["fr"] == blanks["nl"] == blanks["en"], code


def _blanks(text: str) -> list[str]:
    return [part.split("}")[0] for part in text.split("{")[1:]]


def test_all_problems_come_at_once_in_line_order() -> None:
    """Rows of every sort of misfit are all told, by line."""
    problems = _refused(
        f"{HEADER}\n"
        "a1,r1,qualty,services.committees,pilot,\n"
        "a1,r1,quality,services.committees,pilot,,x\n"
        ",r1,quality,services.nothing,pilot,why\n"
        "a1,r2,quality,services.committees,na,\n"
    )
    assert [(p.line, p.code) for p in problems] == [
        (2, "table-role"),
        (3, "table-row-long"),
        (4, "table-cell-empty"),
        (4, "table-item"),
        (4, "table-reason-idle"),
        (5, "table-na-reason"),
    ]


def test_the_cap_counts_what_it_hides() -> None:
    """A thousand bad rows give two hundred problems and the number of the others."""
    rows = "\n".join(f"a1,r{n},qualty,services.committees,pilot," for n in range(1000))
    problems = _refused(f"{HEADER}\n{rows}\n")
    assert [p.line for p in problems[:200]] == list(range(2, 202))
    assert len(problems) == 201
    assert "and 800 more problems" in problems[-1].text()


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    """A path that leads to no file says so."""
    assert "does not exist" in _refused(tmp_path / "none.csv")[0].text()
    assert "folder" in _refused(tmp_path)[0].text()


def test_files_over_the_limit_are_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each format has its limit, judged on the size alone."""
    for limit in ("CSV_LIMIT", "XLSX_LIMIT", "PARQUET_LIMIT"):
        monkeypatch.setattr(tables, limit, 10)
    wide = pa.table(WIDE)
    for source in (LONG.encode(), _xlsx(("assessment",)), _parquet(wide), _ipc(wide, stream=True)):
        assert [p.code for p in _refused(source)] == ["table-too-large"]


def test_bombs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """What unpacks or spreads beyond all measure is refused before it does."""
    book = _xlsx(("assessment",), ("a1",))
    with monkeypatch.context() as patch:
        patch.setattr(tables, "UNPACKED_LIMIT", 1000)
        assert [p.code for p in _refused(book)] == ["table-unpacked"]
    far = _rewritten(book, "xl/worksheets/sheet1.xml", b'<row r="2">', b'<row r="99999999999">')
    assert [p.code for p in _refused(far, "assessments")] == ["table-sheet-large"]
    monkeypatch.setattr(tables, "CELL_LIMIT", 3)
    assert [p.code for p in _refused(_parquet(pa.table(WIDE)))] == ["table-cells"]


def _rewritten(book: bytes, part: str, old: bytes, new: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(book)) as source, zipfile.ZipFile(out, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            assert name != part or old in content
            target.writestr(name, content.replace(old, new) if name == part else content)
    return out.getvalue()


def test_archives_that_are_no_workbook_are_refused() -> None:
    """A ZIP, a Word document and an OpenDocument sheet each get their own remedy."""

    def packed(*names: str) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for name in names:
                archive.writestr(name, "x")
        return out.getvalue()

    assert "This file is ZIP" in _refused(packed())[0].text()
    assert "This file is ZIP" in _refused(packed("a.csv"))[0].text()
    assert "Word (.docx)" in _refused(packed("[Content_Types].xml", "word/document.xml"))[0].text()
    assert "Excel (.xlsb)" in _refused(packed("[Content_Types].xml", "xl/workbook.bin"))[0].text()
    assert "In LibreOffice" in _refused(packed("mimetype", "content.xml"))[0].text()


def test_parquet_columns_that_are_no_text_are_refused() -> None:
    """A list cannot be an answer, and bytes must be UTF-8."""
    assert "of type list" in _refused(_parquet(pa.table(WIDE | {"services.heard": [["dk"], []]})))[0].text()
    raw = pa.table(WIDE | {"respondent": pa.array([b"\xff", b"r"], pa.binary())})
    assert "respondent: This column is of type binary" in _refused(_parquet(raw))[0].text()


def test_rows_of_parquet_are_counted_from_one() -> None:
    """A wide Parquet file with a wrong answer names its row and column."""
    wide = pa.table(WIDE | {"services.committees": ["pilot", "pilot"]})
    (problem,) = _refused(_parquet(wide), name="survey.parquet")
    assert problem.text().startswith(
        "survey.parquet:2: services.committees: 'pilot' is not a possible answer"
    )


def test_an_error_message_moves_no_cursor() -> None:
    """Escape sequences and line breaks of a cell are shown, not sent to the terminal."""
    (problem,) = _refused(f'{HEADER}\na1,r1,"qual\x1b[2J\nity",services.committees,pilot,\n')
    assert "'qual\\x1b[2J\\nity'" in problem.text()


# What is read


def test_what_a_belgian_excel_writes_is_read() -> None:
    """CSV UTF-8 of a Belgian Excel: mark, semicolons, CRLF, empty columns and rows, quoted line breaks."""
    text = (
        "assessment;respondent;role;item;answer;reason;comment;;\r\n"
        'a1;r1;quality;services.board;na;"pas de conseil; été 2025";"dit ""jamais""\r\nou presque";;\r\n'
        ";;;;;;;;\r\n"
        "a1;r2;quality;services.board;pilot\u00a0;;;;\r\n"
    )
    table = _answers(text.encode("utf-8-sig"))
    assert table.frame.to_pylist()[0] == {
        "assessment": "a1",
        "respondent": "r1",
        "role": "quality",
        "item": "services.board",
        "answer": "na",
        "reason": "pas de conseil; été 2025",
        "comment": 'dit "jamais"\r\nou presque',
        "channel": "",
        "at": None,
    }
    assert table.frame["answer"].to_pylist() == ["na", "pilot"]
    assert [p.line for p in _refused(text.replace("pilot", "plot"))] == [5]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("start", ["", "sep=;\n", "\ufeff", "\ufeffsep=;\n"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_every_usual_dialect_is_read(delimiter: str, start: str, ending: str) -> None:
    """Delimiter, line ending, byte order mark and Excel's first line change nothing."""
    text = (start.replace(";", delimiter) + LONG.replace(",", delimiter)).replace("\n", ending)
    assert _answers(text).frame.equals(_answers(LONG).frame)
    line = 6 + start.count("\n")
    assert [p.line for p in _refused(text + f"a1{delimiter}r9{ending}")] == [line]


def test_a_workbook_reads_as_the_same_rows() -> None:
    """XLSX gives what CSV gives, numbers and dates as text, rows numbered as in the sheet."""
    rows = [tuple(line.split(",")) for line in LONG.splitlines()]
    table = _answers(_xlsx(*rows, sheets=2))
    assert table.frame.equals(_answers(LONG).frame)
    assert ["Only the first of the 2 sheets" in note.text() for note in table.notes] == [True]
    (problem,) = _refused(_xlsx(*rows, (), ("a1", 17.0, "quality", "services.board", "plot")))
    assert problem.line == 7
    table = _answers(_xlsx(*rows, (), ("a1", 17.0, "quality", "services.board", "pilot", None, None, None)))
    assert table.frame["respondent"].to_pylist()[-1] == "17"


def test_real_dates_of_a_workbook_are_accepted() -> None:
    """A cell that Excel holds as a date needs no retyping."""
    row = (
        "a1",
        "services.board",
        "Minutes",
        "minutes",
        datetime(2026, 1, 31),  # noqa: DTZ001  # a sheet's dates have no zone
        date(2027, 1, 31),
        "x",
        "y",
        "all",
        "",
    )
    table = read_table(_xlsx(COLUMNS["evidence"], row), "evidence", TINY)
    assert table.frame.select(["date", "valid_until"]).to_pylist() == [
        {"date": "2026-01-31", "valid_until": "2027-01-31"}
    ]


def test_formulas_are_never_calculated() -> None:
    """A formula gives the result that Excel stored; without one, its text, which is only text."""
    head = ("assessment", "institution", "scope")
    (row,) = read_table(_xlsx(head, ("a1", "i1", "=1+1")), "assessments", None).frame.to_pylist()
    assert row["scope"] == "=1+1"
    stored = _rewritten(
        _xlsx(head, ("a1", "i1", "=1+1")),
        "xl/worksheets/sheet1.xml",
        b"<f>1+1</f><v />",
        b"<f>1+1</f><v>2</v>",
    )
    (row,) = read_table(stored, "assessments", None).frame.to_pylist()
    assert row["scope"] == "2"


def test_text_stays_the_text_it_is() -> None:
    """Formulas and HTML in free text come through unchanged, blanks and all."""
    texts = ["=HYPERLINK(1)", "+32", "-1", "@x", "<script>alert(1)</script>", " spaced ", "'quoted'"]
    rows = "".join(f'a1,r{n},quality,services.board,pilot,,"{text}"\n' for n, text in enumerate(texts))
    assert _answers(f"{HEADER},comment\n{rows}").frame["comment"].to_pylist() == texts


@pytest.mark.parametrize("name", ["csv", "xlsx"])
def test_wide_and_long_give_the_same_answers(name: str) -> None:
    """A wide CSV or workbook becomes the long table."""
    wide = pa.table(WIDE)
    source = to_csv(wide) if name == "csv" else _xlsx(tuple(WIDE), *zip(*WIDE.values(), strict=True))
    table = _answers(source)
    assert not table.wide
    assert table.frame.equals(_answers(LONG).frame)


@pytest.mark.parametrize("name", ["parquet", "arrow file", "arrow stream"])
def test_wide_columns_stay_wide(name: str, tmp_path: Path) -> None:
    """A wide Parquet or Arrow table is kept as it is, from bytes and from a file."""
    wide = pa.table(WIDE)
    raw = _parquet(wide) if name == "parquet" else _ipc(wide, stream=name == "arrow stream")
    path = tmp_path / "table.txt"
    path.write_bytes(raw)
    for source in (raw, path):
        table = _answers(source)
        assert table.wide
        assert table.frame.equals(wide)


def test_columns_of_any_flat_type_are_text() -> None:
    """Parquet numbers, dates, categories and times read as a CSV would hold them."""
    columns = {
        "assessment": pa.array(["a1", "a1"]).dictionary_encode(),
        "respondent": pa.array([1.0, 2.0]),
        "role": pa.array(["quality", "quality"], pa.large_string()),
        "item": pa.array(["services.board", "services.board"], pa.string_view()),
        "answer": pa.array(["pilot", "dk"]),
        "reason": pa.nulls(2),
        "at": pa.array(
            [datetime(2026, 1, 31, 14, 30, tzinfo=UTC), None], pa.timestamp("ns", tz="Europe/Brussels")
        ),
    }
    frame = _answers(_parquet(pa.table(columns))).frame
    assert frame["respondent"].to_pylist() == ["1", "2"]
    assert frame["reason"].to_pylist() == ["", ""]
    assert frame["at"].to_pylist() == [datetime(2026, 1, 31, 14, 30, tzinfo=UTC), None]


def test_na_without_a_reason_is_accepted_and_counted_in_wide_tables() -> None:
    """Survey exports have no room for reasons; how many lack one is told."""
    for column in ({}, {"services.board__reason": [None, None]}):
        wide = {k: v for k, v in WIDE.items() if not k.endswith("__reason")} | column
        (note,) = _answers(_parquet(pa.table(wide))).notes
        assert "1 answers 'na' (not applicable) without a reason were accepted." in note.text()
        (note,) = _answers(to_csv(pa.table(wide))).notes
        assert note.values == {"count": 1}


def test_assessments_need_only_their_id() -> None:
    """What an assessment leaves out takes its default."""
    table = read_table(b"assessment\na1\n", "assessments", None)
    assert tuple(table.frame.column_names) == COLUMNS["assessments"]
    (row,) = table.frame.to_pylist()
    assert (row["kind"], row["form"], row["beds"], row["programme_start"]) == ("assessment", "full", None, "")
    full = (
        "assessment,kind,beds,programme_start,out_of_scope,out_of_scope_reason\n"
        "a1,reading,250,20240301,research teaching,no university\n"
    )
    (row,) = read_table(full.encode(), "assessments", None).frame.to_pylist()
    assert (row["beds"], row["programme_start"], row["out_of_scope"]) == (
        250,
        "2024-03-01",
        "research teaching",
    )


def test_answers_need_a_questionnaire() -> None:
    """Asking for answers without what was asked is the caller's mistake."""
    with pytest.raises(ValueError, match="questionnaire"):
        read_table(LONG.encode(), "answers", None)


# Skipping


def test_bad_rows_are_skipped_only_when_chosen_and_are_listed() -> None:
    """The rows that fit come back, the others with their lines; without the choice nothing does."""
    text = LONG + "a1,r1,quality,services.board,pilot,\na1,r2,qualty,services.board,pilot,\na1,r3\n"
    assert len(_refused(text)) == 3
    table = _answers(text, skip_bad_rows=True)
    assert table.frame.equals(_answers(LONG).frame)
    assert [p.line for p in table.skipped] == [6, 7, 8]
    assert table.skipped_rows == 3


def test_a_wide_respondent_is_skipped_whole() -> None:
    """One bad cell leaves out the respondent's row, in both shapes."""
    wide = pa.table(WIDE | {"services.heard": [None, "perhaps"]})
    for source, rows in ((_parquet(wide), 1), (to_csv(wide), 2)):
        table = _answers(source, skip_bad_rows=True)
        assert table.skipped_rows == 1
        assert table.frame["respondent"].to_pylist() == ["r1"] * rows


def test_a_table_without_one_good_row_is_refused_all_the_same() -> None:
    """Skipping everything would read as success."""
    assert _refused(f"{HEADER}\na1,r1,qualty,services.board,pilot,\n", skip_bad_rows=True)
    assert _refused(f"{HEADER}\na1,r1\n", skip_bad_rows=True)


def test_what_has_no_rows_to_skip_is_refused() -> None:
    """A broken quote or header is no bad row."""
    assert _refused(BAD / "quote-never-closed.csv", skip_bad_rows=True)
    assert _refused(BAD / "column-unknown.csv", skip_bad_rows=True)


# Writing


def test_spreadsheet_exports_run_nothing() -> None:
    """Every text that a spreadsheet would run begins with an apostrophe, headers included."""
    frame = pa.table({"=1": ["=1+1", "+1", "-1", "@a", "\ta", "\ra", "a=1", None], "beds": [-1] * 8})
    rows = to_csv(frame, delimiter=",").decode("utf-8-sig")
    assert rows.startswith(
        "'=1,beds\r\n'=1+1,-1\r\n'+1,-1\r\n'-1,-1\r\n'@a,-1\r\n'\ta,-1\r\n\"'\ra\",-1\r\na=1,-1\r\n,-1"
    )


_texts_of_people = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=0, max_size=30)
_ids = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=8).filter(
    lambda text: not text.startswith("#") and text.strip(tables._EDGES) == text
)


@given(
    rows=st.dictionaries(
        _ids, st.tuples(_texts_of_people, st.sampled_from(["", "2026-01-31T14:30:00+01:00"])), min_size=1
    ),
    delimiter=st.sampled_from([";", ","]),
)
def test_what_was_written_is_read_back(
    rows: dict[str, tuple[str, str]], delimiter: Literal[";", ","]
) -> None:
    """Any text of any alphabet survives the way out and in again."""
    source = {name: ["a1"] * len(rows) for name in ("assessment",)} | {
        "respondent": list(rows),
        "role": ["quality"] * len(rows),
        "item": ["services.board"] * len(rows),
        "answer": ["pilot"] * len(rows),
        "reason": [""] * len(rows),
        "comment": [text for text, _ in rows.values()],
        "at": [at for _, at in rows.values()],
    }
    first = _answers(_parquet(pa.table(source)))
    again = _answers(to_csv(first, neutralise=False, delimiter=delimiter))
    assert again.frame.equals(first.frame)


# Robustness and size


@given(
    raw=st.one_of(
        st.binary(max_size=200),
        st.text(st.sampled_from('a",;\t\n\r=é0'), max_size=80).map(lambda text: f"{HEADER}\n{text}".encode()),
        st.binary(max_size=60).map(lambda tail: b"PAR1" + tail + b"PAR1"),
        st.binary(max_size=60).map(lambda tail: b"ARROW1\0\0" + tail),
        st.binary(max_size=60).map(lambda tail: b"\xff\xff\xff\xff" + tail),
        st.binary(max_size=60).map(lambda tail: b"PK\x03\x04" + tail),
        st.binary(max_size=60).map(lambda tail: HEADER.encode() + b"\n" + tail),
    ),
    kind=st.sampled_from(["answers", "evidence", "assessments"]),
    skip=st.booleans(),
)
def test_no_bytes_crash_the_reader(raw: bytes, kind: Kind, skip: bool) -> None:  # noqa: FBT001  # drawn by name
    """Whatever is thrown at the door, it reads or refuses."""
    outcome = _outcome(raw, kind, skip_bad_rows=skip)
    if isinstance(outcome, Refused):
        assert outcome.problems
        assert all(outcome.text(lang) for lang in ("fr", "nl", "en"))
    else:
        assert outcome.frame.num_rows


def _outcome(raw: bytes, kind: Kind, *, skip_bad_rows: bool) -> Table | Refused:
    try:
        return read_table(raw, kind, TINY, skip_bad_rows=skip_bad_rows)
    except Refused as refused:
        return refused


@given(data=st.data())
def test_a_damaged_workbook_or_column_file_reads_or_is_refused(data: st.DataObject) -> None:
    """A flipped byte anywhere in a good file never escapes as another error."""
    good = data.draw(st.sampled_from([_BOOK, _parquet(pa.table(WIDE)), _ipc(pa.table(WIDE), stream=False)]))
    at = data.draw(st.integers(0, len(good) - 1))
    bad = good[:at] + bytes([data.draw(st.integers(0, 255))]) + good[at + 1 :]
    assert _outcome(bad, "answers", skip_bad_rows=False)


_BOOK = _xlsx(*(tuple(line.split(",")) for line in LONG.splitlines()))


@pytest.mark.parametrize("quoted", ["", '"two\nlines"'])
def test_three_hundred_thousand_rows_are_judged(quoted: str) -> None:
    """A large table is read whole, and its one bad row at the end is found on its line."""
    rows = [
        f"a{n % 7},r{n // 2},quality,{('services.board', 'services.committees')[n % 2]},pilot,,{quoted}"
        for n in range(300_000)
    ]
    text = f"{HEADER},comment\n" + "\n".join(rows)
    assert _answers(text).frame.num_rows == 300_000
    (problem,) = _refused(text + "\na1,r0,quality,services.board,plot,,")
    assert problem.line == 2 + 300_000 * (2 if quoted else 1)
