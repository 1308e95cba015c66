"""The strict door: what it reads, what it refuses, and in which words."""

from __future__ import annotations

import datetime as dt
import errno
import json
import os
import re
import time
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

import matrix.schemas
import questionnaires.schemas
import scoring.rules
from matrix import (
    Document,
    Problem,
    Refused,
    Words,
    load_document,
    load_matrix,
    load_sources,
    nearest,
    read_yaml,
)
from matrix.model import SourceList, check_matrix, check_sources
from matrix.reader import DEPTH_LIMIT, NODE_LIMIT, SIZE_LIMIT
from questionnaires import check_crosswalk, check_questionnaire, load_library
from scoring.rules import check_rule

if TYPE_CHECKING:
    from collections.abc import Iterable

HERE = Path(__file__).parent
ROOT = HERE.parent
BAD = sorted((HERE / "bad").glob("*.yaml"))
LANGUAGES = ("fr", "nl", "en")
CHECKS = {
    "sources": check_sources,
    "matrix": check_matrix,
    "questionnaire": check_questionnaire,
    "crosswalk": check_crosswalk,
    "rule": check_rule,
}
"""The check of a bad file, by the first word of its name."""
SHIPPED = (
    ROOT / "matrix" / "pomey.yaml",
    ROOT / "matrix" / "sources.yaml",
    ROOT / "matrix" / "refusals.yaml",
    *sorted((ROOT / "questionnaires" / "library").glob("*.yaml")),
)
EMPTY = b"schema: 1\nsources: []\n"
"""The smallest file of any format that is right."""
SEEN_ELSEWHERE = {
    *(
        "missing-file",
        "is-folder",
        "unreadable-file",
        "too-large",
        "too-many",
    ),  # below: no file can hold these
    "published-changed",  # in the tests of the questionnaires: it needs two versions of a file
    "unknown-format",  # said by the command line, which has to guess the format
    *("unknown-questionnaire", "unknown-assessment", "no-spark"),  # said by the command line and the store
    "not-valid",  # the last resort; no format of these packages leads there
}


def check(path: Path) -> tuple[Problem, ...]:
    """Every problem that the check of a bad file tells."""
    return CHECKS[path.name.split("-")[0]](load_document(path, name=path.name))[1]


def told(source: bytes | Path) -> list[str]:
    """What is said about a sources file, in English."""
    return [problem.text() for problem in check_sources(load_document(source, name="f"))[1]]


def render(problems: tuple[Problem, ...]) -> None:
    """Fail unless every problem is one finished line in every language."""
    for problem in problems:
        for lang in LANGUAGES:
            text = problem.text(lang)
            assert text.startswith(f"{problem.file}:{problem.line}: ")
            assert text.isprintable() or not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", text)


# ── bad files


@pytest.mark.parametrize(
    "path",
    BAD,
    ids=lambda path: path.stem,
)
def test_bad_file_tells_exactly_what_it_announces(path: Path) -> None:
    """A bad file gets the lines, places and words announced in its comments, in that order, and no others."""
    announced = [
        (int(line), place.decode(), words.decode())
        for line, place, words in re.findall(
            rb"^# expect: (\d+): (.+?): (.+)$", path.read_bytes(), re.MULTILINE
        )
    ]
    assert announced, "a bad file announces what is wrong with it"
    problems = check(path)
    found = [(one.line, one.place, one.text().split(f": {one.place}: ", 1)[1]) for one in problems]
    assert [one[:2] for one in found] == [one[:2] for one in announced], "\n".join(map(str, found))
    for (_, _, text), (_, _, words) in zip(found, announced, strict=True):
        assert words in text
    render(problems)
    for lang in LANGUAGES:
        assert not any(re.search(r"\{\w+\}", problem.text(lang)) for problem in problems)


def test_every_refusal_has_a_bad_file() -> None:
    """Each sentence of the catalogue is provoked by a bad file, or by a test that a file cannot replace."""
    catalogue = load_document(ROOT / "matrix" / "refusals.yaml").data
    provoked = {problem.code for path in BAD for problem in check(path)}
    assert catalogue.keys() - {"did-you-mean", "known"} - provoked == SEEN_ELSEWHERE


def test_every_refusal_speaks_every_language() -> None:
    """A sentence of the catalogue has the same placeholders in every language and says more than a code."""
    for code, texts in load_document(ROOT / "matrix" / "refusals.yaml").data.items():
        assert tuple(texts) == LANGUAGES, code
        assert len({frozenset(re.findall(r"\{\w+\}", text)) for text in texts.values()}) == 1, code
        assert all(text.endswith((".", "?")) for text in texts.values()), code


