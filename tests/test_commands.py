"""The command line as people call it: exit codes, what is said where, and that nothing half-done is kept."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dashboard.commands import main
from data import Store

ROOT = Path(__file__).parent.parent
READINGS = ROOT / "data" / "demo" / "readings"
CHUV = [
    "--answers",
    str(READINGS / "chuv-research-unit.answers.csv"),
    "--assessments",
    str(READINGS / "assessments.csv"),
]


@pytest.fixture(autouse=True)
def _own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test has a store of its own."""
    monkeypatch.setenv("POMEY_STORE", f"sqlite:///{tmp_path / 'store.db'}")


def _json(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return list(json.loads(capsys.readouterr().out))


def test_readme_commands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every `pomey` line of the README does what it says, as it stands there."""
    monkeypatch.chdir(ROOT)
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    text = "\n".join(blocks).replace("\\\n", " ")
    calls = [shlex.split(line, comments=True) for line in text.splitlines() if line.startswith("pomey")]
    assert len(calls) >= 5
    for place, call in enumerate(calls):
        # each call on its own store, so that an example does not lean on the one above it
        monkeypatch.setenv("POMEY_STORE", f"sqlite:///{tmp_path / f'{place}.db'}")
        assert main(call[1:]) == 0, call


def test_a_reading_shows_cells_and_no_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    """The score of a reading has cells and bounds, and neither position, state, finding nor summary."""
    assert main(["score", "--questionnaire", "hospital", *CHUV]) == 0
    chuv = next(one for one in _json(capsys) if one["assessment"] == "reading-chuv-research-unit")
    research = chuv["axes"]["research"]  # type: ignore[index]
    assert chuv["kind"] == "reading"
    assert research["declared"]["position"] is None
    assert (
        0
        < research["declared"]["cells"]["consultation"]["low"]
        < research["declared"]["cells"]["consultation"]["high"]
    )
    assert research["retained"] is None
    assert research["showcase"]["state"] is None
    assert (chuv["findings"], chuv["unjudged"], chuv["summary"]) == (
        [],
        [],
        {"minimum": None, "median": None},
    )


def test_csv_has_a_row_for_each_axis(capsys: pytest.CaptureFixture[str]) -> None:
    """The CSV of a score names every lens's position, high and level, the gap, the state and the index."""
    assert main(["score", "--questionnaire", "hospital", *CHUV, "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(rows) == 10
    assert {
        "assessment",
        "axis",
        "declared",
        "declared_high",
        "retained_level",
        "gap",
        "state",
        "index",
    } <= set(rows[0])


def test_score_loads_only_its_engine() -> None:
    """Scoring on Arrow loads neither streamlit nor pandas, Polars or DuckDB; on Polars only Polars comes in."""
    for engine, strangers in (
        ("arrow", "streamlit pandas polars duckdb"),
        ("polars", "streamlit pandas duckdb"),
    ):
        code = (
            "import sys; from dashboard.commands import main; "
            f"code = main({['score', '--questionnaire', 'hospital', *CHUV, '--engine', engine]!r}); "
            f"print([m for m in {strangers.split()!r} if m in sys.modules], file=sys.stderr); sys.exit(code)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
        )
        assert done.stderr.strip() == "[]", engine


def test_check_tells_every_mistake_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`pomey check` names file, line, place and near miss of each mistake, and exits 1."""
    text = (ROOT / "questionnaires" / "library" / "hospital.yaml").read_text(encoding="utf-8")
    bad = tmp_path / "mine.yaml"
    bad.write_text(
        text.replace("axis: services", "axis: servces", 1).replace("scale: seen", "scale: sene", 1)
    )
    assert main(["check", str(bad)]) == 1
    said = capsys.readouterr().err.splitlines()
    assert len(said) >= 2
    assert any("Did you mean 'services'?" in line and line.startswith(f"{bad}:") for line in said)
    assert any("Did you mean 'seen'?" in line for line in said)


def test_check_knows_every_kind_of_file(capsys: pytest.CaptureFixture[str]) -> None:
    """Everything the program ships passes its own check, and its kind is recognised."""
    files = [
        ROOT / "matrix" / "pomey.yaml",
        ROOT / "matrix" / "sources.yaml",
        *sorted((ROOT / "questionnaires" / "library").glob("*.yaml")),
        *sorted((ROOT / "scoring" / "rulebook").glob("*.yaml")),
    ]
    assert main(["check", *map(str, files)]) == 0
    said = capsys.readouterr().out
    assert all(f": {kind}: fine" in said for kind in ("matrix", "sources", "questionnaire", "rule"))


@pytest.mark.parametrize(
    ("call", "code", "words"),
    [
        (["score"], 2, "required"),
        (["paint"], 2, "invalid choice"),
        (
            ["score", "--questionnaire", "hospital", "--answers", "a.csv", "--on", "31/01/2026"],
            2,
            "2026-01-31",
        ),
        (["demo", "--network", "0"], 2, "not a count"),
        (["score", "--questionnaire", "hospitel", "--answers", "a.csv"], 1, "Did you mean 'hospital'?"),
        (["score", "--questionnaire", "hospital", "--answers", "nowhere.csv"], 1, "nowhere.csv:1:"),
        (["check", "nowhere.yaml"], 1, "does not exist"),
    ],
)
def test_a_wrong_call_says_what_to_do(
    call: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A call that cannot work exits 2, wrong input 1, each with the remedy on stderr and nothing on stdout."""
    try:
        done = main(call)
    except SystemExit as stop:
        done = int(str(stop.code))
    said = capsys.readouterr()
    assert (done, said.out) == (code, "")
    assert words in said.err


def test_import_keeps_all_rows_or_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One bad row keeps the whole table out, and the store is as it was; importing twice changes nothing."""
    assert main(["import", "assessments", str(READINGS / "assessments.csv")]) == 0
    good = READINGS / "chuv-research-unit.answers.csv"
    bad = tmp_path / "bad.csv"
    bad.write_text(good.read_text(encoding="utf-8").replace(",few,", ",fwe,", 1), encoding="utf-8")
    assert main(["import", "answers", str(bad)]) == 1
    assert "Did you mean 'few'?" in capsys.readouterr().err
    for expected in (22, 0):
        assert main(["import", "answers", str(good)]) == 0
        assert f": {expected} answers" in capsys.readouterr().out
    assert main(["import", "answers", str(bad), "--skip-bad-rows"]) == 0
    assert "1 rows skipped" in capsys.readouterr().out


def test_history_names_who_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each import that brought something in stands in the campaign's history, with how much and the system's name of who ran it."""
    monkeypatch.setenv("LOGNAME", "root-of-chu")
    campaign = "reading-chuv-research-unit"
    proofs = tmp_path / "evidence.csv"
    head = "assessment,item,title,kind,date,valid_until,added_by,accepted_by,units,file"
    proofs.write_text(
        f"{head}\n{campaign},services.committee-members,PV,minutes,2026-02-28,,a,b,one,\n", encoding="utf-8"
    )
    answers = str(READINGS / "chuv-research-unit.answers.csv")
    for kind, file in (
        ("assessments", str(READINGS / "assessments.csv")),
        *[("answers", answers)] * 2,
        ("evidence", str(proofs)),
    ):
        assert main(["import", kind, file]) == 0
    with Store.open() as store:
        told = [(one.author, one.what, one.detail) for one in store.events(campaign=campaign)]
    assert told == [
        ("root-of-chu", "evidence_added", {"pieces": 1}),
        ("root-of-chu", "imported", {"answers": 22}),
        ("root-of-chu", "opened", {}),
        ("root-of-chu", "created", {}),
    ]


def test_import_names_an_assessment_the_store_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    """Answers of an unknown assessment are refused, with what to do first."""
    assert main(["import", "answers", str(READINGS / "chuv-research-unit.answers.csv")]) == 1
    assert "Import the 'assessments' table first" in capsys.readouterr().err


def test_list_is_json_with_ids(capsys: pytest.CaptureFixture[str]) -> None:
    """`pomey list --format json` has institutions, campaigns and questionnaires, each with an id."""
    assert main(["import", "assessments", str(READINGS / "assessments.csv")]) == 0
    capsys.readouterr()
    assert main(["list", "--format", "json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert set(listed) == {"institutions", "campaigns", "questionnaires"}
    assert all(one["id"] for part in listed.values() for one in part)
    assert {one["id"] for one in listed["campaigns"]} == {
        "reading-belgium-french-speaking",
        "reading-chuv-research-unit",
    }


def test_a_new_language_is_told_every_text_it_lacks(tmp_path: Path) -> None:
    """With a language added to the matrix, the check lists what lacks it in every file, not only the first."""
    for folder in ("matrix", "questionnaires", "scoring", "dashboard", "data", "reports"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    matrix = tmp_path / "matrix" / "pomey.yaml"
    text = matrix.read_text(encoding="utf-8")
    matrix.write_text(
        text.replace("languages: [fr, nl, en]", "languages: [fr, nl, en, de]"), encoding="utf-8"
    )
    files = ["matrix/pomey.yaml", "matrix/sources.yaml", "questionnaires/library/hospital.yaml"]
    files += ["scoring/rulebook/no-budget-line.yaml"]
    call = [sys.executable, "-m", "dashboard.commands", "check", *files]
    done = subprocess.run(call, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 1
    lacking = {
        line.partition(":")[0] for line in done.stderr.splitlines() if "The text in 'de' is missing" in line
    }
    assert lacking == set(files), done.stderr[-500:]
