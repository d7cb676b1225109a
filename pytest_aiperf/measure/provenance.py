"""Where and from what a measurement was made: noted beside a session, never part of its hard key."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest_aiperf
from pytest_aiperf.baseline.schema import Environment, Recorded
from pytest_aiperf.common.records import RecordBatch
from pytest_aiperf.metrics.tokens import osl_source

_GIT_S: Final = 5.0


def environment_of(batches: Sequence[RecordBatch], software: Mapping[str, str | None]) -> Environment:
    """Return the soft facts of a session: what its runs tell, where we are, and `software` such as the driver."""
    return Environment(
        client=f"pytest-aiperf {pytest_aiperf.__version__}",
        python=platform.python_version(),
        host=host_hash(),
        transport=batches[0].facts.transport,
        timestamps=timestamps_of(batches),
        osl_source=osl_source(batches[0]),
        **software,
    )


def timestamps_of(batches: Sequence[RecordBatch]) -> str:
    """Return whose stamps the runs have: ``kernel``, ``user``, or ``mixed``."""
    stamps = {batch.facts.timestamps for batch in batches}
    return stamps.pop() if len(stamps) == 1 else "mixed"


def host_hash() -> str:
    """Return a hash of this host's name: enough to tell "same machine", without storing a name."""
    return hashlib.sha256(platform.node().encode()).hexdigest()[:12]


def utc_now() -> str:
    """Return the time as ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def recorded(directory: Path) -> Recorded:
    """Return when, and from which commit of the repository around `directory`."""
    commit = _git(directory, "rev-parse", "--short=8", "HEAD")
    status = _git(directory, "status", "--porcelain") if commit else None
    return Recorded(at=utc_now(), commit=commit or None, dirty=None if status is None else bool(status))


def _git(directory: Path, *arguments: str) -> str | None:
    folder = next((p for p in [directory, *directory.parents] if p.is_dir()), None)
    if folder is None:
        return None
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_GIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