def test_refused_tells_every_problem_by_line() -> None:
    """The exception holds all problems, a line each, in file order and in the language that is asked."""
    with pytest.raises(Refused) as refused:
        read_yaml(HERE / "bad" / "sources-several.yaml", SourceList, name="several.yaml")
    lines = str(refused.value).splitlines()
    assert len(lines) == len(refused.value.problems) > 10
    assert [int(line.split(":")[1]) for line in lines] == sorted(int(line.split(":")[1]) for line in lines)
    assert "n'est pas un identifiant" in refused.value.text("fr")


# ── files that no file of ours can be


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "f:1: file: This file is empty."),
        (b" \n\n\t\n", "f:1: file: This file is empty."),
        (b"---\n...\n", "f:1: file: A block of 'key: value' is expected here, not 'null'."),
        (EMPTY.decode().encode("utf-16"), "f:1: file: Byte 0xFF is not UTF-8. Save the file as UTF-8."),
        (EMPTY.decode().encode("utf-16-le"), "f:1: file: The character U+0000 is not accepted. Remove it."),
        (EMPTY + b"\n# \0", "f:4: file: The character U+0000 is not accepted. Remove it."),
        (b"\xef\xbb\xbf" + EMPTY + b"# \xff", "f:3: file: Byte 0xFF is not UTF-8. Save the file as UTF-8."),
        (
            EMPTY.replace(b"\n", b"\r\n") + b"x: 1\r\n",
            "f:3: x: The key 'x' is unknown here. Known: schema, sources.",
        ),
        (b"\xef\xbb\xbf" + EMPTY + b"x: 1", "f:3: x: The key 'x' is unknown here. Known: schema, sources."),
        (b"{schema: 1, sources: []", "f:1: file: This is not valid YAML (did not find expected ',' or '}')."),
        (
            b"%YAML 2.0\n---\n" + EMPTY,
            "f:1: file: This is not valid YAML (found incompatible YAML document).",
        ),
        (b"\x89PNG\r\n\x1a\n", "f:1: file: Byte 0x89 is not UTF-8. Save the file as UTF-8."),
    ],
)
def test_bytes_that_no_editor_writes(raw: bytes, words: str) -> None:
    """Empty files, other encodings, stray bytes, other line ends and binary files are told with their line."""
    assert [line[: len(words)] for line in told(raw)] == [words]


def test_a_byte_order_mark_and_other_line_ends_are_read() -> None:
    """What Windows editors add to a file does not make it another file."""
    assert not told(b"\xef\xbb\xbf" + EMPTY.replace(b"\n", b"\r\n"))


def test_missing_file_and_folder(tmp_path: Path) -> None:
    """A path that is wrong is told as one sentence, not as an exception."""
    assert told(tmp_path / "absent.yaml") == ["f:1: file: This file does not exist. Check the path."]
    assert told(tmp_path) == ["f:1: file: This is a folder. Give a file."]
    assert "cannot be read" in told(Path("nul\0byte"))[0]
    assert "cannot be read" in told(tmp_path / ("x" * 5000))[0]


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    """A file of a hundred megabytes is refused by its size: no memory is taken for it."""
    assert not told(EMPTY)  # what is read once is read before memory is measured
    path = tmp_path / "huge.yaml"
    with path.open("wb") as stream:
        stream.truncate(100_000_000)
    tracemalloc.start()
    lines = told(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert lines[0].startswith(f"f:1: file: This file has 100000000 bytes; the limit is {SIZE_LIMIT}.")
    assert peak < 1_000_000
    assert "the limit is" in told(b"#" * (SIZE_LIMIT + 1))[0]


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="this system has no file without end")
def test_a_file_without_end_is_read_so_far() -> None:
    """A source whose size nobody knows is read up to the limit and refused there."""
    assert "the limit is" in told(Path("/dev/zero"))[0]


def test_a_file_without_rights_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that may not be read is told with the system's reason."""
    path = tmp_path / "locked.yaml"
    path.write_bytes(EMPTY)

    def refuse(*_: object, **__: object) -> None:  # whoever runs the tests may have every right
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(Path, "open", refuse)
    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert "cannot be read" in told(path)[0]


