"""PYTEST_DONT_REWRITE. Put results on a test's report, and make the report say what happened in one line.

Results travel on reports because they arrive test by test: what a worker had measured before it crashed is kept.
"""

from __future__ import annotations

from typing import Any, Final

import pytest

from pytest_aiperf.common.errors import AiperfError
from pytest_aiperf.pytest_plugin.collector import ATTRIBUTE
from pytest_aiperf.pytest_plugin.report_secrets import hide_secrets

PENDING: Final = pytest.StashKey[list[dict[str, Any]]]()
"""Entries that no report has carried yet."""


def attach(item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
    """Move what a phase measured to its report."""
    pending = item.stash.get(PENDING, [])
    if pending:
        item.stash[PENDING] = []
        setattr(report, ATTRIBUTE, pending)
        _add_properties(item, report, _properties(pending))
    if call.excinfo is not None and report.failed:
        hide_secrets(item, report)
        _shorten(report)
        _place_at_the_test(item, report)
        if isinstance(call.excinfo.value, AiperfError):
            # "Could not be measured" is an error of the test, not a failure; every reporter (terminal, JUnit,
            # HTML) tells the two apart by the phase alone.
            report.when = "setup"


def _shorten(report: pytest.TestReport) -> None:
    """Keep the first line for the short summary: in CI pytest would print the whole message there again."""
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is not None:
        crash.message = crash.message.partition("\n")[0]


def _place_at_the_test(item: pytest.Item, report: pytest.TestReport) -> None:
    """Where every frame is ours or pytest's and hidden, name the test's line, and drop the note that says so."""
    crash = getattr(report.longrepr, "reprcrash", None)
    trace = getattr(report.longrepr, "reprtraceback", None)
    if crash is not None and trace is not None and "hidden" in (trace.extraline or ""):
        trace.extraline = None
        crash.path, crash.lineno = str(item.path), (item.location[1] or 0) + 1


def _add_properties(item: pytest.Item, report: pytest.TestReport, found: list[tuple[str, object]]) -> None:
    """Put them on this report and on those to come: JUnit's writer reads the last one, that of the teardown.

    A test that runs again, as plugins make it do, has those of its last run.
    """
    names = {name for name, _ in found}
    item.user_properties[:] = [*(one for one in item.user_properties if one[0] not in names), *found]
    report.user_properties[:] = item.user_properties


def _properties(entries: list[dict[str, Any]]) -> list[tuple[str, object]]:
    """Verdict, headline, medians of the metrics that are not hidden, judged figures; builtin types only."""
    from pytest_aiperf.common.printable import printable
    from pytest_aiperf.metrics.registry import all_metrics

    known = all_metrics()
    found: list[tuple[str, object]] = []
    for entry in entries:
        document = entry["document"]
        # JUnit XML cannot hold control characters, and pytest escapes the values of properties only.
        prefix = f"aiperf.{printable(document['name'])}" if document["name"] else "aiperf"
        found += [(f"{prefix}.{key}", document[key]) for key in ("verdict", "headline")]
        shown = {tag: metric for tag, metric in document["metrics"].items() if not known[tag].hidden}
        found += [(f"{prefix}.{tag}.p50", metric["p50"]) for tag, metric in shown.items()]
        for row in document["comparisons"]:
            since = "" if row["against"] == "baseline" else ".since_anchor"
            place = f"{prefix}.{row['metric']}{since}"
            found += [(f"{place}.{key}", row[key]) for key in _JUDGED if row[key] is not None]
    return found


_JUDGED: Final = ("now", "baseline", "change", "tolerance", "verdict")
