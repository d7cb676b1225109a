"""Reads a Prometheus page: the figures that are known, and nothing else of it.

prometheus_client's parser takes about 50 µs for a sample, and a page of a busy server has thousands of them. So only
lines of known names are looked at, and the parser is asked once for each label set: afterwards the same text before
the value is the same number. What is left is a dictionary look-up and a `float` for each line.

Both text formats are read alike, Prometheus' and OpenMetrics': kinds are known from the table, not from the page.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from pytest_aiperf.common.errors import AiperfError
from pytest_aiperf.server_metrics.known_servers import SERVERS, Source
from pytest_aiperf.server_metrics.quantities import Part, SeriesKey

MAX_SERIES: Final = 5_000
"""A server with sixteen engines has some two thousand."""
_LONGEST_LINE: Final = 4_096
"""prometheus_client looks at each character of a line, and at all before a quote for each quote."""
_REMEMBERED: Final = 4 * MAX_SERIES
_ABSURD: Final = 1e30
"""No figure of a server is larger, and sums of smaller ones are finite."""
_STARTED: Final = "process_start_time_seconds"
_COPIES: Final = frozenset({"tp_rank", "pp_rank", "moe_ep_rank", "pid"})
"""Labels of processes that tell the same figure once more: of such the largest counts."""
_EDGES: Final = {"bucket": "le", "quantile": "quantile"}
_PARTS_OF: Final[Mapping[str, Mapping[str, Part]]] = {
    "histogram": {"_bucket": "bucket", "_sum": "sum", "_count": "count"},
    "summary": {"": "quantile", "_sum": "sum", "_count": "count"},
    "added": {"": "added"},
    "largest": {"": "largest"},
    "sum": {"": "sum"},
    "count": {"": "count"},
}


class NotMetricsError(AiperfError):
    """A page is not in the format, or has more than is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What one page told."""

    server: str | None
    """Name of the server; None where nothing known was on it."""
    series: Mapping[SeriesKey, float]
    """Finite values, in the unit of the quantity. What is NaN on the page is absent here."""
    started_s: float | None
    """When the server's process was started, Unix time: tells a restart."""
    arguments: Mapping[str, str]
    """What the page tells of how the server was started."""


class _Feed(NamedTuple):
    """What the lines of one page name are to one quantity."""

    server: int
    alternative: int
    source: int
    read: Source
    quantity: str
    part: Part


class _Number(NamedTuple):
    """Where the value of a line belongs."""

    rank: tuple[int, int]
    key: SeriesKey
    scale: float


def _feeds() -> Mapping[str, list[_Feed]]:
    found = defaultdict(list)
    for server, known in enumerate(SERVERS):
        for told in known.told:
            for place, sources in enumerate(told.alternatives):
                for number, source in enumerate(sources):
                    for suffix, part in _PARTS_OF[source.reads].items():
                        feed = _Feed(server, place, number, source, told.quantity, part)
                        found[source.name + suffix].append(feed)
    return found


_FEEDS: Final = _feeds()
_ARGUMENTS: Final = frozenset(name for known in SERVERS for name in known.arguments)
_WANTED: Final = frozenset({*_FEEDS, *_ARGUMENTS, _STARTED})
_FAMILIES: Final = sorted({re.split("[:_]", name)[0] for name in _WANTED})
# Exporters that rewrite names, and newer versions of SGLang, have a _ where others have a colon.
_LINE: Final = re.compile(rf"^(?:({'|'.join(_FAMILIES)})[:_]\w+)[^\n]*$", re.MULTILINE | re.ASCII)
_NAME: Final = re.compile(r"[A-Za-z_:][\w:]*", re.ASCII)
_WITH_COLON: Final = frozenset(name.partition(":")[0] for name in _FEEDS if ":" in name)
_FIRST: Final = re.compile(r"^(?![#\s])[^\n]+", re.MULTILINE)
_SAMPLE: Final = re.compile(
    r'(?:[A-Za-z_:][\w:]*(?:[ \t]*\{.*\}|(?=[ \t]))|\{".*\})[ \t]*[-+]?(?:[0-9.]|nan\b|inf)',
    re.ASCII | re.IGNORECASE,
)


