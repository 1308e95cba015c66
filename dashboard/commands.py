"""The command line: `pomey` and its words. Each loads only what it needs."""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import io
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matrix import Problem, Refused, load_document, number

if TYPE_CHECKING:
    from data.accounts import Accounts
    from data.backup import Manifest
    from questionnaires import Questionnaire

ENGINES = ("arrow", "pandas", "polars", "duckdb", "spark")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0 fine, 1 the input is wrong (said on stderr), 2 the call is wrong."""
    parser = _parser()
    call = parser.parse_args(argv)
    if getattr(call, "store", None):
        os.environ["POMEY_STORE"] = call.store
    work: Callable[[argparse.Namespace], int] = getattr(call, "work", _serve)
    try:
        return work(call)
    except Refused as refused:
        print(refused.text(), file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader of a pipe has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pomey",
        description="How far does the partnership between a hospital and its patients really go? "
        "Without a word: opens the dashboard.",
        epilog="Exit status: 0 fine, 1 the input is wrong (said on stderr), 2 the call is wrong.",
    )
    store = argparse.ArgumentParser(add_help=False)
    store.add_argument(
        "--store", metavar="URL", help="the store, such as sqlite:////path/to/file.db (or POMEY_STORE)"
    )
    parser.add_argument("--store", metavar="URL", help=argparse.SUPPRESS)
    words = parser.add_subparsers(metavar="COMMAND", title="commands")

    def add(
        name: str, work: Callable[[argparse.Namespace], int], summary: str, *, stored: bool = True
    ) -> Any:
        word = words.add_parser(name, help=summary, description=summary, parents=[store] if stored else [])
        word.set_defaults(work=work)
        return word

    check = add("check", _check, "Check questionnaires, rules, matrix files and crosswalks.", stored=False)
    check.add_argument("files", nargs="+", type=Path, metavar="FILE")

    score = add("score", _score, "Score tables of answers.", stored=False)
    score.add_argument("--questionnaire", required=True, metavar="ID|FILE")
    score.add_argument("--answers", required=True, type=Path, metavar="FILE")
    score.add_argument("--evidence", type=Path, metavar="FILE")
    score.add_argument("--assessments", type=Path, metavar="FILE")
    score.add_argument("--on", type=_date, metavar="YYYY-MM-DD", help="the scoring date (default: today)")
    score.add_argument("--form", choices=("full", "express"), default="full")
    score.add_argument("--engine", choices=ENGINES, default="arrow")
    score.add_argument("--format", choices=("json", "csv", "table"), default="json")

    take = add("import", _import, "Put tables of answers, evidence or assessments into the store.")
    take.add_argument("kind", choices=("assessments", "answers", "evidence"))
    take.add_argument("files", nargs="+", type=Path, metavar="FILE")
    take.add_argument("--questionnaire", default="hospital", metavar="ID", help="(default: hospital)")
    take.add_argument("--skip-bad-rows", action="store_true", help="keep the good rows, list the others")

    demo = add("demo", _demo, "Load the synthetic example and the desk readings; print the ids it made.")
    demo.add_argument("--network", type=_count, metavar="N", help="also N synthetic institutions")
    demo.add_argument("--seed", type=int, default=1, metavar="S")

    lister = add("list", _list, "List institutions, campaigns and questionnaires with their ids.")
    lister.add_argument("--format", choices=("table", "json"), default="table")

    backup = add(
        "backup", _backup, "Write the whole store into one checked file, while people go on answering."
    )
    backup.add_argument("file", type=Path, metavar="FILE", help="a new file, such as pomey-2026-01-31.zip")

    restore = add("restore", _restore, "Put a backup into an empty store, on SQLite or PostgreSQL.")
    restore.add_argument("file", type=Path, metavar="FILE", help="a file written by `pomey backup`")

    serve = add("serve", _serve, "Open the dashboard.")
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=int, default=8501)
    serve.add_argument(
        "--sign-in",
        action="store_true",
        help="ask staff to sign in on this computer too (or POMEY_SIGN_IN=required), as behind another web server",
    )

    user = add("user", _user, "Staff accounts: who may sign in, and what opens to them.", stored=False)
    _add_user_words(user, store)
    return parser


def _add_user_words(user: argparse.ArgumentParser, store: argparse.ArgumentParser) -> None:
    user.set_defaults(parser=user)
    deeds = user.add_subparsers(metavar="WHAT", title="what to do")

    def deed(name: str, work: Callable[[argparse.Namespace], int], summary: str) -> Any:
        word = deeds.add_parser(name, help=summary, description=summary, parents=[store])
        word.set_defaults(work=work)
        if name != "list":
            word.add_argument("id", metavar="ID", help="an e-mail address or a user name")
        return word

    new = deed("add", _user_add, "Make an account; asks its password.")
    new.add_argument("--name", default="", metavar="N", help="how the pages call the person")
    new.add_argument(
        "--oidc", action="store_true", help="no password: the institution's sign-in vouches for it"
    )
    for one in (
        new,
        deed("grant", _user_grant, "Give a role at an institution, in place of the one it had."),
    ):
        needed = one is not new
        one.add_argument("--institution", required=needed, metavar="ID|all")
        one.add_argument(
            "--role", required=needed, metavar="R", help="coordinator, contributor, reader, researcher"
        )
    withdraw = deed("withdraw", _user_withdraw, "Take back the role at an institution.")
    withdraw.add_argument("--institution", required=True, metavar="ID|all")
    deed("list", _user_list, "List accounts and what opens to them.").add_argument(
        "--format", choices=("table", "json"), default="table"
    )
    deed("disable", _user_disable, "Let nobody in with an account any more, at once.")
    deed("enable", _user_enable, "Let a disabled account in again.")
    for one in (new, deed("password", _user_password, "Give an account a new password.")):
        one.add_argument(
            "--password-stdin", action="store_true", help="read the password from standard input"
        )


def _date(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"'{text}' is not a date; write 2026-01-31 for example") from error


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a count of 1 or more")
    return int(text)


# --- check ----------------------------------------------------------------------------------------------------


def _check(call: argparse.Namespace) -> int:
    from dashboard.checking import check_document
    from questionnaires import library_items

    documents = [load_document(path) for path in call.files]
    taken: dict[str, str] = {}
    own_items = [
        str(item["id"])
        for document in documents
        if isinstance(document.data, dict) and isinstance(document.data.get("items"), list)
        for item in document.data["items"]
        if isinstance(item, dict) and "id" in item
    ]
    items = [*library_items(), *own_items]
    wrong = 0
    for document in documents:
        kind, problems = check_document(document, taken, items)
        for problem in problems:
            print(problem.text(), file=sys.stderr)
        wrong += bool(problems)
        if not problems:
            print(f"{document.file}: {kind}: fine")
    return 1 if wrong else 0


# --- score ----------------------------------------------------------------------------------------------------


def _score(call: argparse.Namespace) -> int:
    if call.engine not in ("pandas", "spark"):
        _spare_pandas()
    from data.tables import read_table
    from scoring import score

    questionnaire = find_questionnaire(call.questionnaire)
    answers = read_table(call.answers, "answers", questionnaire)
    evidence = read_table(call.evidence, "evidence", questionnaire).frame if call.evidence else None
    assessments = (
        read_table(call.assessments, "assessments", questionnaire).frame if call.assessments else None
    )
    scores = score(
        questionnaire,
        on_engine(answers.frame, call.engine),
        evidence=evidence,
        assessments=assessments,
        on=call.on,
        form=call.form,
        wide=answers.wide,
    )
    results = scores.to_json()
    if call.format == "json":
        json.dump(results, sys.stdout, ensure_ascii=False, indent=1, allow_nan=False)
        print()
    else:
        rows = [_flat(result, axis) for result in results for axis in result["axes"]]
        (_print_csv if call.format == "csv" else _print_table)(rows)
    return 0


def find_questionnaire(name: str) -> Questionnaire:
    """A questionnaire of the library by id, or one read from a file."""
    from matrix import nearest
    from questionnaires import load_library, read_questionnaire

    library = load_library()
    if name in library:
        return library[name]
    path = Path(name)
    if path.suffix.lower() in (".yaml", ".yml") or path.exists():
        return read_questionnaire(path)
    known = tuple(library)
    problem = Problem(
        name, 1, "--questionnaire", "unknown-questionnaire", {"id": name}, nearest(name, known), known
    )
    raise Refused([problem])


class _NoPandas:
    """Hides pandas from whoever looks for it."""

    @staticmethod
    def find_spec(name: str, *_: object) -> None:
        """Refuse pandas; leave every other module to the next finder."""
        if name == "pandas":
            raise ModuleNotFoundError(name=name)


def _spare_pandas() -> None:
    """Let PyArrow find no pandas: at its first conversion it would load it (a second), needed or not."""
    import pyarrow as pa

    sys.meta_path.insert(0, _NoPandas)
    try:
        pa.scalar("")
    finally:
        sys.meta_path.remove(_NoPandas)


def on_engine(table: Any, engine: str) -> Any:
    """An Arrow table on the engine that was asked for; only that engine is imported."""
    if engine == "pandas":
        return table.to_pandas()
    if engine == "polars":
        import polars as pl

        return pl.from_arrow(table).lazy()  # type: ignore[union-attr]
    if engine == "duckdb":
        import duckdb

        duckdb.execute("SET enable_progress_bar = false")  # it would draw into the JSON
        return duckdb.from_arrow(table)
    if engine == "spark":
        try:
            from pyspark.sql import SparkSession
        except ImportError as error:
            raise Refused([Problem("pomey", 1, "--engine", "no-spark", {})]) from error
        return SparkSession.builder.appName("pomey").getOrCreate().createDataFrame(table.to_pandas())
    return table


def _flat(result: dict[str, Any], axis: str) -> dict[str, Any]:
    """One row of an assessment's axis for tables."""
    one = result["axes"][axis]
    row: dict[str, Any] = {"assessment": result["assessment"], "axis": axis}
    for lens in ("declared", "experienced", "documented", "retained"):
        for key in ("position", "high", "level"):
            row[lens if key == "position" else f"{lens}_{key}"] = (one[lens] or {}).get(key)
    return {**row, "gap": one["gap"], "state": one["showcase"]["state"], "index": one["showcase"]["index"]}


