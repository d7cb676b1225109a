"""What the summary shows of a measurement: figures by the names that people type."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pytest_aiperf.common.errors import ConfigurationError, did_you_mean
from pytest_aiperf.exporters.figures import number, percent
from pytest_aiperf.metrics.base_metric import BaseRunMetric
from pytest_aiperf.metrics.registry import ALIASES, STATISTICS, all_metrics, short_name

ERRORS: Final = "errors"
_STATISTICS: Final = ("avg", "min", "max", "std", "sum", *STATISTICS[1:])
_UNITS: Final = {"tokens/s": "tok/s", "requests/s": "req/s"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A figure of a metric, or the share of failed requests."""

    tag: str
    statistic: str | None = None
    """None: the one that is judged, else the median; the mean where a run has one value."""

    def cell(self, measurement: Mapping[str, Any]) -> str:
        """Return ``ttft 59.6 ms +0.3 %``: label, figure, change where this figure was judged; empty without one."""
        if self.tag == ERRORS:
            return _errors(measurement)
        metric = measurement["metrics"].get(self.tag)
        if metric is None:
            return ""
        judged = self.judged_in(measurement)
        one_a_run = isinstance(all_metrics()[self.tag], BaseRunMetric)
        statistic = self.statistic or ("avg" if one_a_run else _statistic_of(judged) if judged else "p50")
        unit = _UNITS.get(metric["unit"], metric["unit"])
        change = f" {percent(judged['change'])}" if judged and judged["change"] is not None else ""
        if one_a_run and statistic == "avg" and unit in _UNITS.values():
            label = "" if self.tag in _TOLD_BY_THEIR_UNIT else f"{short_name(self.tag)} "
        else:
            label = f"{short_name(self.tag)} {'' if statistic == self._usual(one_a_run) else f'{statistic} '}"
        return f"{label}{number(metric[statistic])} {unit}{change}"

    def judged_in(self, measurement: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Return the comparison of this figure with the baseline; None where it was not judged."""
        rows = (row for row in with_the_baseline(measurement) if row["metric"].partition(".")[0] == self.tag)
        return next((row for row in rows if self.statistic in (None, _statistic_of(row) or "avg")), None)

    @staticmethod
    def _usual(one_a_run: bool) -> str:
        return "avg" if one_a_run else "p50"


_TOLD_BY_THEIR_UNIT: Final = ("request_throughput", "output_token_throughput")
USUAL: Final = tuple(
    Column(tag=tag)
    for tag in ("time_to_first_token", "inter_token_latency", "request_latency", "output_token_throughput")
)


def with_the_baseline(measurement: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the comparisons without those with the anchor alone: the figure beside a name is one."""
    return (row for row in measurement["comparisons"] if row["against"] != "anchor")


def parse_columns(text: str) -> Sequence[Column]:
    """Read ``ttft.p50,itl.p99,throughput,errors``.

    Raises:
        ConfigurationError: no such metric or statistic, with the nearest known one; or none is named.
    """
    names = [name for item in text.split(",") if (name := item.strip())]
    if not names:
        raise ConfigurationError(f"{text!r} names no metric; write e.g. ttft.p50,throughput,{ERRORS}")
    return [_parsed(name) for name in names]


def _parsed(text: str) -> Column:
    name, dot, statistic = text.partition(".")
    tag, known = ALIASES.get(name, name), all_metrics()
    if tag not in known and tag != ERRORS:
        raise ConfigurationError(f"unknown metric {name!r}{did_you_mean(name, [ERRORS, *ALIASES, *known])}")
    if not dot or (statistic == "value" and tag in known and isinstance(known[tag], BaseRunMetric)):
        return Column(tag=tag)
    if tag == ERRORS:
        raise ConfigurationError(f"{ERRORS} is one share; write {ERRORS!r}, not {text!r}")
    if statistic not in _STATISTICS:
        raise ConfigurationError(
            f"unknown statistic {statistic!r} in {text!r}{did_you_mean(statistic, _STATISTICS)}; "
            f"there is: {', '.join(_STATISTICS)}"
        )
    return Column(tag=tag, statistic=statistic)


def _statistic_of(comparison: Mapping[str, Any]) -> str:
    return str(comparison["metric"]).partition(".")[2]


def _errors(measurement: Mapping[str, Any]) -> str:
    runs = [run for session in measurement["sessions"] for run in session["runs"]]
    sent = sum(run["n_ok"] + run["n_err"] for run in runs)
    return f"errors {percent(sum(run['n_err'] for run in runs) / sent, sign=False)}" if sent else ""
