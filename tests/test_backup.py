"""A backup holds everything acknowledged before it, comes back exactly, and is refused unless it is whole."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import stat
import sys
import threading
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashboard.commands import main
from data import Answer, Invitations, Store, StoreError, Target, layout
from data import backup as module
from data.accounts import Accounts
from data.backup import check_backup, restore_backup, write_backup
from matrix import Refused

ROOT = Path(__file__).parents[1]
QUESTIONNAIRE: Any = SimpleNamespace(id="hospital", version=2, fingerprint="ab" * 32)
KEPT = [table for table in layout.METADATA.sorted_tables if table.name != "sign_in"]
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)


def contents(store: Store) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table that a backup keeps."""

    def work(connection: sa.Connection) -> dict[str, list[tuple[object, ...]]]:
        query = {table.name: sa.select(table).order_by(*table.primary_key) for table in KEPT}
        return {name: [tuple(row) for row in connection.execute(one)] for name, one in query.items()}

    return store.read(work)


def new_campaign(store: Store, id_: str, **given: Any) -> str:  # as add_campaign has them
    """A campaign in an institution of its own."""
    house = store.add_institution("Hôpital «d'essai» 🏥", country="be", beds=321, author="Zoé")
    return store.add_campaign(house.id, QUESTIONNAIRE, title="T", year=2026, id=id_, **given).id


def fill(store: Store) -> None:
    """Something in every table, in every state."""
    for state in ("draft", "open", "closed"):
        campaign = new_campaign(
            store, state, targets={"care": Target(3, "le comité")}, next_date=date(2027, 3, 1),
            out_of_scope={"research": "pas d'unité"}, state="draft",
        )  # fmt: skip
        if state == "draft":
            continue
        store.open_campaign(campaign)
        store.save_many(
            [Answer(campaign, "p1", "quality", f"i{n}", "often", comment=f"é🙂\n\u2028{n}") for n in range(3)]
        )
        invitations = Invitations(store)
        (issued,) = invitations.personal(campaign, "patient", 1)
        invitations.shared(campaign, "patient", expected=20)
        store.save(Answer(campaign, issued.code, "patient", "i", "never", comment="private"))
        invitations.erase(invitations.submit(issued.token))
        evidence = {
            "assessment": campaign,
            "item": "i",
            "title": "PV",
            "kind": "minutes",
            "date": "2026-02-28",
        }
        store.add_evidence([evidence])
        for said in ("kept", "gone"):
            store.add_feedback(campaign, said=said, did="d")
        store.remove_feedback(store.feedback(campaign)[-1].id)
    store.close_campaign("closed")
    accounts = Accounts(store)
    accounts.add("zoe@example.org", "Zoé", "correct horse battery staple")
    accounts.grant("zoe@example.org", "*", "coordinator")
    accounts.sign_in("zoe@example.org")


def refusal(code: str, call: Callable[[], object]) -> str:
    """The text of the refusal of a call that must be refused with this code, readable in every language."""
    with pytest.raises(Refused) as caught:
        call()
    assert [problem.code for problem in caught.value.problems] == [code]
    assert all("{" not in caught.value.text(lang) for lang in ("fr", "nl", "en"))
    return str(caught.value)


def forge(file: Path, change: Callable[[dict[str, bytes]], object]) -> None:
    """Rewrite a backup with other members, every hash and count being right again."""
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    told = json.loads(members["manifest.json"])
    for table, one in told["tables"].items():
        if (text := members.get(f"{table}.ndjson")) is not None:
            one |= {
                "rows": text.count(b"\n"), "bytes": len(text), "sha256": hashlib.sha256(text).hexdigest(),
            }  # fmt: skip
    members["manifest.json"] = json.dumps(told).encode()
    rewrite(file, members)


