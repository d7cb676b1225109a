"""Tables of a measurement on a terminal. What is in one is said by class attributes alone.

The text is plain: no markup that a server's words could end, no frames that a terminal without UTF-8 could not draw.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, TextIO

from pytest_aiperf.exporters.console_rows import ConsoleRow, MetricConsoleGroup, MetricFlags, rows_of
from pytest_aiperf.exporters.figures import number
from pytest_aiperf.exporters.text_lines import WIDTH, plain

_NOT_KNOWN: Final = "N/A"
_NAME: Final = 28
"""Columns that names should have at least."""
_GIVEN_UP_FIRST: Final = ("std", "min", "p90", "max", "avg")
"""Statistics that are left out where the terminal is too narrow for all."""


class ConsoleExporterDisabled(Exception):
    """This exporter has nothing to say here: it is passed over without a word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleExporterConfig:
    """What is shown, where, and what beside the usual."""

    measurement: Mapping[str, Any]
    """An entry of the result document."""
    stream: TextIO
    width: int = WIDTH
    """Columns of the terminal."""
    extra_tables: frozenset[str] = frozenset()
    """Names of exporters that are only shown on request: `ConsoleMetricsExporter.shown_on_request`."""


class ConsoleMetricsExporter:
    """The metrics of a measurement, a table for each group. Subclasses say by their attributes what they show."""

    title: ClassVar[str | None] = None
    """None: the endpoint's type."""
    require_flags: ClassVar[MetricFlags] = MetricFlags.NONE
    """A row has all of these."""
    exclude_flags: ClassVar[MetricFlags] = (
        MetricFlags.INTERNAL
        | MetricFlags.EXPERIMENTAL
        | MetricFlags.HTTP_TRACE
        | MetricFlags.ERROR_ONLY
        | MetricFlags.GPU
        | MetricFlags.SERVER
    )
    """A row has none of these."""
    console_groups: ClassVar[tuple[MetricConsoleGroup, ...] | None] = (
        MetricConsoleGroup.LATENCY,
        MetricConsoleGroup.THROUGHPUT,
        MetricConsoleGroup.TOKENS,
        MetricConsoleGroup.REQUESTS,
        MetricConsoleGroup.GOODPUT,
    )
    """In this order; None: all that pass the flags, in one table."""
    split_by_group: ClassVar[bool] = True
    """A table for each group that has rows; else one for all."""
    statistics: ClassVar[tuple[str, ...]] = ("avg", "min", "max", "p99", "p90", "p50", "std")
    """Columns."""
    shown_on_request: ClassVar[str | None] = None
    """Name by which it is asked for; None: it is always shown."""

    def __init__(self, config: ConsoleExporterConfig) -> None:
        self.config = config
        self._check_enabled(config)

    def _check_enabled(self, exporter_config: ConsoleExporterConfig) -> None:
        """Raise a ConsoleExporterDisabled where it should not run."""
        if self.shown_on_request is not None and self.shown_on_request not in exporter_config.extra_tables:
            raise ConsoleExporterDisabled(f"{self.shown_on_request} was not asked for")

    def export(self) -> None:
        """Print the tables; nothing where no row is left."""
        encoding = getattr(self.config.stream, "encoding", None) or "utf-8"
        for line in self.lines():
            self.config.stream.write(f"{line.encode(encoding, 'replace').decode(encoding)}\n")

    def lines(self) -> Iterator[str]:
        """Yield the tables, a blank line before each."""
        rows = [row for row in rows_of(self.config.measurement) if self._is_shown(row)]
        for title, part in self._tables(rows):
            ordered = sorted(part, key=lambda row: (row.display_order, row.tag))
            yield ""
            yield from textwrap.wrap(plain(title), self.config.width)
            yield from self._table(ordered)

    def _is_shown(self, row: ConsoleRow) -> bool:
        if row.group is MetricConsoleGroup.NONE:
            return False
        if self.console_groups is not None and row.group not in self.console_groups:
            return False
        return self.require_flags in row.flags and not row.flags & self.exclude_flags

    def _tables(self, rows: Sequence[ConsoleRow]) -> Iterator[tuple[str, Sequence[ConsoleRow]]]:
        if not rows:
            return
        title = self.title or f"{self.config.measurement['load'].get('endpoint_type', 'endpoint')} metrics"
        if self.console_groups is None or not self.split_by_group:
            yield title, rows
            return
        for group in self.console_groups:
            if part := [row for row in rows if row.group is group]:
                yield f"{title}: {group}", part

    def _table(self, rows: Sequence[ConsoleRow]) -> Iterator[str]:
        kept = [name for name in self.statistics if any(name in row.figures for row in rows)]
        cells = {name: [_cell(row.figures.get(name)) for row in rows] for name in kept}
        widths = {name: max(len(name), *map(len, column)) for name, column in cells.items()}
        for name in _GIVEN_UP_FIRST:
            if self.config.width - sum(2 + widths[one] for one in kept) < _NAME and name in kept:
                kept.remove(name)
        room = max(1, self.config.width - sum(2 + widths[name] for name in kept))
        names = [textwrap.wrap(_name(row), room) or [""] for row in rows]
        longest = max(len(line) for lines in (*names, ["metric"]) for line in lines)
        yield f"{'metric':<{longest}}" + "".join(f"  {name:>{widths[name]}}" for name in kept)
        for number_of_row, lines in enumerate(names):
            figures = "".join(f"  {cells[name][number_of_row]:>{widths[name]}}" for name in kept)
            yield f"{lines[0]:<{longest}}{figures}"
            yield from (f"  {line}"[: self.config.width] for line in lines[1:])


def _name(row: ConsoleRow) -> str:
    return plain(f"{row.header} ({row.unit})" if row.unit else row.header)


def _cell(value: float | None) -> str:
    return _NOT_KNOWN if value is None else number(value)
