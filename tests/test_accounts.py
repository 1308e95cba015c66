"""Accounts: what is kept of a password, who is let in, for how long, and what `pomey user` refuses."""

from __future__ import annotations

import io
import json
import sqlite3
import statistics
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dashboard.commands import main
from data import Store, StoreError
from data import accounts as accounts_module
from data.accounts import EVERYWHERE, ROLES, SIGNED_IN_FOR, Accounts

PASSWORD = "quatre mots très simples"  # noqa: S105  # a test's


@pytest.fixture
def accounts(store: Store) -> Accounts:
    """The accounts of an empty store."""
    return Accounts(store)


def codes(refused: pytest.ExceptionInfo[StoreError]) -> list[str]:
    """The codes of what was refused."""
    return [problem.code for problem in refused.value.problems]


def test_the_right_password_opens_its_account_and_no_other(accounts: Accounts) -> None:
    """The id may be typed in any case, the password may be composed in any way; everything else is refused."""
    accounts.add("Anne.Dubois@chu.be", "Anne Dubois", PASSWORD)
    accounts.add("other", "", "another long phrase")
    for id_, password, opens in (
        ("anne.dubois@chu.be", PASSWORD, "anne.dubois@chu.be"),
        (" ANNE.dubois@CHU.be ", "quatre mots tre\u0300s simples", "anne.dubois@chu.be"),
        ("anne.dubois@chu.be", PASSWORD.upper(), None),
        ("anne.dubois@chu.be", "", None),
        ("other", PASSWORD, None),
        ("nobody", PASSWORD, None),
        ("", "", None),
        ("x\0y", "\udcff" * 20, None),
        ("\udcff", PASSWORD, None),
    ):
        found = accounts.check(id_, password)
        assert (found.id if found else None) == opens, (id_, password)


def test_nothing_kept_can_be_read_back(tmp_path: Path) -> None:
    """The file holds neither a password nor a sign-in's token: Argon2id of the one, SHA-256 of the other."""
    with Store.open(f"sqlite:///{tmp_path / 'accounts.db'}") as store:
        Accounts(store).add("anne", "", PASSWORD)
        token = Accounts(store).sign_in("anne")
    raw = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert PASSWORD.encode() not in raw
    assert token.encode() not in raw
    with sqlite3.connect(tmp_path / "accounts.db") as database:
        [(hashed,)] = database.execute("select password_hash from account")
        [(token_hash,)] = database.execute("select token_hash from sign_in")
    assert hashed.startswith("$argon2id$")
    assert len(token_hash) == 64


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("elevenchars", "account-password-length"),
        ("x" * 301, "account-password-length"),
        ("anne.dubois@chu.be", "account-password-obvious"),
        ("Anne.Dubois2026!", "account-password-obvious"),
        ("motdepasse-2026", "account-password-obvious"),
        ("Password123456", "account-password-obvious"),
        ("123456789012", "account-password-obvious"),
        ("aaaaaaaaaaaaaaa", "account-password-obvious"),
    ],
)
def test_a_password_that_would_be_guessed_is_refused(accounts: Accounts, password: str, code: str) -> None:
    """Too short, too long, the id itself or the first ones anybody tries: refused, and no account is made."""
    with pytest.raises(StoreError) as refused:
        accounts.add("anne.dubois@chu.be", "", password)
    assert codes(refused) == [code]
    assert accounts.every() == []


@pytest.mark.parametrize("id_", ["", " ", "a b", "é@chu.be", "a\nb", "<script>", "-x", "x" * 101, "a;b"])
def test_an_id_that_could_not_be_typed_is_refused(accounts: Accounts, id_: str) -> None:
    """An id is an e-mail address or a plain user name."""
    with pytest.raises(StoreError) as refused:
        accounts.add(id_)
    assert codes(refused) == ["account-bad-id"]


