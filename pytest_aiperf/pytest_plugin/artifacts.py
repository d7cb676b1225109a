"""PYTEST_DONT_REWRITE. The directory of `--aiperf-artifacts`: made at start-up, filled by whoever measures.

Under xdist each worker writes the files of what it measures itself: those of two measurements are never the same.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_aiperf.pytest_plugin import options
from pytest_aiperf.pytest_plugin.collector import LOOKING

if TYPE_CHECKING:
    from pytest_aiperf.exporters.records import RecordFiles


def directory(config: pytest.Config) -> Path | None:
    """Return the directory that the option names, absolute; None where it is not given."""
    given = options.value_of(config, "artifacts")
    if given is None:
        return None
    return Path(os.path.normpath(config.invocation_params.dir / Path(given).expanduser()))


def prepare(config: pytest.Config) -> None:
    """Make the directory; a UsageError ends a session that could write nothing there before it begins.

    Nothing is made where no test runs.
    """
    folder = directory(config)
    if folder is None or any(config.getoption(option, False) for option in LOOKING):
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise pytest.UsageError(f"--aiperf-artifacts: cannot make {folder}: {error}") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise pytest.UsageError(f"--aiperf-artifacts: cannot write into {folder}: permission denied")


def log_directory(config: pytest.Config) -> Path | None:
    """Return where the load processes of this pytest process keep their logs; None without the option."""
    folder = directory(config)
    if folder is None:
        return None
    worker = getattr(config, "workerinput", {}).get("workerid", "main")
    return folder / "logs" / str(worker)


def record_files(config: pytest.Config, *, test: str, name: str | None) -> RecordFiles | None:
    """Return what writes the runs of a measurement; None without the option."""
    folder = directory(config)
    if folder is None:
        return None
    from pytest_aiperf.exporters.records import RecordFiles

    return RecordFiles(folder, test=test, name=name)
