"""PYTEST_DONT_REWRITE. The one place where results come together: it reads them off the reports, writes baselines
and documents, and prints the summary. Registered in the process that the user started, never in an xdist worker.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, Final

import pytest

from pytest_aiperf.pytest_plugin import options, roles

ATTRIBUTE: Final = "aiperf"
"""Of a report: a list of ``{"document": ..., "store": [path, text] or None}``."""


class Collector:
    """Results of one pytest session."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._documents: dict[tuple[str, str | None], dict[str, Any]] = {}
        self._problems: list[str] = []
        self._written: list[str] = []
        self._started_s = time.monotonic()
        self._started_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Called before collection, in the process that the user started."""
        self._session = session

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Called for each report: alone where the test ran, under xdist when it arrives at the controller."""
        self._take(report)
        stopping = self._session.shouldfail or self._session.shouldstop
        if stopping:
            roles.send_away(self._config, str(stopping))
        if report.when not in ("setup", "call"):  # also what xdist reports of a worker that crashed
            roles.reported(self._config, report.nodeid)

    def pytest_keyboard_interrupt(self) -> None:
        """Called on Ctrl-C, in the process that the user started."""
        roles.send_away(self._config, "interrupted")

    def _take(self, report: pytest.TestReport) -> None:
        for entry in getattr(report, ATTRIBUTE, ()):
            document = entry["document"]
            self._documents[document["test"], document["name"]] = document
            if entry["store"] is not None:
                self._store(*entry["store"])

    def _store(self, path: str, text: str) -> None:
        from pytest_aiperf.baseline import store
        from pytest_aiperf.common.errors import BaselineError

        try:
            if not self._config.hook.pytest_aiperf_store_baseline(path=Path(path), text=text):
                store.save(Path(path), text)
            self._written.append(path)
        except BaselineError as error:
            self._problems.append(str(error))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Called when all tests are over: the documents are written, whatever the outcome."""
        if self._config.getoption("collectonly", False):
            return
        from pytest_aiperf.pytest_plugin.outputs import write_outputs

        document = {"session": self._session_facts(), "measurements": list(self._documents.values())}
        self._problems += write_outputs(self._config, document)
        nothing = options.flag_of(self._config, "require") and not self._measured()
        if nothing:
            self._problems.append("--aiperf-require: nothing was measured")
        if self._problems and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _measured(self) -> bool:
        return any(d["verdict"] != "invalid" for d in self._documents.values())

    def _common(self, field: str) -> Any:
        """What all measurements name alike: fixtures set it, in the processes that measured."""
        named = {document.get(field) for document in self._documents.values()}
        return named.pop() if len(named) == 1 else None

    def _session_facts(self) -> dict[str, Any]:
        import pytest_aiperf

        return {
            "endpoint": options.value_of(self._config, "endpoint") or self._common("endpoint"),
            "profile": options.value_of(self._config, "profile") or self._common("profile"),
            "started": self._started_at,
            "duration_s": time.monotonic() - self._started_s,
            "pytest": pytest.__version__,
            "plugin": pytest_aiperf.__version__,
            "workers": self._config.getoption("numprocesses", None) or 0,
        }

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Called at the end, where there is a terminal."""
        verbosity = self._config.get_verbosity()
        documents = list(self._documents.values())
        quiet = verbosity <= -2 and all(d["verdict"] in ("pass", "measured") for d in documents)
        if documents and not quiet:
            from pytest_aiperf.exporters.summary import summary_lines

            terminalreporter.write_sep("-", "aiperf")
            for line in summary_lines(documents, verbosity=verbosity):
                terminalreporter.write_line(line)
        if self._written and not quiet:
            where = os.path.relpath(os.path.commonpath([Path(path).parent for path in self._written]))
            count = "1 baseline" if len(self._written) == 1 else f"{len(self._written)} baselines"
            terminalreporter.write_line(f"{count} written to {where}: commit them")
        for problem in self._problems:
            terminalreporter.write_line(f"aiperf: {problem}", red=True)
