"""What a test gets: every metric by its tag, as an attribute or by name, with intervals over runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pytest_aiperf.baseline.schema import Run, SingleValue
from pytest_aiperf.common.errors import did_you_mean
from pytest_aiperf.common.records import ErrorGroup
from pytest_aiperf.config.tolerance import Tolerance
from pytest_aiperf.judge.interval import run_interval
from pytest_aiperf.judge.samples import Policy
from pytest_aiperf.measure.judged import JudgedMetric, run_value
from pytest_aiperf.measure.measurement import Comparison, Measurement
from pytest_aiperf.measure.validity import Check
from pytest_aiperf.metrics.base_metric import BaseMetric
from pytest_aiperf.metrics.registry import ALIASES, STATISTICS, all_metrics


class MetricResult:
    """One metric of a measurement, over the requests of all its runs, in `unit`.

    Percentiles are linear. For a metric that has one value per run (a throughput) they are taken over runs.
    """

    def __init__(self, definition: BaseMetric, values: np.ndarray, sessions: Sequence[Sequence[Run]]) -> None:
        self._definition, self._values, self._sessions = definition, values, sessions

    @property
    def tag(self) -> str:
        """Full name of the metric."""
        return self._definition.tag

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
        return int(self._values.size)

    @property
    def avg(self) -> float:
        """Mean."""
        return float(self._values.mean())

    @property
    def min(self) -> float:
        """Least value."""
        return float(self._values.min())

    @property
    def max(self) -> float:
        """Greatest value."""
        return float(self._values.max())

    @property
    def std(self) -> float:
        """Standard deviation (ddof 0)."""
        return float(self._values.std())

    def __getattr__(self, name: str) -> float:
        if name.startswith("_"):  # also what copy and pickle ask of an object that has no state yet
            raise AttributeError(name)
        if name.startswith("p"):
            try:
                percent = float(name[1:].replace("_", "."))
            except ValueError:
                percent = -1.0
            if 0 <= percent <= 100:
                return float(np.percentile(self._values, percent))
        known = ("unit", "count", "avg", "min", "max", "std", "ci", *STATISTICS)
        raise AttributeError(f"{self.tag} has no statistic {name!r}{did_you_mean(name, known)}")

    def ci(self, statistic: str = "p50") -> tuple[float, float] | None:
        """Return the 95 % interval of a statistic over runs: where it would come out again on this server.

        None where the runs are too few or too short for it (a p99 needs 1000 requests a run), and for a figure of
        zero, around which no interval of ratios can be laid.
        """
        single = any(isinstance(run.metrics.get(self.tag), SingleValue) for s in self._sessions for run in s)
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
        """Return all figures as builtin types."""
        figures = {name: getattr(self, name) for name in STATISTICS}
        intervals = {name: self.ci(name) for name in ("avg", "p50", "p90", "p95", "p99")}
        return {
            "unit": self.unit,
            "direction": self.direction,
            "count": self.count,
            "min": self.min,
            "max": self.max,
            "std": self.std,
            **figures,
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
        return f"<Result {self.verdict}: {', '.join(map(repr, self._metrics.values()))}>"

    def _names(self) -> Sequence[str]:
        return [*self._metrics, *(alias for alias, tag in ALIASES.items() if tag in self._metrics)]

    def _why_not(self, tag: str) -> str:
        known = all_metrics()
        if tag not in known:
            return f"there is: {', '.join(self._metrics)}"
        if known[tag].streaming_only and not self._measurement.streaming:
            return "it needs streaming=True"
        return "no request had a value"


def _metrics_of(measurement: Measurement) -> dict[str, MetricResult]:
    found: dict[str, MetricResult] = {}
    for tag, definition in all_metrics().items():
        values = measurement.pooled.get(tag)
        if values is None:
            per_run = [run.metrics.get(tag) for run in measurement.runs]
            singles = [v.value for v in per_run if isinstance(v, SingleValue) and v.value is not None]
            values = np.array(singles)
        if values.size:
            found[tag] = MetricResult(definition, values, measurement.sessions)
    return found