def test_an_id_is_taken_in_any_case(accounts: Accounts) -> None:
    """Two accounts never differ by capitals alone, and the first one stays as it was."""
    accounts.add("anne", "Anne", PASSWORD)
    with pytest.raises(StoreError) as refused:
        accounts.add("ANNE", "Another", "some other phrase")
    assert codes(refused) == ["account-taken"]
    assert accounts.check("anne", PASSWORD)
    with pytest.raises(StoreError) as refused:
        accounts.add("bob", "two\nlines")
    assert codes(refused) == ["account-bad-name"]


def test_a_sign_in_ends_by_itself_by_signing_out_and_with_its_account(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token opens for twelve hours; signing out, a new password or a disabled account end it at once."""
    accounts.add("anne", "", PASSWORD)

    def opens(token: str) -> bool:
        return accounts.signed_in(token) is not None

    first, second = accounts.sign_in("anne"), accounts.sign_in("anne")
    assert opens(first)
    assert not opens(first[:-1])
    assert not opens("")
    accounts.sign_out(first)
    assert not opens(first)
    assert opens(second)
    accounts.set_password("anne", "a different phrase")
    assert not opens(second)
    assert accounts.check("anne", PASSWORD) is None
    third = accounts.sign_in("anne")
    accounts.disable("anne")
    assert not opens(third)
    assert accounts.check("anne", "a different phrase") is None
    assert accounts.enabled("anne") is None
    accounts.enable("anne")
    assert not opens(third)
    assert accounts.check("anne", "a different phrase")
    fourth = accounts.sign_in("anne")

    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + SIGNED_IN_FOR + timedelta(seconds=1)

    assert opens(fourth)
    monkeypatch.setattr(accounts_module, "datetime", Later)
    assert not opens(fourth)


def test_old_sign_ins_are_not_kept(store: Store, accounts: Accounts, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sign-in that is over leaves the store when the next one begins."""
    accounts.add("anne", "", PASSWORD)
    monkeypatch.setattr(accounts_module, "SIGNED_IN_FOR", timedelta(seconds=-1))
    for _ in range(3):
        accounts.sign_in("anne")
    count = store.read(lambda connection: connection.exec_driver_sql("select count(*) from sign_in").scalar())
    assert count == 1


@pytest.mark.parametrize("store", ["file"], indirect=True)
def test_an_unknown_id_takes_as_long_as_a_wrong_password(accounts: Accounts) -> None:
    """The time of an answer does not tell whether an account exists, has a password or is disabled."""
    accounts.add("anne", "", PASSWORD)
    accounts.add("bob@chu.be")
    accounts.add("carl", "", PASSWORD)
    accounts.disable("carl")

    def seconds(id_: str) -> float:
        began = time.perf_counter()
        accounts.check(id_, "a wrong password")
        return time.perf_counter() - began

    seconds("anne")
    taken: dict[str, list[float]] = {id_: [] for id_ in ("anne", "nobody", "bob@chu.be", "carl")}
    for _ in range(7):
        for id_, times in taken.items():
            times.append(seconds(id_))
    known = statistics.median(taken.pop("anne"))
    for id_, times in taken.items():
        assert 0.5 < statistics.median(times) / known < 2, id_


def test_a_hash_of_weaker_settings_is_renewed(
    store: Store, accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the hashing grows stronger, each password's hash follows at its next sign-in."""
    from argon2 import PasswordHasher  # noqa: PLC0415

    with monkeypatch.context() as weak:
        weak.setattr(accounts_module, "_hasher", lambda: PasswordHasher(time_cost=1, memory_cost=64))
        accounts.add("anne", "", PASSWORD)

    def kept() -> str:
        return str(
            store.read(
                lambda connection: connection.exec_driver_sql("select password_hash from account").scalar()
            )
        )

    before = kept()
    assert accounts.check("anne", "not the password") is None
    assert kept() == before
    assert accounts.check("anne", PASSWORD)
    assert "m=64," in before
    assert "m=65536," in kept()
    assert accounts.check("anne", PASSWORD)


def test_one_role_an_institution_and_a_line_of_history(store: Store, accounts: Accounts) -> None:
    """A role replaces the one before at the same institution; the institution's history tells by whom."""
    house = store.add_institution("CHU", id="chu")
    accounts.add("anne", "", PASSWORD)
    assert not accounts.someone_may_sign_in()
    accounts.grant("anne", house.id, "reader", author="coordinator@chu.be")
    accounts.grant("ANNE", house.id, "contributor")
    accounts.grant("anne", EVERYWHERE, "researcher")
    assert accounts.permissions("Anne") == {"*": "researcher", "chu": "contributor"}
    assert accounts.someone_may_sign_in()
    accounts.withdraw_grant("anne", house.id)
    accounts.withdraw_grant("anne", house.id)
    accounts.withdraw_grant("anne", EVERYWHERE)
    assert accounts.permissions("anne") == {}
    told = [(line.author, line.what, line.detail) for line in store.events(institution="chu")]
    assert told[:3] == [
        ("", "grant_withdrawn", {"account": "anne"}),
        ("", "granted", {"account": "anne", "role": "contributor"}),
        ("coordinator@chu.be", "granted", {"account": "anne", "role": "reader"}),
    ]
    accounts.grant("anne", EVERYWHERE, "reader")
    accounts.disable("anne")
    assert not accounts.someone_may_sign_in()


@pytest.mark.parametrize(
    ("id_", "institution", "role", "code", "suggestion"),
    [
        ("ane", "chu", "reader", "account-unknown", "anne"),
        ("anne", "chuv", "reader", "store-unknown-institution", "chu"),
        ("anne", "chu", "coordinater", "not-among", "coordinator"),
    ],
)
def test_a_grant_of_what_does_not_exist_is_refused(
    store: Store, accounts: Accounts, id_: str, institution: str, role: str, code: str, suggestion: str
) -> None:
    """An unknown account, institution or role is refused with the nearest one, and nothing is granted."""
    store.add_institution("CHU", id="chu")
    accounts.add("anne")
    with pytest.raises(StoreError) as refused:
        accounts.grant(id_, institution, role)
    assert codes(refused) == [code]
    assert refused.value.problems[0].suggestion == suggestion
    assert accounts.permissions("anne") == {}


@pytest.mark.parametrize("change", ["set_password", "disable", "enable", "sign_in"])
def test_an_account_that_does_not_exist_cannot_change(accounts: Accounts, change: str) -> None:
    """Every change of an unknown account is refused."""
    arguments = (PASSWORD,) if change == "set_password" else ()
    with pytest.raises(StoreError) as refused:
        getattr(accounts, change)("nobody", *arguments)
    assert codes(refused) == ["account-unknown"]


def test_accounts_outlive_the_program(tmp_path: Path) -> None:
    """What was granted stands when the store is opened again, and so does a sign-in."""
    address = f"sqlite:///{tmp_path / 'a.db'}"
    with Store.open(address) as one:
        Accounts(one).add("anne", "Anne", PASSWORD)
        Accounts(one).grant("anne", EVERYWHERE, ROLES[0])
        token = Accounts(one).sign_in("anne")
    with Store.open(address) as again:
        found = Accounts(again).signed_in(token)
        assert found is not None
        assert found.name == "Anne"
        assert found.created <= datetime.now(UTC)
        assert Accounts(again).permissions("anne") == {"*": "coordinator"}


# The command line


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a store that `pomey` uses."""
    address = f"sqlite:///{tmp_path / 'cli.db'}"
    monkeypatch.setenv("POMEY_STORE", address)
    return address


def typed(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    """Type these, unseen, where a password is asked."""
    answers = iter(lines)
    monkeypatch.setattr("getpass.getpass", lambda _: next(answers))


def test_user_add_asks_twice_and_grants(
    address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`pomey user add` makes an account whose password was typed twice, with a role everywhere, and prints its id."""
    typed(monkeypatch, PASSWORD, PASSWORD)
    call = ["user", "add", "Anne@chu.be", "--name", "Anne", "--institution", "all", "--role", "reader"]
    assert main(call) == 0
    assert capsys.readouterr().out == "anne@chu.be\n"
    with Store.open(address) as store:
        assert Accounts(store).check("anne@chu.be", PASSWORD)
        assert Accounts(store).permissions("anne@chu.be") == {"*": "reader"}


def test_user_words_change_accounts(
    address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Password from a pipe, grant, withdraw, disable, enable, and a list of it all."""
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\nnot read\n"))
    assert main(["user", "add", "anne", "--password-stdin"]) == 0
    assert main(["user", "add", "bob@chu.be", "--oidc", "--name", "Bob"]) == 0
    assert main(["user", "grant", "anne", "--institution", "all", "--role", "reader"]) == 0
    assert main(["user", "grant", "bob@chu.be", "--institution", "all", "--role", "reader"]) == 0
    assert main(["user", "withdraw", "bob@chu.be", "--institution", "all"]) == 0
    assert main(["user", "disable", "bob@chu.be"]) == 0
    assert main(["user", "disable", "anne"]) == 0
    assert main(["user", "enable", "anne"]) == 0
    typed(monkeypatch, "a different phrase", "a different phrase")
    assert main(["user", "password", "anne"]) == 0
    capsys.readouterr()
    assert main(["user", "list", "--format", "json"]) == 0
    anne, bob = json.loads(capsys.readouterr().out)
    assert (anne["permissions"], anne["password"], anne["disabled"]) == ({"*": "reader"}, True, False)
    assert (bob["permissions"], bob["password"], bob["disabled"]) == ({}, False, True)
    assert main(["user", "list"]) == 0
    assert "reader at *" in capsys.readouterr().out
    with Store.open(address) as store:
        assert Accounts(store).check("anne", "a different phrase")


def test_history_names_who_changed_an_account(
    address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each word of `pomey user` that changes something leaves one line with the system's name of who ran it, and no password."""
    monkeypatch.setenv("LOGNAME", "root-of-chu")
    typed(monkeypatch, *[PASSWORD] * 2, *["a different phrase"] * 2)
    everywhere = ["--institution", "all"]
    for call in (
        ["add", "anne", *everywhere, "--role", "reader"],
        ["grant", "anne", *everywhere, "--role", "coordinator"],
        ["password", "anne"],
        ["disable", "anne"],
        ["enable", "anne"],
        ["withdraw", "anne", *everywhere],
        ["list"],
    ):
        assert main(["user", *call]) == 0
    assert main(["user", "disable", "nobody"]) == 1
    capsys.readouterr()
    with Store.open(address) as store:
        told = store.events()[::-1]
    assert [one.what for one in told] == [
        *("account_added", "granted", "granted", "password_set"),
        *("account_disabled", "account_enabled", "grant_withdrawn"),
    ]
    assert {(one.author, one.detail["account"]) for one in told} == {("root-of-chu", "anne")}
    assert "phrase" not in f"{told}"


def test_who_has_no_name_on_the_system_can_change_accounts(
    address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the system has no name for who runs the command, as in some containers, the line names nobody."""

    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.setattr("getpass.getuser", nameless)
    assert main(["user", "add", "bob@chu.be", "--oidc"]) == 0
    assert capsys.readouterr().out == "bob@chu.be\n"
    with Store.open(address) as store:
        assert [(one.author, one.what) for one in store.events()] == [("", "account_added")]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (["user", "add", "anne", "--institution", "all"], "together"),
        (["user", "add", "anne", "--institution", "nowhere", "--role", "reader"], "does not exist"),
        (["user", "add", "anne", "--institution", "all", "--role", "boss"], "Known: coordinator"),
        (["user", "add", "anne"], "differ"),
        (["user", "password", "nobody", "--password-stdin"], "does not exist"),
        (["user", "disable", "nobody"], "pomey user list"),
    ],
)
def test_user_words_refuse_and_change_nothing(
    address: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    call: list[str],
    said: str,
) -> None:
    """A wrong call exits 1, says what to do, and makes no account."""
    typed(monkeypatch, PASSWORD, "something else")
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    assert main(call) == 1
    assert said in capsys.readouterr().err
    with Store.open(address) as store:
        assert Accounts(store).every() == []


def test_user_alone_says_what_it_can_do(capsys: pytest.CaptureFixture[str]) -> None:
    """`pomey user` without more lists its words and exits 2."""
    assert main(["user"]) == 2
    assert "password" in capsys.readouterr().out
