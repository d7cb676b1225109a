"""Runs one exporter after the other. What one cannot write stops no other: the measurement was paid for."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from pytest_aiperf.exporters.console_metrics_exporter import ConsoleExporterDisabled

_LOGGER = logging.getLogger(__name__)


class Exporter(Protocol):
    """Writes something somewhere."""

    def export(self) -> None:
        """Write it."""


@dataclass(frozen=True, slots=True)
class ExportFailure:
    """An exporter that failed, and why."""

    name: str
    error: Exception


class ExporterManager:
    """The exporters of a measurement."""

    def __init__(self, exporters: Sequence[tuple[str, Callable[[], Exporter]]]) -> None:
        self._exporters = exporters
        """By name: what makes each. Making one raises a ConsoleExporterDisabled where it has nothing to do."""

    def export_all(self) -> Sequence[ExportFailure]:
        """Run all of them, and return those that failed, which are logged too."""
        failures = []
        for name, make in self._exporters:
            try:
                make().export()
            except ConsoleExporterDisabled as reason:
                _LOGGER.debug("%s: %s", name, reason)
            except Exception as error:  # whatever it is, the rest is written
                _LOGGER.exception("%s failed; the other exporters go on", name)
                failures.append(ExportFailure(name, error))
        return failures
