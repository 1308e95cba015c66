"""Golden cases are YAML: each entry of tests/cases/*.yaml is collected as one test, named by its sentence."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import golden
import pytest
import yaml


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
