"""PYTEST_DONT_REWRITE. `--aiperf-prune`: at the end of a session, delete the baselines that no test owns.

What a measurement is called is known when it has been made. So whatever was left out of a session would look like
gone, and one that left anything out deletes nothing. The process that the user started decides; under xdist workers
tell it what they collected and measured when they finish. One that crashed tells nothing, which is as it should be.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_aiperf.pytest_plugin import options
from pytest_aiperf.pytest_plugin.account import Account
from pytest_aiperf.pytest_plugin.baseline_home import shared_directory
from pytest_aiperf.pytest_plugin.collector import LOOKING

if TYPE_CHECKING:
    from pytest_aiperf.baseline.unowned import Seen

_KEY: Final = "aiperf_account"


def register(config: pytest.Config, *, worker: bool) -> None:
    """Take part in what ``--aiperf-prune`` needs, in the role of this process."""
    account = Account(config)
    config.pluginmanager.register(account, "aiperf-account")
    part = _Teller(config, account) if worker else Pruner(config, account)
    config.pluginmanager.register(part, "aiperf-pruning")


class _Teller:
    """In an xdist worker."""

    def __init__(self, config: pytest.Config, account: Account) -> None:
        self._config, self._account = config, account

    def pytest_sessionfinish(self) -> None:
        """Called when this worker has no more tests."""
        output: dict[str, Any] = self._config.workeroutput  # type: ignore[attr-defined]  # xdist sets it
        output[_KEY] = self._account.to_builtin()


class Pruner:
    """In the process that the user started."""

    def __init__(self, config: pytest.Config, account: Account) -> None:
        self._config, self._account = config, account
        self._told: list[Mapping[str, Any]] = []
        self._lost: list[str] = []
        self._interrupted = False
        self._outcomes: dict[str, str] = {}
        """By node id, what a test came to, if it was called or failed before that."""
        self._lines: list[str] = []
        self._red = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Called for each report: alone where the test ran, under xdist when it arrives here."""
        if report.when == "call" or (report.when == "setup" and not report.passed):
            self._outcomes[report.nodeid] = report.outcome

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object | None) -> None:
        """Called by xdist when a worker has ended, one way or the other."""
        told = getattr(node, "workeroutput", {}).get(_KEY)
        if error is not None or told is None:
            self._lost.append(str(node.gateway.id))
        else:
            self._told.append(told)

    def pytest_keyboard_interrupt(self) -> None:
        """Called on Ctrl-C and on `pytest.exit`, which may choose the exit status of a success."""
        self._interrupted = True

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Called when all tests are over."""
        if any(self._config.getoption(option, False) for option in LOOKING):
            return
        from pytest_aiperf.common.errors import BaselineError
        from pytest_aiperf.exporters.pruning_text import refusal_lines

        try:
            reasons = list(self._reasons(session)) or self._prune()
            self._lines += refusal_lines(reasons) if reasons else ()
        except BaselineError as error:
            reasons = [str(error)]
            self._lines.append(f"--aiperf-prune: {error}")
        self._red = bool(reasons)
        if reasons and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Called at the end, where there is a terminal."""
        for line in self._lines:
            terminalreporter.write_line(f"aiperf: {line}", red=self._red)

    def _reasons(self, session: pytest.Session) -> Iterator[str]:
        """Yield why nothing may be deleted, the causes before what follows from them."""
        yield from self._options_that_leave_out()
        yield from (f"worker {worker} crashed" for worker in self._lost)
        ended = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED)
        if self._interrupted or session.shouldstop or session.shouldfail or session.exitstatus not in ended:
            yield "the session was stopped before its end"
        yield from self._left_out()
        yield from self._not_measured()

    def _options_that_leave_out(self) -> Iterator[str]:
        mode = options.value_of(self._config, "mode")
        if mode in ("quick", "off"):
            yield f"--aiperf-mode={mode} measures nothing that has a baseline"
        if options.value_of(self._config, "against") is not None:
            yield "--aiperf-against measures nothing that has a baseline"
        if self._config.getoption("lf", False):
            yield "--lf leaves out whole files without a word"

    def _collected(self) -> Mapping[str, Any]:
        """Return what the tests are: workers all collect the same, else xdist ends the session."""
        return next((told for told in self._accounts() if "tests" in told), {})

    def _together(self, part: str) -> list[Any]:
        return [one for told in self._accounts() for one in told[part]]

    def _accounts(self) -> Sequence[Mapping[str, Any]]:
        return [*self._told, self._account.to_builtin()]

    def _left_out(self) -> Iterator[str]:
        """Yield what was not collected, or not selected."""
        told = self._collected()
        if failed := told.get("failed"):
            yield f"{_counted(failed, 'file or folder', 'files or folders')} could not be collected: {failed[0]}"
        if deselected := told.get("deselected"):
            yield f"{_counted(deselected, 'test')} deselected: {deselected[0]}"
        node_ids = [node_id for _, node_id, _ in told.get("tests", ())]
        if len(set(node_ids)) < len(node_ids):
            twin = next(node_id for node_id, n in Counter(node_ids).items() if n > 1)
            yield f"{twin} is the node id of two tests, so it is not known how each of them ended"
        for folder in told.get("partial", ()):
            yield f"not every test of {self._shown(folder)} was collected"

    def _not_measured(self) -> Iterator[str]:
        measured, claimed = set(self._together("measured")), {test for test, _ in self._together("claims")}
        if not measured:
            yield "nothing was measured"
            return
        words = {"skipped": "was skipped", "failed": "failed before it measured", None: "did not run"}
        for test, node_id, measures in self._collected()["tests"]:
            outcome = self._outcomes.get(node_id)
            done = test in measured or (outcome == "passed" and test in claimed)
            if measures and not done:
                yield f"{node_id} {words.get(outcome, 'measured nothing')}"

    def _prune(self) -> Sequence[str]:
        """Delete what no test owns; return why not, if the files say that tests were left out."""
        from pytest_aiperf.baseline.orphans import remove
        from pytest_aiperf.baseline.unowned import find_unowned
        from pytest_aiperf.exporters.pruning_text import deleted_lines

        found = find_unowned(self._seen())
        unseen = [one for one in found if one.state == "unseen"]
        if unseen:
            return [
                f"{one.source} has {self._shown(one.file.path)}, but was not collected in full"
                for one in unseen
            ]
        orphans = [one for one in found if one.state == "orphan"]
        gone: list[str] = []
        try:
            for one in orphans:
                remove(one.file)
                gone.append(self._shown(one.file.path))
        finally:
            self._lines += deleted_lines(gone, kept=len(found) - len(orphans))
        return ()

    def _seen(self) -> Seen:
        from pytest_aiperf.baseline.unowned import Seen

        collected = self._collected()
        files: dict[Path, set[str]] = {}
        for directory, source in collected["files"]:
            files.setdefault(Path(directory), set()).add(source)
        finished = {node_id for node_id, outcome in self._outcomes.items() if outcome == "passed"}
        return Seen(
            root=self._config.rootpath,
            shared=shared_directory(self._config) is not None,
            files=files,
            folders={Path(folder) for folder in collected["folders"]},
            claims={Path(path): test for test, path in self._together("claims")},
            unfinished={test for test, node_id, _ in collected["tests"] if node_id not in finished},
        )

    def _shown(self, path: str | Path) -> str:
        return os.path.relpath(path, self._config.invocation_params.dir)


def _counted(found: Sequence[str], one: str, many: str | None = None) -> str:
    return f"1 {one}" if len(found) == 1 else f"{len(found)} {many or f'{one}s'}"
