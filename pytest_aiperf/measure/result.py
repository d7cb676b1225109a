"""What a test gets: every metric by its tag, as an attribute or by name, with intervals over runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from pytest_aiperf.baseline.schema import Run
from pytest_aiperf.common.errors import did_you_mean
from pytest_aiperf.common.finite import is_finite_value
from pytest_aiperf.common.records import ErrorGroup
from pytest_aiperf.config.tolerance import Tolerance
from pytest_aiperf.judge.interval import run_interval
from pytest_aiperf.judge.run_summary import min_requests
from pytest_aiperf.judge.samples import Policy
from pytest_aiperf.measure.judged import JudgedMetric, run_value
from pytest_aiperf.measure.measurement import Comparison, Measurement
from pytest_aiperf.measure.validity import Check
from pytest_aiperf.metrics.base_metric import BaseLevelMetric, BaseMetric, BaseRecordMetric, BaseRunMetric
from pytest_aiperf.metrics.registry import ALIASES, STATISTICS, all_metrics
from pytest_aiperf.metrics.statistics import LevelStatistics, Statistics, ValueStatistics, percent_of

FAR_TAIL: Final = "p99_9"


class MetricResult:
    """One metric of a measurement, over the requests of all its runs, in `unit`.

    Percentiles are attributes: ``p50``, ``p99``, ``p99_9`` (also ``p999``). For a metric that has one value per run
    (a throughput) they are taken over runs, for a level (a concurrency) over time.
    """

    def __init__(
        self, definition: BaseMetric, statistics: Statistics, sessions: Sequence[Sequence[Run]]
    ) -> None:
        self._definition, self._statistics, self._sessions = definition, statistics, sessions

    @property
    def tag(self) -> str:
        """Full name of the metric."""
        return self._definition.tag

    @property
    def header(self) -> str:
        """Its name in tables."""
        return self._definition.header

    @property
    def unit(self) -> str:
        """Unit of every figure."""
        return self._definition.unit

    @property
    def direction(self) -> str:
        """``lower``, ``higher`` or ``neutral``: what is better."""
        return self._definition.direction

    @property
    def count(self) -> int:
        """Values behind the figures."""
        return self._statistics.count

    @property
    def sum(self) -> float | None:
        """Sum of the values; None for levels."""
        return self._statistics.sum

    @property
    def avg(self) -> float:
        """Mean."""
        return self._statistics.avg

    @property
    def min(self) -> float:
        """Least value."""
        return self._statistics.min

    @property
    def max(self) -> float:
        """Greatest value."""
        return self._statistics.max

    @property
    def std(self) -> float:
        """Standard deviation (ddof 0); NaN where a value is infinite."""
        return self._statistics.std

    def __getattr__(self, name: str) -> float:
        if name.startswith("_"):  # also what copy and pickle ask of an object that has no state yet
            raise AttributeError(name)
        percent = percent_of(name)
        if percent is None:
            known = ("unit", "count", "sum", "avg", "min", "max", "std", "ci", *STATISTICS, FAR_TAIL)
            raise AttributeError(f"{self.tag} has no statistic {name!r}{did_you_mean(name, known)}")
        needed = min_requests(f"p{percent:.10g}") if 99 < percent < 100 else 1
        if self.count < needed:
            raise AttributeError(
                f"{self.tag} has no {name}: it takes {needed} values, and there are {self.count}; "
                "use p99, or raise request_count"
            )
        return self._statistics.percentile(percent)

    def ci(self, statistic: str = "p50") -> tuple[float, float] | None:
        """Return the 95 % interval of a statistic over runs: where it would come out again on this server.

        None where the runs are too few or too short for it (a p99 needs 1000 requests a run), for a figure of zero,
        around which no interval of ratios can be laid, and for a metric that baselines do not keep.
        """
        if not self._definition.stored:
            return None
        single = isinstance(self._definition, BaseRunMetric)
        metric = JudgedMetric(
            tag=self.tag, statistic="value" if single else statistic, tolerance=Tolerance(relative=0.0)
        )
        policy = Policy(min_requests=metric.min_requests, deterministic=self._definition.deterministic)
        try:
            runs = [[run_value(run, metric) for run in session] for session in self._sessions]
        except AttributeError:
            return None
        center = self.avg if single or statistic == "avg" else float(getattr(self, statistic))
        return run_interval(runs, policy, center=center) if center > 0 else None

    def to_dict(self) -> dict[str, Any]:
        """Return all figures as builtin types; None for what is not finite."""
        names = ("sum", "avg", "min", "max", "std", *STATISTICS)
        figures = {name: getattr(self, name) for name in names}
        if self.count >= min_requests("p99.9"):
            figures[FAR_TAIL] = getattr(self, FAR_TAIL)
        intervals = {name: self.ci(name) for name in ("avg", "p50", "p90", "p95", "p99")}
        return {
            "unit": self.unit,
            "direction": self.direction,
            "count": self.count,
            **{name: figure if is_finite_value(figure) else None for name, figure in figures.items()},
            "ci95": {name: list(pair) if pair else None for name, pair in intervals.items()},
        }

    def __repr__(self) -> str:
        return f"<{self.tag} p50={self.p50:.4g} {self.unit}, {self.count} values>"


class Result:
    """One measurement: ``result.ttft.p95``, ``result["request_throughput"].avg``, `verdict`, `comparisons`."""

    def __init__(self, measurement: Measurement) -> None:
        self._measurement = measurement
        self._metrics = _metrics_of(measurement)

    def __getitem__(self, tag: str) -> MetricResult:
        """Return a metric by tag or short name; a KeyError says what there is."""
        name = ALIASES.get(tag, tag)
        if name not in self._metrics:
            raise KeyError(
                f"no metric {tag!r} in this result{did_you_mean(tag, self._names())}: {self._why_not(name)}"
            )
        return self._metrics[name]

    def __getattr__(self, tag: str) -> MetricResult:
        if tag.startswith("_"):
            raise AttributeError(tag)
        try:
            return self[tag]
        except KeyError as error:
            raise AttributeError(error.args[0]) from None

    def __contains__(self, tag: str) -> bool:
        return ALIASES.get(tag, tag) in self._metrics

    @property
    def runs(self) -> Sequence[Run]:
        """The summaries of all measured runs."""
        return self._measurement.runs

    @property
    def verdict(self) -> str:
        """``pass``, ``inconclusive``, ``regressed``, ``no_baseline``, ``not_comparable``, ``invalid``, ``measured``."""
        return self._measurement.verdict

    @property
    def reason(self) -> str:
        """The verdict in a sentence."""
        return self._measurement.judgement.reason

    @property
    def comparisons(self) -> Sequence[Comparison]:
        """One row per judged figure."""
        return self._measurement.judgement.comparisons

    @property
    def errors(self) -> Sequence[ErrorGroup]:
        """Failed requests, grouped; empty when there were none."""
        return self._measurement.errors

    @property
    def validity(self) -> Sequence[Check]:
        """Every check of every run."""
        return self._measurement.validity

    @property
    def osl_source(self) -> str:
        """Where output token counts come from: ``usage`` or ``content_messages``."""
        return self._measurement.osl_source

    @property
    def measurement(self) -> Measurement:
        """Everything that is known."""
        return self._measurement

    def to_dict(self) -> dict[str, Any]:
        """Return every metric as builtin types, by tag."""
        return {tag: metric.to_dict() for tag, metric in self._metrics.items()}

    def __repr__(self) -> str:
        shown = [repr(metric) for metric in self._metrics.values() if not all_metrics()[metric.tag].hidden]
        return f"<Result {self.verdict}: {', '.join(shown)}>"

    def _names(self) -> Sequence[str]:
        return [*self._metrics, *(alias for alias, tag in ALIASES.items() if tag in self._metrics)]

    def _why_not(self, tag: str) -> str:
        metric = all_metrics().get(tag)
        if metric is None:
            return f"there is: {', '.join(self._metrics)}"
        if metric.streaming_only and not self._measurement.streaming:
            return "it needs streaming=True"
        if metric.open_loop_only:
            return "it needs requests with due times (a request rate or a schedule) that succeed"
        if metric.slos_only:
            return "it needs limits, such as goodput='ttft:400 itl:20'"
        if metric.graded_only:
            return "it needs data with expected answers, and a good answer to one of its requests"
        if isinstance(metric, BaseRecordMetric) and metric.counts_failed:
            return "no request failed, so it would repeat the plain metric"
        return "no request had a value"


def _metrics_of(measurement: Measurement) -> dict[str, MetricResult]:
    found: dict[str, MetricResult] = {}
    for tag, definition in all_metrics().items():
        statistics = _statistics(measurement, definition)
        if statistics is not None:
            found[tag] = MetricResult(definition, statistics, measurement.sessions)
    return found


def _statistics(measurement: Measurement, definition: BaseMetric) -> Statistics | None:
    if isinstance(definition, BaseLevelMetric):
        levels = measurement.levels.get(definition.tag)
        return LevelStatistics(levels) if levels is not None else None
    values = measurement.pooled.get(definition.tag)
    if values is None or not values.size:
        return None
    nearest_rank = isinstance(definition, BaseRecordMetric) and definition.counts_failed
    return ValueStatistics(values, nearest_rank=nearest_rank)
