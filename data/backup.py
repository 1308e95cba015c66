"""Backups: the whole store in one file that can be checked, and put back into an empty store on either database.

A backup is a zip with a file of lines for each table, one JSON object a row, and a manifest that names the layout
and, of each table, the number of rows and the hash; the manifest holds nothing else. The tables hold what people
answered and wrote, hashes of links, receipts and passwords, never a link or a password itself. Who is signed in is
left out, so that nobody is let in again by a restore. What was withdrawn or revoked after a backup is back when it
is restored, and has to be withdrawn or revoked again.
"""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import sqlalchemy as sa
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic_core import from_json, to_json

from data import layout
from matrix import Problem, Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from data.store import Store

FORMAT = 1
"""The version of the file's own form; the layout of the tables has its own."""
MANIFEST = "manifest.json"
LINE_LIMIT = 4 * 2**20
"""Bytes of a row; the longest that the store accepts is far below."""
_MANIFEST_LIMIT = 2**20
_BOMB_BYTES = 10 * 2**20  # below this, nothing that unpacks can do harm
_BOMB_RATIO = 500  # rows of text shrink to a twentieth; zeros to a thousandth
_CHUNK = 1000  # rows on their way at a time
_TABLES = [table for table in layout.METADATA.sorted_tables if table is not layout.sign_in]
# The database takes answers only into open campaigns and from people who have not withdrawn, so while they are put
# back every campaign is open and nobody has; the truth follows in the same transaction.
_UNTIL_LAST: dict[str, tuple[str, Any]] = {"campaign": ("state", "open"), "respondent": ("erased", None)}
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError)
_strict = ConfigDict(strict=True, extra="forbid", frozen=True)


class Member(BaseModel):
    """What the manifest says of a table: its rows, its bytes unpacked, their hash, and the last id ever given."""

    model_config = _strict

    rows: Annotated[int, Field(ge=0)]
    bytes: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    last_id: Annotated[int, Field(ge=0)] | None = None


class Manifest(BaseModel):
    """What a backup says of itself."""

    model_config = _strict

    format: int
    layout: str
    made: AwareDatetime
    tables: dict[str, Member]


def write_backup(store: Store, file: Path) -> Manifest:
    """Write the store, as it is at one moment, into a new file, while people go on answering.

    The file has its name only when it is complete, on disk and read back. Raises `Refused` when it cannot be.
    """
    if file.exists():
        raise _refused(file, "FILE", "backup-exists")
    try:
        number, name = tempfile.mkstemp(prefix=f".{file.name}-", suffix=".part", dir=file.parent)
        part = Path(name)
        try:
            with os.fdopen(number, "wb") as out:
                store.read(lambda connection: _pour(connection, out))
                out.flush()
                os.fsync(out.fileno())
            manifest = check_backup(part)
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)
        if hasattr(os, "O_DIRECTORY"):  # elsewhere a folder cannot be brought to disk by itself
            folder = os.open(file.parent, os.O_RDONLY)
            os.fsync(folder)
            os.close(folder)
    except OSError as error:
        raise _refused(file, "FILE", "backup-file", why=error.strerror or error) from error
    return manifest


def check_backup(file: Path) -> Manifest:
    """Read a backup to its last row; raises `Refused`, with what is wrong, unless all of it is as it was written."""
    with _opened(file) as (archive, manifest):
        for table in _TABLES:
            for _ in _rows(file, archive, table, manifest):
                pass
    return manifest


def restore_backup(store: Store, file: Path) -> Manifest:
    """Put a backup into an empty store: all of it, with its ids, or nothing.

    The store may be on another database than the one the backup was made from. Raises `Refused` when the backup
    is not whole or the store holds anything; the backup is checked before the store is touched.
    """
    manifest = check_backup(file)

    def work(connection: sa.Connection) -> None:
        for table in layout.METADATA.sorted_tables:
            if connection.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first():
                raise _refused(file, table.name, "backup-target", store=store.name)
        with _opened(file) as (archive, found):
            for table in _TABLES:
                _fill(connection, table, _rows(file, archive, table, found))
            for table in _TABLES:
                _tell_truth(connection, table, _rows(file, archive, table, found))
                _count_on(connection, table, found.tables[table.name].last_id)

    store.write(work)
    return manifest


# Writing


