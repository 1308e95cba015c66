"""A real PostgreSQL server for the tests that need one: thrown away at the end, reached by a socket file only.

Run as a program it installs the server from Debian's packages where it may, so that the tests find it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import psycopg
import pytest

PACKAGES = Path("/usr/lib/postgresql")
"""Where Debian puts each version; its programs are not on the path there."""
OWNER = "postgres"
"""Who runs the server when the tests run as root, which it refuses."""
MISSING = "no PostgreSQL server found: put initdb and pg_ctl on the PATH, or run `apt-get install postgresql`"
SETTINGS = """
listen_addresses = ''
unix_socket_directories = '{folder}'
fsync = {fsync}
full_page_writes = {fsync}
max_connections = 100
logging_collector = off
"""
# The folder of the socket is its owner's alone; two names show how the store tells what a real server refuses.
ACCESS = """
local all guarded scram-sha-256
local all stranger reject
local all all trust
"""


class Server:
    """A running server in a folder of its own, and the databases made in it."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self.folder = folder
        self.data = folder / "data"
        self._names = (f"test{number}" for number in count())

    def make(self, *, durable: bool) -> None:
        """Make the cluster and start it; a durable one really waits for the disk."""
        self._run(
            "initdb", "-U", OWNER, "-A", "trust", "-E", "UTF8", "--locale=C", "-N", "-D", str(self.data)
        )
        fsync = "on" if durable else "off"
        with (self.data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write(SETTINGS.format(folder=self.folder, fsync=fsync))
        (self.data / "pg_hba.conf").write_text(ACCESS, encoding="utf-8")
        self.start()

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._run("pg_ctl", "start", "-w", "-D", str(self.data), "-l", str(self.folder / "log"))

    def stop(self, how: str = "immediate") -> None:
        """Stop it: ``fast`` says goodbye to its clients, ``immediate`` is a power cut."""
        self._run("pg_ctl", "stop", "-w", "-m", how, "-D", str(self.data))

    def url(self, database: str, user: str = OWNER) -> str:
        """The address of a database, as an operator would write it."""
        return f"postgresql://{user}@/{database}?host={self.folder}"

    def execute(self, statement: str, database: str = "postgres") -> None:
        """Run a statement as the administrator."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(statement.encode())

    @contextmanager
    def database(self, template: str = "template1", options: str = "") -> Iterator[str]:
        """The address of a new database, a copy of the template's; it is dropped at the end."""
        name = next(self._names)
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} {options}")
        try:
            yield self.url(name)
        finally:
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _run(self, program: str, *arguments: str) -> None:
        """Run one of its programs as the user who may."""
        user = {"user": OWNER, "group": OWNER, "extra_groups": []} if os.geteuid() == 0 else {}
        # Not a pipe: the server would inherit it, and whoever reads it would wait for the server's end.
        with tempfile.TemporaryFile() as said:
            done = subprocess.run(
                [self._programs / program, *arguments],
                cwd=self.folder, stdin=subprocess.DEVNULL, stdout=said, stderr=said, check=False, **user,
            )  # fmt: skip
            said.seek(0)
            assert done.returncode == 0, f"{program}: {said.read().decode(errors='replace')}"


@contextmanager
def server(*, durable: bool = False) -> Iterator[Server]:
    """A server of our own, stopped and removed at the end.

    Without PostgreSQL on the machine, the test is skipped on a laptop and fails under CI.
    """
    programs = find() or from_apt()
    if programs is None:
        if os.environ.get("CI"):
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    folder = Path(tempfile.mkdtemp(prefix="pomey-pg-"))
    if os.geteuid() == 0:
        shutil.chown(folder, OWNER, OWNER)
    made = Server(programs, folder)
    try:
        made.make(durable=durable)
        yield made
    finally:
        if (made.data / "postmaster.pid").exists():
            made.stop()
        shutil.rmtree(folder)


def find() -> Path | None:
    """The folder of initdb and pg_ctl: on the path, or the newest of Debian's; none where there are no socket files."""
    if sys.platform == "win32":
        return None
    found = shutil.which("pg_ctl")
    folders = [Path(found).parent] if found else []
    if PACKAGES.is_dir():
        versions = [folder for folder in PACKAGES.iterdir() if folder.name.isdecimal()]
        folders += [folder / "bin" for folder in sorted(versions, key=lambda one: -int(one.name))]
    return next((one for one in folders if (one / "initdb").exists() and (one / "pg_ctl").exists()), None)


def from_apt() -> Path | None:
    """Debian's PostgreSQL, installed when we may; the cluster that comes with it is left alone."""
    if not shutil.which("apt-get") or os.geteuid() != 0:
        return None
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    with suppress(subprocess.CalledProcessError):
        subprocess.run(["apt-get", "update", "-qq"], check=True)
        subprocess.run(
            ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "postgresql"],
            check=True,
            env=quiet,
        )
    return find()


if __name__ == "__main__" and not (find() or from_apt()):
    print(f"{MISSING}. Its tests are skipped.", file=sys.stderr)  # noqa: T201  # said to whoever installs