def rewrite(file: Path, members: dict[str, bytes]) -> None:
    """Write a zip of these members."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of a full store; tests take copies of it."""
    folder = tmp_path_factory.mktemp("whole")
    with Store.open(f"sqlite:///{folder / 'pomey.db'}") as store:
        fill(store)
        write_backup(store, folder / "whole.zip")
    return folder / "whole.zip"


@pytest.fixture
def file(whole: Path, tmp_path: Path) -> Path:
    """A copy of the backup of a full store."""
    return Path(shutil.copy(whole, tmp_path / "copy.zip"))


# There and back


def test_a_store_comes_back_table_by_table(
    store_url: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Restored on either database, every table equals the source's to the last field, and nobody is signed in."""
    signed_in = sa.select(sa.func.count()).select_from(layout.sign_in)
    with ExitStack() as stack:
        source = stack.enter_context(Store.open(store_url))
        fill(source)
        before = contents(source)
        assert all(before.values()), "a table without rows proves nothing"
        manifest = write_backup(source, tmp_path / "b.zip")
        assert {name: one.rows for name, one in manifest.tables.items()} == {
            name: len(rows) for name, rows in before.items()
        }
        server = request.getfixturevalue("postgres_server")
        places = [f"sqlite:///{tmp_path / 'other.db'}", stack.enter_context(server.database())]
        for place in places:
            target = stack.enter_context(Store.open(place))
            restore_backup(target, tmp_path / "b.zip")
            assert contents(target) == before
            assert target.read(lambda connection: connection.execute(signed_in).scalar()) == 0
        assert contents(source) == before


def test_a_restored_store_goes_on(store: Store, file: Path) -> None:
    """Ids go on where they stood, even after a deleted row; closed campaigns and withdrawn people stay so."""
    restore_backup(store, file)
    store.save(Answer("open", "p1", "quality", "i0", "always"))
    history = [one.answer for one in store.history("open", "p1", "i0")]
    assert history == ["often", "always"]
    store.add_feedback("open", said="new", did="d")
    assert store.feedback("open")[-1].id == 5  # 4 was given once and removed
    with pytest.raises(StoreError) as closed:
        store.save(Answer("closed", "p1", "quality", "i0", "always"))
    assert closed.value.problems[0].code == "store-not-open"
    gone = next(one for one in Invitations(store).respondents("open") if one.erased)
    with pytest.raises(StoreError) as withdrawn:
        store.save(Answer("open", gone.code, "patient", "i", "always"))
    assert withdrawn.value.problems[0].code == "store-withdrawn"
    assert {one.id: one.state for one in store.campaigns()} == {
        name: name for name in ("draft", "open", "closed")
    }
    assert Accounts(store).check("zoe@example.org", "correct horse battery staple") is not None


def test_an_empty_store_comes_back_empty(store: Store, tmp_path: Path) -> None:
    """A backup of nothing is a backup, and restoring it changes nothing."""
    write_backup(store, tmp_path / "b.zip")
    restore_backup(store, tmp_path / "b.zip")
    assert not any(contents(store).values())
    assert new_campaign(store, "first") == "first"


@given(
    answers=st.lists(
        st.tuples(
            st.sampled_from(["a", "b"]), TEXT.filter(str.strip), TEXT.filter(str.strip), TEXT, TEXT, TEXT
        ),
        max_size=8,
    ),
    closed=st.sets(st.sampled_from(["a", "b"])),
    texts=st.lists(TEXT.filter(str.strip), max_size=3),
)
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_small_store_comes_back(
    tmp_path: Path, answers: list[tuple[str, ...]], closed: set[str], texts: list[str]
) -> None:
    """Whatever was written, in whatever letters, is the same after a backup and a restore."""
    path = tmp_path / "b.zip"
    path.unlink(missing_ok=True)
    with Store.open("sqlite://") as source, Store.open("sqlite://") as target:
        for id_ in ("a", "b"):
            new_campaign(source, id_, scope="".join(texts)[:200])
        source.save_many(
            [
                Answer(c, who, "patient", item, answer, why, more)
                for c, who, item, answer, why, more in answers
            ]
        )
        for text in texts:
            source.add_feedback("a", said=text, did=text, author="x")
        for id_ in sorted(closed):
            source.close_campaign(id_)
        write_backup(source, path)
        restore_backup(target, path)
        assert contents(target) == contents(source)


# While people answer


def test_everything_acknowledged_before_a_backup_is_in_it(store_url: str, tmp_path: Path) -> None:
    """While people answer without a pause, a backup holds all that was acknowledged before it, and no half of a save."""
    acknowledged: dict[str, int] = dict.fromkeys((f"p{n}" for n in range(6)), 0)
    stop = threading.Event()
    with Store.open(store_url) as store:
        campaign = new_campaign(store, "here")

        def answer(who: str) -> None:
            while not stop.is_set():
                n = acknowledged[who]
                store.save_many([Answer(campaign, who, "patient", f"{side}{n}", "often") for side in "ab"])
                acknowledged[who] = n + 1

        with ThreadPoolExecutor(6) as pool:
            people = [pool.submit(answer, who) for who in acknowledged]
            backups = []
            for turn in range(3):
                time.sleep(0.2)
                backups.append((dict(acknowledged), tmp_path / f"{turn}.zip"))
                write_backup(store, backups[-1][1])
            at_the_end = dict(acknowledged)
            stop.set()
            for one in people:
                one.result()
        assert sum(at_the_end.values()) > sum(backups[-1][0].values()), "nobody answered meanwhile"
        source = contents(store)["answer"]
    for before, path in backups:
        with Store.open("sqlite://") as restored:
            restore_backup(restored, path)
            rows = contents(restored)["answer"]
            assert set(rows) <= set(source)
            for who, count in before.items():
                items = [one.item for one in restored.history(campaign, who)]
                assert len(items) >= 2 * count
                assert items == [f"{side}{n}" for n in range(len(items) // 2) for side in "ab"]


def test_all_tables_are_of_one_moment(
    store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is added between two tables of a backup is in neither, so that no answer lacks its campaign."""
    raw = module._raw

    def late(table: sa.Table) -> sa.TableClause:
        if table.name == "answer":
            store.save(Answer(new_campaign(store, "late"), "p1", "patient", "i", "often"))
        return raw(table)

    with Store.open(store_url) as store:
        store.save(Answer(new_campaign(store, "early"), "p1", "patient", "i", "often"))
        before = contents(store)
        with monkeypatch.context() as patched:
            patched.setattr(module, "_raw", late)
            write_backup(store, tmp_path / "b.zip")
        assert [one.id for one in store.campaigns()] == ["late", "early"]
    with Store.open("sqlite://") as restored:
        restore_backup(restored, tmp_path / "b.zip")
        assert contents(restored) == before


def test_a_backup_needs_no_more_memory_for_more_answers(tmp_path: Path) -> None:
    """Writing and checking five times the answers takes the same memory: rows pass through."""
    peaks = []
    for count in (1_500, 7_500):
        with Store.open(f"sqlite:///{tmp_path / f'{count}.db'}") as store:
            campaign = new_campaign(store, "here")
            store.save_many(
                [
                    Answer(campaign, f"p{n}", "patient", "i", "often", comment=f"{n} " * 20)
                    for n in range(count)
                ]
            )
            tracemalloc.start()
            write_backup(store, tmp_path / f"{count}.zip")
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0]


# The file


def test_a_backup_tells_strangers_nothing(file: Path) -> None:
    """The manifest holds counts and hashes alone, no link is in the file, and only its owner may read it."""
    manifest = check_backup(file)
    assert set(manifest.model_dump()) == {"format", "layout", "made", "tables"}
    with Store.open("sqlite://") as store:
        campaign = new_campaign(store, "here")
        token = Invitations(store).shared(campaign, "patient").token
        write_backup(store, file.parent / "b.zip")
    with zipfile.ZipFile(file.parent / "b.zip") as archive:
        assert all(token.encode() not in archive.read(name) for name in archive.namelist())
        assert "sign_in.ndjson" not in archive.namelist()
    if sys.platform != "win32":
        assert stat.S_IMODE((file.parent / "b.zip").stat().st_mode) == 0o600


def test_a_file_that_exists_is_not_written_over(file: Path) -> None:
    """A backup never takes the place of another file."""
    before = file.read_bytes()
    with Store.open("sqlite://") as store:
        assert str(file) in refusal("backup-exists", lambda: write_backup(store, file))
    assert file.read_bytes() == before


def test_a_backup_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk, in a folder that is not there, or when it does not read back, no file is left, not even half."""

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def bad(file: Path) -> None:
        raise module._refused(file, "FILE", "backup-changed")

    with Store.open("sqlite://") as store:
        refusal("backup-file", lambda: write_backup(store, tmp_path / "no folder" / "b.zip"))
        for place, name, failing, code in (
            (os, "fsync", full, "backup-file"),
            (module, "check_backup", bad, "backup-changed"),
        ):
            with monkeypatch.context() as patched:
                patched.setattr(place, name, failing)
                refusal(code, lambda: write_backup(store, tmp_path / "b.zip"))
    assert list(tmp_path.iterdir()) == []


def _drop(name: str) -> Callable[[Path], None]:
    def change(file: Path) -> None:
        with zipfile.ZipFile(file) as archive:
            members = {one: archive.read(one) for one in archive.namelist() if one != name}
        rewrite(file, members)

    return change


def _manifest(**told: object) -> Callable[[Path], None]:
    def change(members: dict[str, bytes]) -> None:
        members["manifest.json"] = json.dumps(json.loads(members["manifest.json"]) | told).encode()

    return lambda file: forge(file, change)


def _member(name: str, new: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    return lambda file: forge(file, lambda members: members.update({name: new(members[name])}))


def _unhashed(file: Path) -> None:
    """Change a word, and leave the manifest as it was."""
    with zipfile.ZipFile(file) as archive:
        members = {one: archive.read(one) for one in archive.namelist()}
    members["answer.ndjson"] = members["answer.ndjson"].replace(b'"often"', b'"never"', 1)
    rewrite(file, members)


def _flip(file: Path) -> None:
    """Change a byte in the middle of the answers, as a bad disk does."""
    with zipfile.ZipFile(file) as archive:
        info = archive.getinfo("answer.ndjson")
    content = bytearray(file.read_bytes())
    content[info.header_offset + 60 + info.compress_size // 2] ^= 0xFF
    file.write_bytes(content)


def _twice(file: Path) -> None:
    with zipfile.ZipFile(file, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("answer.ndjson", b"")


BAD: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "no file": ("backup-file", lambda file: file.unlink(), "No such file"),
    "a text": ("backup-not-zip", lambda file: file.write_text("Bonjour"), "pomey backup"),
    "an empty file": ("backup-not-zip", lambda file: file.write_bytes(b""), "pomey backup"),
    "cut in the middle": (
        "backup-cut", lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]), "end",
    ),
    "cut at the last byte": ("backup-cut", lambda file: file.write_bytes(file.read_bytes()[:-1]), "end"),
    "a changed byte": ("backup-changed", _flip, "answer.ndjson"),
    "a changed word": ("backup-changed", _unhashed, "answer.ndjson"),
    "a table missing": ("backup-missing", _drop("event.ndjson"), "event.ndjson"),
    "the manifest missing": ("backup-missing", _drop("manifest.json"), "manifest.json"),
    "a stranger": (
        "backup-stranger", lambda file: forge(file, lambda m: m.update({"../evil": b"x"})), "../evil",
    ),
    "a table twice": ("backup-changed", _twice, "manifest.json"),
    "another layout": ("backup-version", _manifest(layout="0001"), "0001"),
    "a later format": ("backup-version", _manifest(format=2), "2 / 0002"),
    "a manifest that is a list": (
        "backup-changed", lambda file: rewrite(file, {"manifest.json": b"[]"}), "manifest.json",
    ),
    "a manifest that is no JSON": (
        "backup-changed", lambda file: rewrite(file, {"manifest.json": b"{"}), "manifest.json",
    ),
    "a manifest with more": ("backup-changed", _manifest(more="x"), "manifest.json"),
    "a table the manifest forgets": ("backup-changed", _manifest(tables={}), "manifest.json"),
    "a bomb": ("backup-bomb", _member("answer.ndjson", lambda _: bytes(30 * 2**20)), "answer.ndjson"),
    "a bomb of a manifest": (
        "backup-bomb", lambda file: rewrite(file, {"manifest.json": bytes(2 * 2**20)}), "manifest.json",
    ),
    "a row that is no JSON": ("backup-row", _member("event.ndjson", lambda text: b"x\n" + text), "event.ndjson"),
    "a row of another type": (
        "backup-row", _member("answer.ndjson", lambda text: text.replace(b'"id":1,', b'"id":"1",')), "id: ",
    ),
    "a row with a column too many": (
        "backup-row", _member("answer.ndjson", lambda text: text.replace(b'{"id":1,', b'{"x":1,"id":1,')), "x: ",
    ),
    "a row with a column too few": (
        "backup-row", _member("answer.ndjson", lambda text: text.replace(b'"role":"quality",', b"", 1)), "role: ",
    ),
    "a row without end": (
        "backup-row", _member("answer.ndjson", lambda text: text + b'{"id":' + os.urandom(5 * 2**20)), "answer",
    ),
    "answers to no campaign": (
        "store-failed", _member("answer.ndjson", lambda text: text.replace(b'"open"', b'"none"')), "save",
    ),
    "an answer twice": (
        "store-failed", _member("answer.ndjson", lambda text: text + text.partition(b"\n")[0] + b"\n"), "save",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_and_nothing_is_written(name: str, store: Store, file: Path) -> None:
    """A file that is not a whole backup is refused with what and where, and the store stays empty."""
    code, spoil, words = BAD[name]
    spoil(file)
    assert words in refusal(code, lambda: restore_backup(store, file))
    assert not any(contents(store).values())
    assert new_campaign(store, "first") == "first"


@given(data=st.data())
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_changed_byte_gets_through(whole: Path, tmp_path: Path, data: st.DataObject) -> None:
    """Whatever byte is changed and wherever the file is cut, it is refused or means exactly the same."""
    content = bytearray(whole.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content[at] ^= data.draw(st.integers(1, 255))
    else:
        del content[at:]
    bad = tmp_path / "bad.zip"
    bad.write_bytes(content)
    with suppress(Refused):
        assert check_backup(bad) == check_backup(whole)


def test_a_store_that_holds_anything_is_left_alone(store: Store, file: Path) -> None:
    """A backup is not put over or beside what is there already."""
    new_campaign(store, "mine")
    before = contents(store)
    assert "not empty" in refusal("backup-target", lambda: restore_backup(store, file))
    assert contents(store) == before


def test_a_file_that_changes_while_it_is_restored_leaves_nothing(
    store: Store, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was checked is what is written: a file that is swapped in between is refused as a whole."""

    def check_and_swap(path: Path) -> module.Manifest:
        manifest = check_backup(path)
        _unhashed(path)
        return manifest

    monkeypatch.setattr(module, "check_backup", check_and_swap)
    refusal("backup-changed", lambda: restore_backup(store, file))
    assert not any(contents(store).values())


# The command line


def test_a_backup_holds_nothing_that_should_be_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Comments past their time are erased before they are copied, and a store that can only be read is copied as it is."""
    url, secret = f"sqlite:///{tmp_path / 'pomey.db'}", "the only one who lives above the bakery"
    with Store.open(url) as store:
        old, fresh = (new_campaign(store, name, retention_months=1) for name in ("old", "fresh"))
        for campaign in (old, fresh):
            store.save(Answer(campaign, "p", "patient", "i", "often", comment=f"{campaign}: {secret}"))
            store.close_campaign(campaign)
        long_ago = (
            layout.campaign.update()
            .where(layout.campaign.c.id == old)
            .values(closed=datetime(2020, 1, 1, tzinfo=UTC))
        )
        store.write(lambda connection: connection.execute(long_ago))
    for name, address, gone in (
        ("read.zip", f"sqlite:///file:{tmp_path / 'pomey.db'}?mode=ro&uri=true", False),
        ("backup.zip", url, True),
    ):
        monkeypatch.setenv("POMEY_STORE", address)
        assert main(["backup", str(tmp_path / name)]) == 0
        told = capsys.readouterr()
        assert ("old: comments" in told.out, "only be read" in told.err) == (gone, not gone)
        with zipfile.ZipFile(tmp_path / name) as archive:
            answers = archive.read("answer.ndjson").decode()
        assert (f"old: {secret}" in answers) is not gone
        assert f"fresh: {secret}" in answers


def test_the_command_line_backs_up_and_restores(
    store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`pomey backup` and `pomey restore --store` say what is in the file, and what has to be done again."""
    with Store.open(store_url) as store:
        fill(store)
        before = contents(store)
    monkeypatch.setenv("POMEY_STORE", store_url)
    file, target = tmp_path / "b.zip", f"sqlite:///{tmp_path / 'new' / 'pomey.db'}"
    assert main(["backup", str(file)]) == 0
    assert "3 institutions, 3 campaigns, 8 answers" in capsys.readouterr().out
    assert main(["restore", str(file), "--store", target]) == 0
    assert "withdrew" in capsys.readouterr().out
    with Store.open(target) as restored:
        assert contents(restored) == before
    assert main(["restore", str(file), "--store", target]) == 1
    assert "not empty" in capsys.readouterr().err


def test_a_server_that_runs_shows_what_was_restored_into_its_store(
    store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`pomey restore` into the empty store that another program has open fills it under its hands, and that one goes on."""
    file = tmp_path / "b.zip"
    with Store.open(f"sqlite:///{tmp_path / 'old.db'}") as old:
        fill(old)
        write_backup(old, file)
    with Store.open(store_url) as serving:
        assert serving.campaigns() == []
        monkeypatch.setenv("POMEY_STORE", store_url)
        assert main(["restore", str(file)]) == 0
        assert {one.id for one in serving.campaigns()} == {"draft", "open", "closed"}
        serving.save(Answer("open", "p1", "quality", "i0", "always"))
        assert [one.answer for one in serving.history("open", "p1", "i0")] == ["often", "always"]


def test_a_bad_file_makes_no_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`pomey restore` of a file that is no backup does not even make the store."""
    monkeypatch.setenv("POMEY_STORE", "sqlite://")
    target = tmp_path / "pomey.db"
    assert main(["restore", str(ROOT / "README.md"), "--store", f"sqlite:///{target}"]) == 1
    assert not target.exists()


def test_every_refusal_of_a_backup_has_its_sentence() -> None:
    """Each code in use is in the catalogue, in three languages with the same blanks, and none is unused."""
    catalogue = yaml.safe_load((ROOT / "data" / "refusals.yaml").read_text(encoding="utf-8"))
    source = (ROOT / "data" / "backup.py").read_text(encoding="utf-8")
    used = set(re.findall(r'"(backup-[a-z-]+)"', source))
    assert {code for code in catalogue if code.startswith("backup-")} == used
    for code in used:
        assert set(catalogue[code]) == {"fr", "nl", "en"}
        assert len({frozenset(re.findall(r"\{\w+\}", text)) for text in catalogue[code].values()}) == 1