def _print_csv(rows: list[dict[str, Any]]) -> None:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    print(out.getvalue(), end="")


def _print_table(rows: list[dict[str, Any]]) -> None:
    def shown(value: Any) -> str:
        if value is None:
            return "-"
        return number(value, "en", 2) if isinstance(value, float) else str(value)

    names = list(rows[0]) if rows else []
    cells = [names, *([shown(row[name]) for name in names] for row in rows)]
    widths = [max(len(line[place]) for line in cells) for place in range(len(names))]
    for line in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


# --- the store ------------------------------------------------------------------------------------------------


def _import(call: argparse.Namespace) -> int:
    from data import Store
    from data.importing import import_table

    questionnaire = find_questionnaire(call.questionnaire)
    with Store.open() as store:
        for path in call.files:
            count, skipped = import_table(
                store, path, call.kind, questionnaire, name=str(path), skip_bad_rows=call.skip_bad_rows,
                author=_author(),
            )  # fmt: skip
            for problem in skipped:
                print(problem.text(), file=sys.stderr)
            print(f"{path}: {count} {call.kind}" + (f", {len(skipped)} rows skipped" if skipped else ""))
    return 0


def _demo(call: argparse.Namespace) -> int:
    from data import Store
    from data.demo import load_demo

    with Store.open() as store:
        for id_ in load_demo(store, network=call.network or 0, seed=call.seed):
            print(id_)
    return 0


