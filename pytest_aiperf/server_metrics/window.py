"""From samples to what they say of a run's measured window.

Counters go from the last sample before the window to the first behind it, so that nothing of the window is missing;
how much more that is than the window is told. Gauges are of the samples inside the window only: the sample before a
run is of an idle server.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from pytest_aiperf.server_metrics.counting import (
    Growth,
    buckets_of,
    finite,
    growth,
    part_of,
    starts_of,
    total,
)
from pytest_aiperf.server_metrics.figures import (
    CounterFigure,
    Figure,
    GaugeFigure,
    PageSpan,
    Quantile,
    ServerWindow,
    TimesFigure,
)
from pytest_aiperf.server_metrics.quantile import quantiles_of
from pytest_aiperf.server_metrics.quantities import QUANTITIES, Kind
from pytest_aiperf.server_metrics.sample import ServerSample

_NS: Final = 1e9
_LOOSE_S: Final = 2.5
"""Two samples at the usual rate, and a bit: a span that is farther off than that is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _PageWindow:
    """The samples of one page, for one window."""

    span: PageSpan
    seconds: float
    grown: Growth
    """Empty where the server was restarted, or there are fewer than two samples."""
    inside: Sequence[ServerSample]
    last: ServerSample


def window_of(samples: Iterable[ServerSample], start_ns: int, end_ns: int) -> ServerWindow:
    """Return what the samples say of a window; those of several pages are taken together.

    Args:
        samples: of any number of pages, in any order.
        start_ns: CLOCK_REALTIME ns.
        end_ns: CLOCK_REALTIME ns, not before `start_ns`.
    """
    by_page: dict[str, list[ServerSample]] = defaultdict(list)
    for sample in samples:
        by_page[sample.url].append(sample)
    notes: list[str] = []
    pages = [
        page
        for ordered in (sorted(found, key=lambda one: one.moment_ns) for found in by_page.values())
        if (page := _page_window(ordered, start_ns, end_ns, notes)) is not None
    ]
    figures = {
        name: figure
        for name, quantity in QUANTITIES.items()
        if (figure := _figure(quantity.kind, name, pages, (start_ns, end_ns))) is not None
    }
    if pages and not any(page.inside for page in pages):
        notes.append("no sample lies inside the window: what is running, waiting or in use is not known")
    return ServerWindow(
        span_s=max(end_ns - start_ns, 0) / _NS,
        figures=figures,
        pages=tuple(page.span for page in pages),
        notes=tuple(notes),
    )


def _page_window(
    ordered: Sequence[ServerSample], start_ns: int, end_ns: int, notes: list[str]
) -> _PageWindow | None:
    chosen = _around(ordered, start_ns, end_ns)
    if not chosen:
        return None
    first, last = chosen[0], chosen[-1]
    grown = growth(chosen, _names("counter", "times"))
    again = grown is None or len(starts_of(chosen)) > 1
    span = PageSpan(
        url=last.url,
        server=last.server or first.server,
        samples=len(chosen),
        before_s=(start_ns - first.moment_ns) / _NS,
        after_s=(last.moment_ns - end_ns) / _NS,
        restarted=again,
    )
    notes.extend(_notes_of(span))
    return _PageWindow(
        span=span,
        seconds=(last.moment_ns - first.moment_ns) / _NS,
        grown={} if grown is None or again or len(chosen) < 2 else grown,
        inside=[one for one in chosen if start_ns <= one.before_ns and one.after_ns <= end_ns],
        last=last,
    )


def _around(ordered: Sequence[ServerSample], start_ns: int, end_ns: int) -> Sequence[ServerSample]:
    """The samples from the last one before the window to the first one behind it."""
    before = [i for i, one in enumerate(ordered) if one.after_ns <= start_ns]
    first = before[-1] if before else 0
    behind = [i for i, one in enumerate(ordered) if one.before_ns >= end_ns and i > first]
    return ordered[first : behind[0] + 1 if behind else len(ordered)]


def _notes_of(span: PageSpan) -> Iterable[str]:
    if span.restarted:
        yield (
            f"{span.url}: the server was restarted within the window, or several servers answer there: "
            "its counters say nothing"
        )
    elif span.samples < 2:
        yield f"{span.url}: one sample only, so its counters say nothing"
    elif max(span.before_s, span.after_s) > _LOOSE_S:
        yield (
            f"{span.url}: its counters begin {span.before_s:.1f} s before the window and end "
            f"{span.after_s:.1f} s behind it"
        )
    elif min(span.before_s, span.after_s) < -_LOOSE_S:
        yield (
            f"{span.url}: its counters leave out the first {max(-span.before_s, 0):.1f} s and the last "
            f"{max(-span.after_s, 0):.1f} s of the window"
        )