@pytest.mark.parametrize(
    "text",
    [
        "[" * 20_000,
        "{a: " * 20_000,
        "- " * 20_000 + "a",
        "\n".join(" " * depth + "a:" for depth in range(2_000)),
        "? " * 20_000,
        "[" * 3_900_000,
        "a: [" + "x, " * 1_200_000 + "]",
        "[" + "*a, " * 900_000 + "]",
        "a: 1\n" * 700_000,
        "&a " * 1_000_000,
        ":" * 3_900_000,
        "a: " + "'" * 3_900_000,
        "a: " + "x" * 3_900_000,
    ],
    ids=lambda text: text[:12].replace("\n", "|"),
)
def test_hostile_files_end_soon(text: str) -> None:
    """Depth, width, aliases and repetition cost seconds at most, and end in sentences."""
    started = time.perf_counter()
    problems = check_questionnaire(load_document(text.encode(), name="f"))[1]
    assert problems
    assert time.perf_counter() - started < 20
    render(problems[:20])


def test_the_alias_bomb_is_fast_and_small() -> None:
    """What would unfold to a billion words is refused in the time of a hundred."""
    started = time.perf_counter()
    tracemalloc.start()
    assert check(HERE / "bad" / "sources-alias-bomb.yaml")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000_000
    assert time.perf_counter() - started < 5


def test_tags_run_nothing(tmp_path: Path) -> None:
    """A tag that names a Python function calls nothing."""
    mark = tmp_path / "owned"
    raw = f'schema: 1\nsources: !!python/object/apply:pathlib.Path.touch ["{mark}"]\n'
    assert "is not accepted. Remove it." in told(raw.encode())[0]
    assert not mark.exists()


def test_the_limits_leave_room() -> None:
    """The largest file that ships is far from every limit."""
    for path in SHIPPED:
        document = load_document(path)
        assert path.stat().st_size * 4 < SIZE_LIMIT, path
        assert len(document.lines) * 4 < NODE_LIMIT, path
        assert max(map(len, document.lines)) * 2 < DEPTH_LIMIT, path


# ── what is read


def test_words_stay_words() -> None:
    """Words that YAML 1.1 takes for booleans, dates or numbers of base 60 stay the text they are."""
    text = "{en: No, nl: Nee, a: yes, b: on, c: Off, d: y, e: 2025-01-31, f: 2025-01-31 10:00:00, g: 12:30:45, h: 0x1F, i: 1_000, j: =, k: 1.2.3}"
    data = load_document(text.encode()).data
    assert all(isinstance(value, str) for value in data.values())
    assert data["en"] == "No"
    assert data["e"] == "2025-01-31"
    assert data["g"] == "12:30:45"


def test_keys_stay_words() -> None:
    """A key is the text that was written, whatever it looks like."""
    assert load_document(b"{no: 1, 1: 2, 2025-01-31: 3, true: 4, ~: 5}").data == {
        "no": 1,
        "1": 2,
        "2025-01-31": 3,
        "true": 4,
        "~": 5,
    }


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("null", None),
        ("", None),
        ("0", 0),
        ("-12", -12),
        ("007", 7),
        ("0.5", 0.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("+1.5E-2", 0.015),
        ("-.inf", float("-inf")),
        ('"1"', "1"),
        ("'true'", "true"),
        ('""', ""),
        ("|\n  a\n  b\n", "a\nb\n"),
        (">\n  a\n  b\n", "a b\n"),
        ("a #b", "a"),
        ("a#b", "a#b"),
        ("\u0661", "\u0661"),
        ("1e999", float("inf")),
        ("9" * 400, float("inf")),
    ],
)
def test_scalars(written: str, value: object) -> None:
    """Scalars are read as YAML 1.2's core schema has them, and quotes make text."""
    found = load_document(f"a: {written}\n".encode()).data["a"]
    assert (found, type(found)) == (value, type(value))


def test_ordinary_files_are_read_as_pyyaml_reads_them() -> None:
    """Of every file that ships, the door reads the very data that PyYAML reads."""
    for path in SHIPPED:
        document = load_document(path)
        assert not document.problems
        assert document.data == yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader), path


def test_every_place_has_its_line() -> None:
    """The line of each key is the line that holds it."""
    path = ROOT / "questionnaires" / "library" / "hospital.yaml"
    document, written = load_document(path), path.read_text(encoding="utf-8").splitlines()
    for place, line in document.lines.items():
        if place and isinstance(place[-1], str):
            assert place[-1] in written[line - 1], place


