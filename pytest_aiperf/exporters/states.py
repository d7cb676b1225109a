"""In what state a measurement is, for lines and tables: its verdict, or what failed its test besides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pytest_aiperf.exporters.text_lines import one_line

WORDS: Final[Mapping[str, str]] = {
    "regressed": "REGRESSED",
    "missed": "LIMIT MISSED",
    "failed": "TEST FAILED",
    "invalid": "INVALID",
    "not_comparable": "not comparable",
    "no_baseline": "no baseline",
    "inconclusive": "inconclusive",
    "measured": "measured",
    "pass": "ok",
}
"""By state, the gravest first."""
FINE: Final = ("measured", "pass")
_GRAVEST_FIRST: Final = tuple(WORDS)
_MILD: Final = ("not_comparable", "no_baseline", "inconclusive", *FINE)
"""Verdicts that may let a test go on to fail for a reason of its own."""


def state_of(measurement: Mapping[str, Any]) -> str:
    """Return the verdict; ``failed`` or ``missed`` where the test failed by its own assertion or by a limit."""
    verdict = str(measurement["verdict"])
    if verdict in _MILD and measurement.get("failure"):
        return "failed"
    return "missed" if verdict in FINE and measurement["missed"] else verdict


def gravity(measurement: Mapping[str, Any]) -> int:
    """Return a key that sorts the worst first."""
    return _GRAVEST_FIRST.index(state_of(measurement))


def word_of(measurement: Mapping[str, Any]) -> str:
    """Return the state in a word or two."""
    state = state_of(measurement)
    return "recorded" if state == "measured" and measurement["stored"] else WORDS[state]


def title_of(measurement: Mapping[str, Any]) -> str:
    """Return the test without its folders, and the name of the measurement: ``test_chat.py::test_chat[8]#long``."""
    path, colons, rest = str(measurement["test"]).partition("::")
    name = f"#{measurement['name']}" if measurement["name"] else ""
    return one_line(f"{path.rpartition('/')[2]}{colons}{rest}{name}")


def reason_of(measurement: Mapping[str, Any]) -> str:
    """Return in one line why a measurement is in its state."""
    reason = {"failed": measurement.get("failure"), "missed": measurement["text"]}.get(state_of(measurement))
    return one_line(str(reason or measurement["headline"]).partition("\n")[0])


def counts_line(measurements: Sequence[Mapping[str, Any]]) -> str:
    """Return ``4 measured, 3 ok, 1 inconclusive``."""
    counts = Counter(map(state_of, measurements))
    parts = [f"{len(measurements)} measured"]
    parts += [
        f"{counts[state]} {WORDS[state].lower()}"
        for state in reversed(_GRAVEST_FIRST)
        if counts[state] and state != "measured"
    ]
    stored = sum(1 for m in measurements if m["stored"])
    return ", ".join([*parts, f"{stored} recorded"] if stored else parts)