@dataclass
class _Counted:
    """Passes bytes on to a member of the archive and keeps count."""

    out: IO[bytes]
    digest: Any = field(default_factory=hashlib.sha256)
    size: int = 0
    rows: int = 0

    def line(self, row: bytes) -> None:
        text = row + b"\n"
        self.out.write(text)
        self.digest.update(text)
        self.size += len(text)
        self.rows += 1


def _pour(connection: sa.Connection, out: IO[bytes]) -> None:
    """Write every table and the manifest; the connection sees one moment of the database."""
    made = datetime.now(UTC)
    members = {}
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for table in _TABLES:
            raw = _raw(table)
            query = sa.select(raw).order_by(*(raw.c[column.name] for column in table.primary_key))
            rows = connection.execute(query, execution_options={"yield_per": _CHUNK})
            names = [
                str(column.name) for column in table.columns
            ]  # plain texts: SQLAlchemy's own are slow to write
            with archive.open(_member(table), "w", force_zip64=True) as member:
                counted = _Counted(member)
                for row in rows:
                    counted.line(to_json(dict(zip(names, row, strict=True))))
            members[table.name] = Member(
                rows=counted.rows,
                bytes=counted.size,
                sha256=counted.digest.hexdigest(),
                last_id=_last_id(connection, table),
            )
        manifest = Manifest(format=FORMAT, layout=layout.TABLES, made=made, tables=members)
        archive.writestr(MANIFEST, manifest.model_dump_json(indent=1))


def _last_id(connection: sa.Connection, table: sa.Table) -> int | None:
    """The last id that the database gave in this table, whether or not its row is still there; none for texts."""
    if not _counts(table):
        return None
    if connection.dialect.name == "postgresql":
        query = "SELECT pg_sequence_last_value(CAST(pg_get_serial_sequence(:name, 'id') AS regclass))"
    else:
        query = "SELECT seq FROM sqlite_sequence WHERE name = :name"
    return connection.execute(sa.text(query), {"name": table.name}).scalar() or 0


# Reading


@contextmanager
def _opened(file: Path) -> Iterator[tuple[zipfile.ZipFile, Manifest]]:
    """The archive and its manifest, once the outside is as it should be; the rows are still to be checked."""
    try:
        archive = zipfile.ZipFile(file)
    except zipfile.BadZipFile as error:
        with file.open("rb") as opened:
            cut = opened.read(4) == b"PK\3\4"
        raise _refused(file, "FILE", "backup-cut" if cut else "backup-not-zip") from error
    except OSError as error:
        raise _refused(file, "FILE", "backup-file", why=error.strerror or error) from error
    with archive:
        manifest = _manifest(file, archive)
        for table in _TABLES:
            told, info = manifest.tables[table.name], archive.getinfo(_member(table))
            if info.file_size > max(_BOMB_BYTES, _BOMB_RATIO * info.compress_size):
                raise _refused(file, info.filename, "backup-bomb", found=info.file_size)
            if info.file_size != told.bytes:
                raise _refused(file, info.filename, "backup-changed")
        yield archive, manifest


def _manifest(file: Path, archive: zipfile.ZipFile) -> Manifest:
    names = archive.namelist()
    if MANIFEST not in names:
        raise _refused(file, MANIFEST, "backup-missing", name=MANIFEST)
    if (size := archive.getinfo(MANIFEST).file_size) > _MANIFEST_LIMIT:
        raise _refused(file, MANIFEST, "backup-bomb", found=size)
    try:
        text = archive.read(MANIFEST)
        told = from_json(text)
        form, tables = told["format"], told["layout"]
        if (form, tables) != (FORMAT, layout.TABLES):
            ours = f"{FORMAT} / {layout.TABLES}"
            raise _refused(file, MANIFEST, "backup-version", found=f"{form} / {tables}", ours=ours)
        manifest = Manifest.model_validate_json(text)
    except (*_BROKEN, KeyError, TypeError) as error:
        raise _refused(file, MANIFEST, "backup-changed") from error
    expected = {MANIFEST, *map(_member, _TABLES)}
    if manifest.tables.keys() != {table.name for table in _TABLES} or len(set(names)) != len(names):
        raise _refused(file, MANIFEST, "backup-changed")
    for name in sorted(expected ^ set(names)):
        code = "backup-missing" if name in expected else "backup-stranger"
        raise _refused(file, name, code, name=name)
    return manifest