def test_places_name_items_by_their_id() -> None:
    """A place names an entry by its id where it has one, by its number from 1 elsewhere."""
    document = load_document(b"items:\n  - {id: a.b, sources: [x, {id: y}]}\n  - [1]\n")
    assert document.place(("items", 0, "sources", 1, "id")) == "items[a.b].sources[y].id"
    assert document.place(("items", 0, "sources", 0)) == "items[a.b].sources[1]"
    assert document.place(("items", 1, 0)) == "items[2][1]"
    assert document.place(()) == "file"
    assert document.line(("items", 1, 7, "absent")) == 3


def test_a_message_is_one_line_whatever_a_file_holds() -> None:
    """Line breaks, terminal codes and braces in a file stay harmless in what is said about it."""
    raw = b'schema: 1\nsources: []\n"a\\n\\e[31m{file}": 1\n"%s {0}": 2\n'
    problems = check_sources(load_document(raw, name="f"))[1]
    assert len(problems) == 2
    render(problems)


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("servces", "axes", "services"),
        ("Services", "axes", "services"),
        ("teach", "axes", "teaching"),
        ("recherche", "axes", "research"),
        ("colaboration", "levels", "collaboration"),
        ("info", "levels", "information"),
        ("decisions", "conditions", "decision"),
        ("log", "evidence_kinds", "decision_log"),
        ("a", "axes", None),
        ("", "axes", None),
        ("equity", "axes", None),
        ("photograph", "evidence_kinds", None),
    ],
)
def test_near_misses_are_sensible(word: str, known: str, meant: str | None) -> None:
    """A slip finds the word that was meant; another word finds nothing."""
    assert nearest(word, load_matrix().ids(known)) == meant


def test_long_lists_of_known_words_are_cut() -> None:
    """A hundred known words would bury the sentence: the list says that it goes on."""
    text = Problem("f", 1, "p", "unknown-key", {"key": "k"}, None, tuple(f"w{n}" for n in range(100))).text()
    assert text.endswith("w39, ….")


def test_words_come_through_the_same_door(tmp_path: Path) -> None:
    """A catalogue of words reads `No` as a word and refuses a key that stands twice."""
    path = tmp_path / "words.yaml"
    path.write_text("answer: {fr: Non, nl: Nee, en: No}\n", encoding="utf-8")
    assert Words.load(path)("answer", "en") == "No"
    path.write_text("a: {en: A}\na: {en: B}\n", encoding="utf-8")
    with pytest.raises(Refused, match="already stands on line 1"):
        Words.load(path)


# ── anything at all

PIECES = [
    *"abn:-?[]{}#&*!|>'\"%@`,~ \t\n\r\x85\u2028é€😀.0\\",
    *(
        "\n  ",
        "\n    ",
        "\n- ",
        ": ",
        "- ",
        "? ",
        "<<",
        "---",
        "...",
        "%YAML 1.1\n---\n",
        "\ufeff",
        '"\\x00"',
        '"\\uD800"',
    ),
    *("schema: 1\n", "sources:", "items: ", "id: ", "fr: ", "&a", "*a", "!!str ", "!x ", "true", "1e9"),
]
"""What YAML is made of, and what trips its readers."""
TEXT_LIKE = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)


def judge(document: Document, formats: Iterable[str] = CHECKS) -> None:
    """Hold a document against formats: problems may come, exceptions may not."""
    for name in formats:
        value, problems = CHECKS[name](document)
        assert (value is None) == bool(problems)
        assert [problem.line for problem in problems] == sorted(problem.line for problem in problems)
        render(problems)


@settings(deadline=None)
@given(st.binary(max_size=200))
@example(b"\xef\xbb\xbf")
@example(b"\xef\xbb\xbf\xff")
def test_any_bytes_end_in_problems(raw: bytes) -> None:
    """Whatever bytes come, the answer is a value or problems that can be read."""
    judge(load_document(raw, name="f"))


@settings(max_examples=300, deadline=None)
@given(TEXT_LIKE)
@example("a: 1\na: {b: 2}\nb: 3\nb: 4\n")
@example("items: [{id: a, ask: {institution: {scale: [a], anchors: {a: 1}}}}]")
@example("cells: [{axis: [a], level: {b: c}}, {axis: [a], level: {b: c}}]")
@example("? [a]\n: 1\n? {b: c}\n")
def test_any_text_ends_in_problems(text: str) -> None:
    """Whatever looks like YAML, the answer is a value or problems that can be read."""
    document = load_document(text.encode(), name="f")
    lines = len(text.splitlines()) or 1
    assert all(1 <= problem.line <= lines for problem in document.problems)
    judge(document)


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.floats(allow_nan=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


class Quoted(yaml.SafeDumper):
    """Writes every text in double quotes and no alias, as a careful program would."""

    def ignore_aliases(self, data: object) -> bool:
        """Nothing is shared in a file."""
        return data is not None or True


Quoted.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')
)


