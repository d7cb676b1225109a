"""PYTEST_DONT_REWRITE. The one place where results come together: it reads them off the reports, writes baselines
and documents, and prints the summary. Registered in the process that the user started, never in an xdist worker.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from pytest_aiperf.pytest_plugin import options, roles

ATTRIBUTE: Final = "aiperf"
"""Of a report: a list of ``{"document": ..., "store": [path, text] or None}``."""

LOOKING: Final = ("collectonly", "setupplan", "showfixtures", "show_fixtures_per_test")
"""Options of pytest with which no test runs: there is nothing to write then."""

_CRASHED: Final = "???"
"""What xdist calls the phase in which a worker died."""


class Collector:
    """Results of one pytest session."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._documents: dict[tuple[object, ...], dict[str, Any]] = {}
        self._newest: dict[str, list[dict[str, Any]]] = {}
        """By node id, as reports name it: what was measured by a test that is running."""
        self._tried_again: set[str] = set()
        self._problems: list[str] = []
        self._notes: list[str] = []
        self._written: list[str] = []
        self._started_s = time.monotonic()
        self._started_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Called for each report: alone where the test ran, under xdist when it arrives at the controller."""
        self._take(report)
        session: Any = self._config.pluginmanager.get_plugin("session")
        stopping = session.shouldfail or session.shouldstop
        if stopping:
            roles.send_away(self._config, str(stopping))
        self._report_end(report)

    def _report_end(self, report: pytest.TestReport) -> None:
        """Tell that a test is over, by a crash of its worker too; a try that another one follows is not the end.

        pytest-rerunfailures reports the teardown of each try.
        """
        again = str(report.outcome) == "rerun"  # no outcome of pytest's own
        if report.when in ("setup", "call"):
            if again:
                self._tried_again.add(report.nodeid)
            return
        if not again and report.nodeid not in self._tried_again:
            roles.reported(self._config, report.nodeid)
        self._tried_again.discard(report.nodeid)

    def pytest_keyboard_interrupt(self) -> None:
        """Called on Ctrl-C, in the process that the user started."""
        roles.send_away(self._config, "interrupted")

    def _take(self, report: pytest.TestReport) -> None:
        if report.when != "call":  # a test begins, or ends: a rerun says nothing of the try before it
            self._newest.pop(report.nodeid, None)
        for entry in getattr(report, ATTRIBUTE, ()):
            self._add(report, entry["document"])
            if entry["store"] is not None:
                self._store(*entry["store"])
        if str(report.when) == _CRASHED and roles.was_measuring(self._config, report.nodeid):
            self._add_lost(report)
        if report.failed and report.when in ("setup", "call"):
            self._note_failure(report)

    def _add(self, report: pytest.TestReport, document: dict[str, Any]) -> None:
        path, line, _ = report.location
        where = {"file": Path(path).as_posix(), "line": None if line is None else line + 1}
        document |= {"location": where, "failure": None}
        # Outside the root directory two files of one name have the same node ids.
        self._documents[where["file"], document["test"], document["name"]] = document
        self._newest.setdefault(report.nodeid, []).append(document)

    def _add_lost(self, report: pytest.TestReport) -> None:
        """What a test had measured when its worker died is lost; that it was to be measured must not be."""
        from pytest_aiperf.exporters.document import failed_document

        document = failed_document(
            node_id=report.nodeid, name=None, reason=f"nothing is known: {report.longrepr}"
        )
        self._add(report, document | {"extra": {}, "profile": None, "artifacts": None})

    def _note_failure(self, report: pytest.TestReport) -> None:
        """Say beside the newest measurement of a test what the test failed with, unless a verdict says it."""
        crash = getattr(report.longrepr, "reprcrash", None)
        message = str(crash.message if crash is not None else report.longrepr).partition("\n")[0]
        measured = self._newest.get(report.nodeid, [])
        verdicts = [str(d["text"]).partition("\n")[0] for d in measured if d["text"]]
        if measured and not any(message.endswith(verdict) for verdict in verdicts):
            measured[-1]["failure"] = message

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
        if any(self._config.getoption(option, False) for option in LOOKING):
            return
        from pytest_aiperf.pytest_plugin.outputs import append_step_summary, write_outputs

        measurements = list(self._documents.values())
        if (note := append_step_summary(self._config, measurements)) is not None:
            self._notes.append(note)
        document = {"session": self._session_facts(), "measurements": measurements}
        self._problems += write_outputs(self._config, document)
        if options.flag_of(self._config, "require") and not self._measured():
            self._problems.append(f"--aiperf-require: {self._why_nothing()}")
        if self._problems and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _measured(self) -> bool:
        return any(d["verdict"] != "invalid" for d in self._documents.values())

    def _why_nothing(self) -> str:
        if self._documents:
            return f"nothing was measured: {len(self._documents)} could not be, for the reasons above"
        return (
            "nothing was measured: no test with the aiperf marker or fixture ran; look at the paths, -k and -m; "
            "-rs says why tests were skipped"
        )

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
            "workers": roles.workers(self._config),
        }

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Called at the end, where there is a terminal."""
        from pytest_aiperf.pytest_plugin.outputs import annotation_lines

        documents = list(self._documents.values())
        for line in self._summary(documents, terminalreporter):
            terminalreporter.write_line(line)
        for note in self._notes:
            terminalreporter.write_line(f"aiperf: {note}", yellow=True)
        for problem in self._problems:
            terminalreporter.write_line(f"aiperf: {problem}", red=True)
        for line in annotation_lines(self._config, documents):
            terminalreporter.write_line(line)

    def _summary(self, documents: list[dict[str, Any]], terminal: pytest.TerminalReporter) -> Iterator[str]:
        if not documents:
            return
        from pytest_aiperf.exporters.states import FINE, state_of
        from pytest_aiperf.exporters.summary import summary_lines
        from pytest_aiperf.pytest_plugin.outputs import columns_of

        verbosity = self._config.get_verbosity()
        if verbosity <= -2 and all(state_of(document) in FINE for document in documents):
            return
        if verbosity >= 0:
            terminal.write_sep("-", "aiperf")
        yield from summary_lines(
            documents,
            verbosity=verbosity,
            columns=columns_of(self._config),
            width=self._config.get_terminal_writer().fullwidth,
        )
        if written := set(self._written):  # under --dist=each one path twice
            where = os.path.relpath(os.path.commonpath([Path(path).parent for path in written]))
            count = "1 baseline" if len(written) == 1 else f"{len(written)} baselines"
            yield f"{'' if verbosity >= 0 else 'aiperf: '}{count} written to {where}: commit them"
