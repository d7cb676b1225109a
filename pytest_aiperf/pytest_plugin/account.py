"""PYTEST_DONT_REWRITE. What one process collected and measured, for `--aiperf-prune`: which tests there are, of which
test files they are all, and which baselines they named.

Pytest tells plugins what was deselected, but not what the command line left out, nor what a plugin took from the list
in silence. So the tree is watched as it grows: a file was collected in full if every collector in it was opened, and
every test that came out of them was taken.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_aiperf.pytest_plugin.baseline_home import FOLDER, baseline_directory, shared_directory
from pytest_aiperf.pytest_plugin.item_id import file_id, item_id
from pytest_aiperf.pytest_plugin.measuring import measures

if TYPE_CHECKING:
    from pytest_aiperf.measure.result import Result

_ACCOUNT: Final[pytest.StashKey[Account]] = pytest.StashKey()
Node = pytest.Item | pytest.Collector


def claim(config: pytest.Config, *, test: str, path: Path) -> None:
    """Note that a test named this file as its baseline, whether it has one or not; nothing without an account."""
    if (account := config.stash.get(_ACCOUNT, None)) is not None:
        account.claims.append([test, str(path)])


class Account:
    """Kept in each process that runs tests; `to_builtin` is what the process that decides is told."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        config.stash[_ACCOUNT] = self
        self._children: dict[int, tuple[pytest.Collector, Sequence[Node]]] = {}
        """By the collector's identity: hashes of nodes change when xdist puts a group behind their ids."""
        self._taken: dict[int, pytest.Item] = {}
        self._failed: list[str] = []
        self._collected: dict[str, Any] = {}
        self.claims: list[list[str]] = []
        self._measured: set[str] = set()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Called for each folder, file and class that is opened."""
        report = yield
        if report.passed:
            self._children[id(collector)] = (collector, list(report.result))
        elif report.failed:
            self._failed.append(collector.nodeid)
        return report

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Called for each test that the command line selects."""
        self._taken[id(item)] = item

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Called when it is settled which tests run."""
        left = {id(item) for item in session.items}
        deselected = [item.nodeid for key, item in self._taken.items() if key not in left]
        full, partial = self._files_by_folder()
        perf_folders = {item.path.parent for item in session.items if measures(item)}
        self._collected = {
            "failed": self._failed,
            "deselected": deselected,
            "partial": [str(f) for f in partial if f in perf_folders or self._has_baselines(f)],
            "folders": sorted({str(path.parent) for path in full} - set(map(str, partial))),
            "files": [[str(baseline_directory(self._config, p)), self._file_id(p)] for p in sorted(full)],
            "tests": [[item_id(item), item.nodeid, measures(item)] for item in session.items],
        }

    def pytest_aiperf_after_measure(self, item: pytest.Item, name: str | None, result: Result) -> None:
        """Called after each measurement."""
        self._measured.add(item_id(item))

    def to_builtin(self) -> dict[str, Any]:
        """Return all of it, in types that cross a process boundary."""
        return {**self._collected, "claims": self.claims, "measured": sorted(self._measured)}

    def _files_by_folder(self) -> tuple[set[Path], list[Path]]:
        """Return the test files that were collected in full and have tests, and folders of which some were not."""
        files = [node for node, _ in self._children.values() if isinstance(node, pytest.File)]
        full = {(type(node), node.path) for node in files if self._all_taken(node)}
        partial = sorted(
            {
                folder.path
                for folder, children in self._children.values()
                if isinstance(folder, pytest.Directory)
                and any(isinstance(c, pytest.File) and (type(c), c.path) not in full for c in children)
            }
        )
        with_tests = {node.path for node in files if any(True for _ in self._items(node))}
        return {path for _, path in full} & with_tests, partial

    def _all_taken(self, node: Node) -> bool:
        if isinstance(node, pytest.Item):
            return id(node) in self._taken
        _, children = self._children.get(id(node), (node, None))
        return children is not None and all(map(self._all_taken, children))

    def _items(self, node: Node) -> Iterator[pytest.Item]:
        if isinstance(node, pytest.Item):
            yield node
            return
        for child in self._children.get(id(node), (node, ()))[1]:
            yield from self._items(child)

    def _has_baselines(self, folder: Path) -> bool:
        return shared_directory(self._config) is None and (folder / FOLDER).is_dir()

    def _file_id(self, path: Path) -> str:
        return file_id(path, self._config.rootpath)