def _rows(
    file: Path, archive: zipfile.ZipFile, table: sa.Table, manifest: Manifest
) -> Iterator[dict[str, Any]]:
    """The rows of a table; raises at the first that cannot be one, or at the end when they are not those written."""
    told, name, model = manifest.tables[table.name], _member(table), _MODELS[table.name]
    digest, count = hashlib.sha256(), 0
    try:
        with archive.open(name) as member, io.BufferedReader(member) as lines:  # type: ignore[type-var]
            while line := lines.readline(LINE_LIMIT):
                count += 1
                digest.update(line)
                try:
                    row = model.model_validate_json(line)
                except ValidationError as error:
                    wrong = error.errors(include_url=False, include_input=False)[0]
                    where = ".".join(map(str, wrong["loc"]))
                    why = f"{where}: {wrong['msg']}" if where else wrong["msg"]
                    raise _refused(file, name, "backup-row", line=count, why=why) from None
                yield vars(row)
    except _BROKEN as error:
        raise _refused(file, name, "backup-changed") from error
    if (count, digest.hexdigest()) != (told.rows, told.sha256):
        raise _refused(file, name, "backup-changed")


# Putting back


def _fill(connection: sa.Connection, table: sa.Table, rows: Iterator[dict[str, Any]]) -> None:
    raw = _raw(table)
    held = dict([_UNTIL_LAST[table.name]]) if table.name in _UNTIL_LAST else {}
    while chunk := [row | held for row in islice(rows, _CHUNK)]:
        connection.execute(raw.insert(), chunk)


def _tell_truth(connection: sa.Connection, table: sa.Table, rows: Iterator[dict[str, Any]]) -> None:
    """Give a column that was held back its own value, where that is another."""
    if table.name not in _UNTIL_LAST:
        return
    raw, (column, held) = _raw(table), _UNTIL_LAST[table.name]
    keys = [key.name for key in table.primary_key]
    update = raw.update().where(*(raw.c[key] == sa.bindparam(f"the_{key}") for key in keys))
    for row in rows:
        if row[column] != held:
            connection.execute(update, {column: row[column]} | {f"the_{key}": row[key] for key in keys})


def _count_on(connection: sa.Connection, table: sa.Table, last: int | None) -> None:
    """Let the database go on counting where it stood, so that no id is ever given twice."""
    if not _counts(table):
        return
    highest = connection.execute(sa.select(sa.func.max(table.c.id))).scalar() or 0
    values = {"name": table.name, "last": max(last or 0, highest)}
    if connection.dialect.name == "postgresql":
        if values["last"]:
            connection.execute(sa.text("SELECT setval(pg_get_serial_sequence(:name, 'id'), :last)"), values)
    else:
        connection.execute(sa.text("DELETE FROM sqlite_sequence WHERE name = :name"), values)
        connection.execute(sa.text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :last)"), values)


# Tables


def _member(table: sa.Table) -> str:
    return f"{table.name}.ndjson"


def _raw(table: sa.Table) -> sa.TableClause:
    """The table with its moments as the whole numbers they are stored as."""
    return sa.table(
        table.name,
        *(
            sa.column(column.name, sa.BigInteger() if isinstance(column.type, layout.Moment) else column.type)
            for column in table.columns
        ),
    )


def _counts(table: sa.Table) -> bool:
    """Whether the database numbers the rows of this table."""
    return "id" in table.c and not isinstance(table.c.id.type, sa.Text)


def _model(table: sa.Table) -> type[BaseModel]:
    """What a row of the table must be, to the type."""
    kinds: dict[type, Any] = {sa.Text: str, sa.Boolean: bool, sa.Date: date}
    fields: dict[str, Any] = {}
    for column in table.columns:
        kind = kinds.get(type(column.type), Annotated[int, Field(ge=-(2**63), lt=2**63)])
        fields[column.name] = (kind | None if column.nullable else kind, ...)
    return create_model(table.name, __config__=_strict, **fields)


def _refused(file: Path, place: str, code: str, *, line: int = 1, **values: object) -> Refused:
    return Refused([Problem(str(file), line, place, code, values)])


_MODELS = {table.name: _model(table) for table in _TABLES}
