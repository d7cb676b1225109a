"""PYTEST_DONT_REWRITE. Put results on a test's report, and make the report say what happened in one line.

Results travel on reports because they arrive test by test: what a worker had measured before it crashed is kept.
"""

from __future__ import annotations

from typing import Any, Final

import pytest

from pytest_aiperf.common.errors import AiperfError
from pytest_aiperf.pytest_plugin.collector import ATTRIBUTE

PENDING: Final = pytest.StashKey[list[dict[str, Any]]]()
"""Entries that no report has carried yet."""


def attach(item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
    """Move what a phase measured to its report."""
    pending = item.stash.get(PENDING, [])
    if pending:
        item.stash[PENDING] = []
        setattr(report, ATTRIBUTE, pending)
        report.user_properties.extend(_properties(pending))
    if call.excinfo is not None and report.failed:
        _shorten(call.excinfo.value, report)
        if isinstance(call.excinfo.value, AiperfError):
            # "Could not be measured" is an error of the test, not a failure; every reporter (terminal, JUnit,
            # HTML) tells the two apart by the phase alone.
            report.when = "setup"


def _shorten(error: BaseException, report: pytest.TestReport) -> None:
    """Keep the first line for the short summary: in CI pytest would print the whole message there again.

    Where every frame is ours and hidden, pytest's note that says so is dropped too: the message is all there is.
    """
    crash = getattr(report.longrepr, "reprcrash", None)
    trace = getattr(report.longrepr, "reprtraceback", None)
    text = str(error)
    if crash is not None and "\n" in text and type(error).__module__ == "builtins":
        crash.message = f"{type(error).__name__}: {text.partition(chr(10))[0]}"
        if trace is not None and "hidden" in (trace.extraline or ""):
            trace.extraline = None


def _shown(tag: str) -> bool:
    from pytest_aiperf.metrics.registry import all_metrics

    return not all_metrics()[tag].hidden


def _properties(entries: list[dict[str, Any]]) -> list[tuple[str, object]]:
    """JUnit properties: the verdict and the median of each metric that is not hidden, builtin types only."""
    found: list[tuple[str, object]] = []
    for entry in entries:
        document = entry["document"]
        prefix = f"aiperf.{document['name']}" if document["name"] else "aiperf"
        found.append((f"{prefix}.verdict", document["verdict"]))
        found += [(f"{prefix}.{tag}.p50", m["p50"]) for tag, m in document["metrics"].items() if _shown(tag)]
    return found
