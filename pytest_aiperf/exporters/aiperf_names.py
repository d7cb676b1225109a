"""What AIPerf 0.13 calls things in its files: units, times, conversations. Tags of metrics are the same."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

SUMMARY_JSON: Final = "profile_export_aiperf.json"
SUMMARY_CSV: Final = "profile_export_aiperf.csv"
RECORDS: Final = "profile_export.jsonl"
INPUTS: Final = "inputs.json"
STATISTICS: Final = (
    "avg",
    "min",
    "max",
    "sum",
    "p1",
    "p5",
    "p10",
    "p25",
    "p50",
    "p75",
    "p90",
    "p95",
    "p99",
    "std",
)
"""In the order of the columns of its CSV file."""
_UNITS: Final = {
    "s": "sec",
    "requests/s": "requests/sec",
    "tokens/s": "tokens/sec",
    "tokens/s/user": "tokens/sec/user",
}


def unit_of(unit: str) -> str:
    """Return how its files write a unit."""
    return _UNITS.get(unit, unit)


def session_id(number: int) -> str:
    """Return the id of a conversation: what its records and its inputs have in common."""
    return f"session_{number:06d}"


def times_of(measurement: Mapping[str, Any]) -> tuple[str, str]:
    """Return start and end, ISO 8601 with an offset that every Python reads."""
    start = datetime.fromisoformat(str(measurement["started"])).astimezone(UTC)
    end = start + timedelta(seconds=float(measurement["duration_s"]))
    return start.isoformat(), end.isoformat()