@settings(max_examples=300, deadline=None)
@given(PLAIN)
def test_what_a_program_writes_reads_back(data: object) -> None:
    """Plain data that PyYAML writes with quoted text comes back equal."""
    document = load_document(yaml.dump(data, Dumper=Quoted, sort_keys=False).encode(), name="f")
    assert not document.problems
    assert json.dumps(document.data) == json.dumps(data)


def places(data: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every place of plain data, the top aside."""
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [one for key, value in inner for one in [(*path, key), *places(value, (*path, key))]]


def two_of(path: Path, part: str) -> dict[str, object]:
    """The data of a shipped file with two entries of its longest part: a hundred variants take seconds."""
    data = load_document(path).data
    return data | {part: data[part][:2]}


BASES = {
    "matrix": two_of(SHIPPED[0], "conditions"),
    "rule": load_document(ROOT / "scoring" / "rulebook" / "advice-without-answer.yaml").data,
    "sources": two_of(SHIPPED[1], "sources"),
    "questionnaire": two_of(ROOT / "questionnaires" / "library" / "hospital.yaml", "items"),
}


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_change_of_a_good_file_ends_in_problems(data: st.DataObject) -> None:
    """A good file with any part replaced by anything is read or refused, never tripped over."""
    name = data.draw(st.sampled_from(tuple(BASES)))
    value = json.loads(json.dumps(BASES[name]))
    for path in data.draw(st.lists(st.sampled_from(places(value)), min_size=1, max_size=3)):
        here = value
        try:
            for step in path[:-1]:
                here = here[step]
            here[path[-1]] = data.draw(PLAIN)
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took this place away
    judge(load_document(yaml.dump(value, Dumper=Quoted).encode(), name="f"), [name])


# ── schemas

SCHEMAS = matrix.schemas.schemas() | questionnaires.schemas.schemas() | scoring.rules.schemas()


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.name)
def test_json_schemas_are_kept_up(path: Path) -> None:
    """The JSON schema in the tree is the one the models give; `python -m questionnaires schemas` and `python -m scoring` rewrite it."""
    assert path.read_text(encoding="utf-8") == SCHEMAS[path]
    Draft202012Validator.check_schema(json.loads(SCHEMAS[path]))


def test_shipped_files_keep_their_json_schema() -> None:
    """Files that pass the door pass their JSON schema too."""
    library, formats = (
        ROOT / "questionnaires" / "library",
        {path.name: text for path, text in SCHEMAS.items()},
    )
    for path, name in (
        (ROOT / "matrix" / "pomey.yaml", "pomey.schema.json"),
        (ROOT / "matrix" / "sources.yaml", "sources.schema.json"),
        *((path, "questionnaire.schema.json") for path in library.glob("*.yaml")),
        *((path, "rule.schema.json") for path in (ROOT / "scoring" / "rulebook").glob("*.yaml")),
        *(
            (path, "crosswalk.schema.json")
            for path in (ROOT / "questionnaires" / "crosswalks").glob("*.yaml")
        ),
    ):
        Draft202012Validator(json.loads(formats[name])).validate(load_document(path).data)


def test_shipped_files_pass() -> None:
    """The matrix, its sources and the library are read without a problem."""
    assert load_matrix().ids("axes") == ("care", "services", "policy", "teaching", "research")
    assert {"jobguide", "dumont2025", "cnom2025", "drawyourfight", "pec", "pomey2015", "carman2013"} <= set(
        load_sources()
    )
    assert "hospital" in load_library()


def test_numbers_and_days_are_written_as_each_language_does() -> None:
    """Decimals, percentages and dates follow the locale of each language."""
    assert [matrix.number(2.5, lang) for lang in LANGUAGES] == ["2,5", "2,5", "2.5"]
    assert [matrix.percent(0.5, lang).replace("\xa0", " ").replace("\u202f", " ") for lang in LANGUAGES] == [
        "50 %",
        "50%",
        "50%",
    ]
    assert [matrix.day(dt.date(2026, 1, 31), lang) for lang in LANGUAGES] == [
        "31 janv. 2026",
        "31 jan 2026",
        "31 Jan 2026",
    ]
    assert [matrix.day(dt.date(2020, 1, 1), lang) for lang in LANGUAGES] == [
        "1er janv. 2020",
        "1 jan 2020",
        "1 Jan 2020",
    ]