@dataclass(slots=True)
class PageReader:
    """Reads the pages of one URL, one after another."""

    _heads: dict[str, tuple[_Number, ...]] = field(default_factory=dict)
    """By all of a line that stands before its value."""

    def read(self, text: str) -> Page:
        """Return what is known of a page.

        Raises:
            NotMetricsError: it is not in the format, or has too many known figures.
        """
        first = _FIRST.search(text)
        if first is not None and _SAMPLE.match(first[0]) is None:
            raise NotMetricsError(f"its first line is no sample of a metric: {first[0][:60]!r}")
        best: dict[str, tuple[int, int]] = {}
        found: dict[str, dict[SeriesKey, float]] = defaultdict(dict)
        arguments: dict[str, str] = {}
        started_s, lines = None, 0
        for line in _LINE.finditer(text):
            name = _as_in_table(_NAME.match(line[0])[0], line[1])  # type: ignore[index]  # _LINE begins with a name
            if name not in _WANTED:
                continue
            lines += 1
            if lines > MAX_SERIES or len(line[0]) > _LONGEST_LINE:
                raise NotMetricsError(_too_much(line[0]))
            if name == _STARTED:
                started_s = _finite(_parsed(line[0])[1])
            elif name in _ARGUMENTS:
                arguments.update(_parsed(line[0])[0])
            else:
                numbers, value = self._take(name, line[0])
                for rank, key, scale in numbers:
                    _keep(found[key.quantity], best, rank, key, value * scale)
        server = min(best.values())[0] if best else None
        return Page(
            server=None if server is None else SERVERS[server].name,
            series={key: value for series in found.values() for key, value in series.items()},
            started_s=started_s,
            arguments=arguments,
        )

    def _take(self, name: str, line: str) -> tuple[tuple[_Number, ...], float]:
        head, _, rest = line.rpartition(" ")
        plain = head.endswith("}") or " " not in head
        if (
            not plain or " # " in line or "\t" in line or "_" in rest
        ):  # a time stamp, an exemplar, or nonsense
            labels, value = _parsed(line)
            return tuple(_numbers(name, labels)), value
        known = self._heads.get(head)
        if known is None:
            if len(self._heads) >= _REMEMBERED:  # label sets come and go
                self._heads.clear()
            known = self._heads[head] = tuple(_numbers(name, _parsed(f"{head} 0")[0]))
        try:
            return known, float(rest)
        except ValueError:
            raise NotMetricsError(_not_a_sample(line)) from None


def _as_in_table(name: str, family: str) -> str:
    return f"{family}:{name[len(family) + 1 :]}" if family in _WITH_COLON else name


def _keep(
    series: dict[SeriesKey, float],
    best: dict[str, tuple[int, int]],
    rank: tuple[int, int],
    key: SeriesKey,
    value: float,
) -> None:
    """Take a value unless a better name for the same quantity is on the page."""
    present = best.setdefault(key.quantity, rank)
    if rank < present:
        series.clear()
        best[key.quantity] = rank
    if rank <= present and abs(value) <= _ABSURD:  # NaN is not
        series[key] = max(value, series.get(key, value))


def _numbers(name: str, labels: Mapping[str, str]) -> Iterator[_Number]:
    for feed in _FEEDS[name]:
        if any(labels.get(label) != wanted for label, wanted in feed.read.where.items()):
            continue
        edge = _EDGES.get(feed.part, "")
        bound = _bound(labels.get(edge, ""), feed) if edge else ""
        others = sorted((k, v) for k, v in labels.items() if k != edge and k not in _COPIES)
        told = hashlib.blake2b(repr((feed.source, others)).encode(), digest_size=6).hexdigest()
        key = SeriesKey(feed.quantity, feed.part, bound, told if others or feed.source else "")
        counts = feed.part in ("count", "bucket")
        yield _Number((feed.server, feed.alternative), key, 1.0 if counts else feed.read.scale)


def _bound(text: str, feed: _Feed) -> str:
    """Return the upper edge of a bucket in seconds, or a quantile, from 0 to 1, as a text that `float` reads."""
    try:
        bound = float(text)
    except ValueError:
        bound = math.nan
    if feed.part == "bucket" and bound == math.inf:
        return "+Inf"
    limit = 1.0 if feed.part == "quantile" else _ABSURD
    if not abs(bound) <= limit:  # NaN is not
        raise NotMetricsError(f"{feed.read.name} has a {feed.part} at {text[:40]!r}, which cannot be")
    return repr(bound if feed.part == "quantile" else bound * feed.read.scale)


def _parsed(line: str) -> tuple[Mapping[str, str], float]:
    try:
        (family,) = text_string_to_metric_families(line + "\n")
        (sample,) = family.samples
        return sample.labels, float(sample.value)
    except (ValueError, IndexError):
        raise NotMetricsError(_not_a_sample(line)) from None
    except OverflowError:
        return {}, math.nan


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _too_much(line: str) -> str:
    if len(line) > _LONGEST_LINE:
        return f"a line of it has more than {_LONGEST_LINE} characters: {line[:60]!r}"
    return f"it has more than {MAX_SERIES} samples of known metrics"


def _not_a_sample(line: str) -> str:
    return f"a line of it cannot be read: {line[:60]!r}"
