"""A folder as AIPerf 0.13 leaves it, so that what was written for its files goes on working.

Requests are written after each run and figures at the end. All runs of a measurement are in one folder: AIPerf itself
writes one a run. What its readers look up is there under its names; what only pytest-aiperf knows is in the result
document.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.exporters.aiperf_inputs import write_inputs
from pytest_aiperf.exporters.aiperf_names import INPUTS, RECORDS, SUMMARY_CSV, SUMMARY_JSON
from pytest_aiperf.exporters.aiperf_records import write_aiperf_records
from pytest_aiperf.exporters.aiperf_summary import summary_csv, summary_document
from pytest_aiperf.exporters.document import json_bytes, write_file
from pytest_aiperf.measure.runs import MadeRun


class AIPerfArtifacts:
    """The files of one measurement: `MeasureRequest.on_run` writes the requests, `finish` all else."""

    def __init__(self, folder: Path, *, option: str) -> None:
        self.folder = folder
        self._option = option
        self._next_session = 0
        self._last: tuple[tuple[str, int], int, int] | None = None
        """The run that was written last, where it begins in the file, and its first conversation."""

    def __call__(self, made: MadeRun) -> None:
        """Write the requests of a run of the server that is measured; one that is made again takes its place.

        Raises:
            ConfigurationError: a file cannot be written.
        """
        if made.against:
            return
        try:
            if self._last is None:
                self._begin(made)
            self._append(made)
        except OSError as error:
            raise ConfigurationError(f"{self._option}: cannot write into {self.folder}: {error}") from None

    def finish(self, measurement: Mapping[str, Any]) -> None:
        """Write the figures.

        Args:
            measurement: its entry in the result document; nothing is written of one that could not be made.

        Raises:
            ConfigurationError: a file cannot be written.
        """
        if measurement["key"] is None:
            return
        document = json_bytes(summary_document(measurement))
        write_file(self.folder / SUMMARY_JSON, document, option=self._option)
        table = summary_csv(measurement).encode("utf-8", "replace")
        write_file(self.folder / SUMMARY_CSV, table, option=self._option)

    def _begin(self, made: MadeRun) -> None:
        """Write what is sent in every run; what an earlier measurement left here goes."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in (SUMMARY_JSON, SUMMARY_CSV, INPUTS):
            (self.folder / name).unlink(missing_ok=True)
        (self.folder / RECORDS).write_bytes(b"")
        if made.bodies:
            batch = made.data.batch
            with (self.folder / INPUTS).open("wb") as file:
                write_inputs(file, made.bodies, conversation=batch.conversation, request=batch.request_index)

    def _append(self, made: MadeRun) -> None:
        which = (made.phase, made.number)
        with (self.folder / RECORDS).open("r+b") as file:
            if self._last is not None and self._last[0] == which:
                _, place, first = self._last
                file.truncate(place)
            else:
                first = self._next_session
            place = file.seek(0, 2)
            self._next_session = write_aiperf_records(file, made.data, first_session=first)
        self._last = (which, place, first)
