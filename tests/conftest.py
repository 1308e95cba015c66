"""What the tests share: stores on each database and under the pages, a browser, and golden cases from tests/cases."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import browser
import golden
import postgres
import pytest
import yaml
from playwright.sync_api import Browser

from data import Store

TEMPLATE = "pomey_template"
"""The database that holds the tables and no row: a new store is a copy of it."""


def pytest_configure() -> None:
    """Neither the store nor the door that this computer's environment names is any test's."""
    for name in ("POMEY_STORE", "POMEY_SIGN_IN", "POMEY_ADDRESS"):
        os.environ.pop(name, None)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--soak` runs the long runs too."""
    parser.addoption("--soak", action="store_true", help="run the long runs too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long runs stay out unless they are asked for."""
    if config.getoption("--soak"):
        return
    long = [item for item in items if item.get_closest_marker("soak")]
    config.hook.pytest_deselected(items=long)
    items[:] = [item for item in items if item not in long]


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    """A PostgreSQL server for the whole session, with the tables made once."""
    with postgres.server() as server:
        server.execute(f"CREATE DATABASE {TEMPLATE}")
        Store.open(server.url(TEMPLATE)).close()
        yield server


@pytest.fixture
def postgres_url(postgres_server: postgres.Server) -> Iterator[str]:
    """The address of a new store on PostgreSQL."""
    with postgres_server.database(TEMPLATE) as url:
        yield url


@pytest.fixture(params=["file", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a new store that outlives its program: once in a file, once on PostgreSQL."""
    if request.param == "file":
        return f"sqlite:///{tmp_path / 'pomey.db'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture(params=["file", "postgresql"])
def empty_places(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Iterator[str]]:
    """Addresses of places without any table, as many as are asked for: once files, once databases."""
    if request.param == "file":
        yield (f"sqlite:///{tmp_path / f'{number}.db'}" for number in count())
    else:
        server = request.getfixturevalue("postgres_server")
        with ExitStack() as stack:
            yield (stack.enter_context(server.database()) for _ in count())


@pytest.fixture(params=["memory", "file", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A new store: once in memory, once in a file, once on PostgreSQL."""
    urls = {"memory": lambda: "sqlite://", "file": lambda: f"sqlite:///{tmp_path / 'pomey.db'}"}
    get = urls.get(request.param, lambda: request.getfixturevalue("postgres_url"))
    with Store.open(get()) as opened:
        yield opened


@pytest.fixture
def page_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """An empty store that the pages use, in a process that has drawn none of them yet."""
    import streamlit as st  # noqa: PLC0415  # here: most tests draw no page

    from dashboard import frame  # noqa: PLC0415  # likewise

    monkeypatch.setenv("POMEY_STORE", f"sqlite:///{tmp_path / 'pages.db'}")
    st.cache_resource.clear()
    st.cache_data.clear()
    with frame.store() as opened:
        yield opened
    st.cache_resource.clear()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[browser.Server]:
    """A server on an empty store, for one test."""
    with browser.Server(tmp_path) as served:
        yield served


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for the tests of a file."""
    with browser.browser() as found:
        yield found


@pytest.fixture
def visitor(chromium: Browser) -> Iterator[browser.Visitor]:
    """Opens the page of somebody who was never here: on a laptop in French, unless told otherwise."""
    with ExitStack() as leaving:
        yield lambda **how: leaving.enter_context(
            chromium.new_context(**{"viewport": browser.LAPTOP, "locale": "fr-BE", **how})
        ).new_page()


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect the golden cases."""
    if file_path.suffix == ".yaml" and file_path.parent.name == "cases":
        return CaseFile.from_parent(parent, path=file_path)
    return None


class CaseFile(pytest.File):
    """One YAML file of cases."""

    def collect(self) -> Iterable[pytest.Item]:
        """One test for each case."""
        for entry in yaml.load(self.path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader):
            yield Case.from_parent(self, name=entry["case"], entry=entry)


class Case(pytest.Item):
    """One golden case."""

    def __init__(self, *, entry: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.entry = entry

    def runtest(self) -> None:
        """Score what the case answers, on every engine, and hold it against what it expects."""
        golden.run(self.entry)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:  # noqa: ARG002
        """A failed case shows its numbers, not the program's inside."""
        if isinstance(excinfo.value, AssertionError):
            return str(excinfo.value)
        return super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """The case's own sentence names it."""
        return self.path, None, self.name