def _list(call: argparse.Namespace) -> int:
    from data import Store
    from questionnaires import load_library

    with Store.open() as store:
        listed = {
            "institutions": [
                {"id": one.id, "name": one.name, "country": one.country, "synthetic": one.synthetic}
                for one in store.institutions()
            ],
            "campaigns": [
                {
                    "id": one.id, "institution": one.institution, "title": one.title, "kind": one.kind,
                    "year": one.year, "questionnaire": one.questionnaire, "version": one.version,
                    "form": one.form, "synthetic": one.synthetic,
                }
                for one in store.campaigns()
            ],
            "questionnaires": [
                {"id": one.id, "version": one.version, "kind": one.kind, "items": len(one.items)}
                for one in load_library().values()
            ],
        }  # fmt: skip
    if call.format == "json":
        json.dump(listed, sys.stdout, ensure_ascii=False, indent=1)
        print()
    else:
        for part, rows in listed.items():
            print(f"{part}: {len(rows)}")
            if rows:
                _print_table(rows)
            print()
    return 0


def _backup(call: argparse.Namespace) -> int:
    from data import Invitations, Store
    from data.backup import write_backup

    with Store.open() as store:
        # What should have gone by now is not copied: nobody would ever look for it in a backup.
        try:
            for campaign in Invitations(store).expire(dt.datetime.now(dt.UTC).date()):
                print(f"{campaign}: comments and links erased, kept for as long as the campaign said.")
        except Refused as refused:  # a store that can only be read any more needs its backup all the more
            print(refused.text(), file=sys.stderr)
        manifest = write_backup(store, call.file)
    print(
        f"{call.file}: {_contents(manifest)}; read back and whole.\n"
        "It holds what people answered and wrote: keep it as private as the store."
    )
    return 0