def _names(*kinds: Kind) -> Sequence[str]:
    return [name for name, quantity in QUANTITIES.items() if quantity.kind in kinds]


def _figure(kind: Kind, name: str, pages: Sequence[_PageWindow], window_ns: tuple[int, int]) -> Figure | None:
    if kind == "gauge":
        return _gauge(name, pages, window_ns)
    if kind == "counter":
        return _counter(name, pages)
    return _times(name, pages)


def _gauge(name: str, pages: Sequence[_PageWindow], window_ns: tuple[int, int]) -> GaugeFigure | None:
    """Added gauges of several pages are added up: the maximum is then an upper bound."""
    told = [figure for page in pages if (figure := _page_gauge(name, page, window_ns)) is not None]
    if not told:
        return None
    together = max if any(largest for _, _, _, largest in told) else math.fsum
    mean, most = together([one[0] for one in told]), together([one[1] for one in told])
    if finite(mean) is None or finite(most) is None:
        return None
    return GaugeFigure(mean=mean, max=most, samples=sum(count for _, _, count, _ in told))


def _page_gauge(
    name: str, page: _PageWindow, window_ns: tuple[int, int]
) -> tuple[float, float, int, bool] | None:
    values, moments, largest = [], [], False
    for sample in page.inside:
        of_sample = [(key.part, value) for key, value in sample.series.items() if key.quantity == name]
        if of_sample:
            largest = of_sample[0][0] == "largest"
            values.append((max if largest else math.fsum)([value for _, value in of_sample]))
            moments.append(sample.moment_ns)
    if not values:
        return None
    weights = _seconds_nearest(moments, *window_ns)
    mean = math.fsum(value * weight for value, weight in zip(values, weights, strict=True))
    return mean / math.fsum(weights), max(values), len(values), largest


def _seconds_nearest(moments_ns: Sequence[int], start_ns: int, end_ns: int) -> Sequence[float]:
    """How long each sample stands for: the time that is nearer to it than to any other."""
    between = [(one + other) / 2 for one, other in pairwise(moments_ns)]
    edges = [float(start_ns), *between, float(end_ns)]
    lengths = [max(high - low, 0.0) / _NS for low, high in pairwise(edges)]
    return lengths if math.fsum(lengths) > 0 else [1.0] * len(moments_ns)


def _counter(name: str, pages: Sequence[_PageWindow]) -> CounterFigure | None:
    told = [(grew, page.seconds) for page in pages if (grew := total(page.grown, name)) is not None]
    delta = finite(math.fsum(grew for grew, _ in told))
    if not told or delta is None:
        return None
    rates = [grew / seconds for grew, seconds in told if seconds > 0]
    rate = finite(math.fsum(rates)) if len(rates) == len(told) else None
    return None if rate is None else CounterFigure(delta=delta, per_s=rate)


def _times(name: str, pages: Sequence[_PageWindow]) -> TimesFigure | None:
    sums = [one for page in pages if (one := part_of(page.grown, name, "sum")) is not None]
    counts = [one for page in pages if (one := part_of(page.grown, name, "count")) is not None]
    if not sums and not counts:
        return None
    together = finite(math.fsum(sums)) if sums else None
    count = finite(math.fsum(counts)) if counts else None
    mean = together / count if together is not None and count else None
    return TimesFigure(
        count=count,
        sum=together,
        mean=None if mean is None else finite(mean),
        quantiles=_quantiles(name, pages),
    )


def _quantiles(name: str, pages: Sequence[_PageWindow]) -> dict[str, Quantile]:
    histograms = [found for page in pages if (found := buckets_of(page.grown, name)) is not None]
    if histograms:
        if len({tuple(sorted(one)) for one in histograms}) > 1:
            return {}
        return quantiles_of({edge: math.fsum(one[edge] for one in histograms) for edge in histograms[0]})
    return _summary(name, pages)


def _summary(name: str, pages: Sequence[_PageWindow]) -> dict[str, Quantile]:
    """A summary's quantiles are the server's own, over a time of its own: as they are in the last sample."""
    found: dict[str, float] = {}
    for page in pages:
        for key, value in page.last.series.items():
            if key.quantity == name and key.part == "quantile":
                share = f"p{float(key.bound) * 100:g}"
                found[share] = max(value, found.get(share, value))
    return {share: Quantile(value=value) for share, value in sorted(found.items())}
