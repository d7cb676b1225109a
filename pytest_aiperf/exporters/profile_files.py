"""The files of a measurement that no test made: result document, Markdown, requests, and a baseline to record."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest_aiperf
from pytest_aiperf.baseline import store
from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.exporters.document import (
    failed_document,
    measurement_document,
    write_document,
    write_file,
)
from pytest_aiperf.exporters.markdown import markdown_summary
from pytest_aiperf.exporters.measurement_text import verdict_text
from pytest_aiperf.exporters.records import RecordFiles
from pytest_aiperf.measure.measurement import Measurement


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileFiles:
    """Where everything goes; None: it is not wanted."""

    endpoint: str
    """As it was given."""
    test: str
    """What the measurement is called."""
    name: str | None = None
    json: Path | None = None
    markdown: Path | None = None
    artifacts: Path | None = None
    started_at: str = field(default_factory=lambda: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
    _started_s: float = field(default_factory=lambda: time.monotonic())

    def check(self) -> None:
        """Raise a ConfigurationError when something could not be written: before the load, not after it."""
        for option, path in (("--json", self.json), ("--markdown", self.markdown)):
            if path is not None and (path.is_dir() or not _can_be_made_in(path.absolute().parent)):
                raise ConfigurationError(f"{option}: cannot write {path}; give a file in a writable folder")
        if self.artifacts is not None and not _can_be_made_in(self.artifacts.absolute()):
            raise ConfigurationError(
                f"--artifacts: cannot write into {self.artifacts}; give a writable folder"
            )

    def records(self) -> RecordFiles | None:
        """Return what writes the requests of each run."""
        if self.artifacts is None:
            return None
        return RecordFiles(self.artifacts, test=self.test, name=self.name)

    def write(self, measurement: Measurement, *, profile: str, records: RecordFiles | None) -> None:
        """Write everything that is wanted, the baseline too where one is recorded.

        Raises:
            ConfigurationError: a file cannot be written.
            BaselineError: the baseline cannot be written.
        """
        entry = measurement_document(measurement, node_id=self.test)
        self._write(entry | {"text": verdict_text(measurement), "profile": profile}, records)
        if measurement.to_store is not None and measurement.baseline_path is not None:
            store.save(Path(measurement.baseline_path), store.dump(measurement.to_store))

    def write_failure(self, reason: str, *, profile: str, records: RecordFiles | None) -> None:
        """Write what is wanted of a measurement that could not be made.

        Raises:
            ConfigurationError: a file cannot be written.
        """
        entry = failed_document(node_id=self.test, name=self.name, reason=reason)
        self._write(entry | {"profile": profile}, records)

    def _write(self, entry: Mapping[str, Any], records: RecordFiles | None) -> None:
        whole = {
            **entry,
            "location": None,
            "failure": None,
            "extra": {},
            "artifacts": list(records.written) if records is not None else None,
        }
        if self.markdown is not None:
            text = markdown_summary([whole])
            write_file(self.markdown, text.encode("utf-8", "replace"), option="--markdown")
        if self.json is not None:
            write_document(self.json, self._session(str(entry["profile"])), [whole])

    def _session(self, profile: str) -> Mapping[str, Any]:
        return {
            "endpoint": self.endpoint,
            "profile": profile,
            "started": self.started_at,
            "duration_s": time.monotonic() - self._started_s,
            "pytest": None,
            "plugin": pytest_aiperf.__version__,
            "workers": 0,
        }


def _can_be_made_in(folder: Path) -> bool:
    there = next((path for path in (folder, *folder.parents) if path.exists()), Path("/"))
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)