def _restore(call: argparse.Namespace) -> int:
    from data import Store
    from data.backup import check_backup, restore_backup

    check_backup(call.file)  # a bad file makes no store
    with Store.open() as store:
        manifest = restore_backup(store, call.file)
        print(f"{store.name}: {_contents(manifest)}.")
    print(
        f"It is as on {manifest.made:%Y-%m-%d %H:%M} UTC. Whoever withdrew, and whatever link or account was stopped "
        "after that, is back: do that again now. Everyone signs in anew."
    )
    return 0


def _contents(manifest: Manifest) -> str:
    """What a backup holds, in numbers."""
    parts = (("institution", "institutions"), ("campaign", "campaigns"), ("answer", "answers"))
    return ", ".join(f"{manifest.tables[table].rows} {name}" for table, name in parts)


def _serve(call: argparse.Namespace) -> int:
    from dashboard.server import serve

    serve(
        getattr(call, "host", "127.0.0.1"),
        getattr(call, "port", 8501),
        sign_in=getattr(call, "sign_in", False),
    )
    return 0


# --- accounts -------------------------------------------------------------------------------------------------


def _user(call: argparse.Namespace) -> int:
    call.parser.print_help()
    return 2


def _user_add(call: argparse.Namespace) -> int:
    from data import Store
    from data.accounts import Accounts

    if bool(call.institution) != bool(call.role):
        raise Refused([Problem("pomey", 1, "--institution --role", "account-half-grant", {})])
    with Store.open() as store:
        accounts = Accounts(store)
        if call.role:
            accounts.check_grant(_everywhere(call.institution), call.role)
        password = None if call.oidc else _password(call)
        made = accounts.add(call.id, call.name, password, author=_author())
        if call.role:
            accounts.grant(made.id, _everywhere(call.institution), call.role, author=_author())
    print(made.id)
    return 0


def _user_grant(call: argparse.Namespace) -> int:
    return _to_accounts(
        lambda one: one.grant(call.id, _everywhere(call.institution), call.role, author=_author())
    )


def _user_withdraw(call: argparse.Namespace) -> int:
    return _to_accounts(
        lambda one: one.withdraw_grant(call.id, _everywhere(call.institution), author=_author())
    )


def _user_disable(call: argparse.Namespace) -> int:
    return _to_accounts(lambda one: one.disable(call.id, author=_author()))


def _user_enable(call: argparse.Namespace) -> int:
    return _to_accounts(lambda one: one.enable(call.id, author=_author()))


def _user_password(call: argparse.Namespace) -> int:
    return _to_accounts(lambda one: one.set_password(call.id, _password(call), author=_author()))


def _user_list(call: argparse.Namespace) -> int:
    from data import Store
    from data.accounts import Accounts

    with Store.open() as store:
        accounts = Accounts(store)
        rows: list[dict[str, Any]] = [
            {
                "id": one.id, "name": one.name, "password": one.has_password, "disabled": one.disabled is not None,
                "permissions": accounts.permissions(one.id),
            }
            for one in accounts.every()
        ]  # fmt: skip
    if call.format == "json":
        json.dump(rows, sys.stdout, ensure_ascii=False, indent=1)
        print()
    elif rows:
        told = {True: "yes", False: "no"}
        _print_table(
            [
                row
                | {
                    "password": told[bool(row["password"])],
                    "disabled": told[bool(row["disabled"])],
                    "permissions": ", ".join(f"{role} at {at}" for at, role in row["permissions"].items()),
                }
                for row in rows
            ]
        )
    return 0


def _to_accounts(work: Callable[[Accounts], None]) -> int:
    from data import Store
    from data.accounts import Accounts

    with Store.open() as store:
        work(Accounts(store))
    return 0


def _author() -> str:
    """Who runs the command, as the system calls them; nobody where it has no name for them."""
    from getpass import getuser

    try:
        return getuser()
    except (ImportError, KeyError, OSError):  # a container may run under a number that nobody has
        return ""


def _everywhere(institution: str) -> str:
    from data.accounts import EVERYWHERE

    return EVERYWHERE if institution == "all" else institution


def _password(call: argparse.Namespace) -> str:
    """The password: the first line of standard input, or what is typed twice, unseen."""
    from getpass import getpass

    if call.password_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    typed = getpass("Password: ")
    if getpass("The same again: ") != typed:
        raise Refused([Problem("pomey", 1, "password", "account-typed-twice", {})])
    return typed


if __name__ == "__main__":
    sys.exit(main())
