"""What is judged: which metrics, with which tolerance, and their values as the gate wants them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pytest_aiperf.baseline.schema import Baseline, Distribution, Run, SingleValue, Variance
from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.config.aiperf_config import AIPerfConfig
from pytest_aiperf.config.tolerance import Tolerance
from pytest_aiperf.judge.run_summary import min_requests
from pytest_aiperf.judge.samples import Policy, Relation, RunStat
from pytest_aiperf.measure.run_data import JUDGEABLE
from pytest_aiperf.measure.terms import Terms
from pytest_aiperf.metrics.registry import all_metrics, parse_judged, short_name

DEFAULT_TOLERANCE: Final = Tolerance(relative=0.05)
TAIL_TOLERANCE: Final = Tolerance(relative=0.10)
ACCURACY_TOLERANCE: Final = Tolerance(relative=0.05, floor=0.02, unit="ratio")
"""Two points at least: where few answers are right, one of them is more than 5 %."""
ACCURACY: Final = ("accuracy", "value")
_HALF_AN_ANSWER: Final = 0.5
_TAILS: Final = ("p90", "p95", "p99")


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedMetric:
    """One statistic of one metric, and how much worse it may be."""

    tag: str
    statistic: str
    tolerance: Tolerance

    @property
    def name(self) -> str:
        """Name in files and documents: ``time_to_first_token.p50``, ``request_throughput``."""
        return self.tag if self.statistic == "value" else f"{self.tag}.{self.statistic}"

    @property
    def label(self) -> str:
        """Name for people: ``ttft p50``."""
        return (
            short_name(self.tag) if self.statistic == "value" else f"{short_name(self.tag)} {self.statistic}"
        )

    @property
    def min_requests(self) -> int:
        """Requests per run that the statistic needs to be judged."""
        return 1 if self.statistic == "value" else min_requests(self.statistic)

    @property
    def unit(self) -> str:
        """Unit of its values."""
        return all_metrics()[self.tag].unit


def judged_metrics(
    config: AIPerfConfig, *, measured: int | None = None, graded: bool | None = None
) -> Sequence[JudgedMetric]:
    """Return the judged metrics: those that the user names, else the defaults; each named one at most once.

    By default TTFT p50, ITL p50 and the tail of the request latency, none an algebraic twin of another, the accuracy
    where the data says which answers are expected, and what the user gives a tolerance for. A p95 needs 200 requests
    a run: below that it is reported and not judged.

    Args:
        config: the whole configuration.
        measured: requests per run, where schedule or duration decide; None: the configured ones, or nobody knows.
        graded: whether answers are held against expected ones; None: the data was not read yet.

    Raises:
        ConfigurationError: an unknown name, a metric that has no better or worse, or one that is named to be judged
            and that this load does not yield.
    """
    tolerances = {parse_judged(key): value for key, value in config.verdict.tolerance.items()}
    named = config.verdict.metrics
    measured = config.load.request_count if measured is None else measured
    usual = _defaults(config, measured) if named is None else [parse_judged(text) for text in named]
    if named is None and graded:
        usual = [*usual, ACCURACY]
    chosen = [
        JudgedMetric(tag=tag, statistic=statistic, tolerance=_tolerance(tag, statistic, tolerances))
        for tag, statistic in dict.fromkeys([*usual, *(tolerances if named is None else ())])
        if _can_be_judged(tag, statistic)
    ]
    absent = {metric.name: why for metric in chosen if (why := _why_absent(metric, config, measured, graded))}
    if named is not None and absent:
        raise ConfigurationError("; ".join(f"{name} cannot be judged: {why}" for name, why in absent.items()))
    return [m for m in chosen if m.name not in absent or (m.tag, m.statistic) in usual]


def _defaults(config: AIPerfConfig, measured: int | None) -> Sequence[tuple[str, str]]:
    if not config.endpoint.streaming:
        return [("request_latency", "p50")]
    chosen = [("time_to_first_token", "p50")]
    if config.input.osl >= 2 and config.endpoint.produces_tokens:
        chosen.append(("inter_token_latency", "p50"))
    if measured is not None and measured >= min_requests("p95"):
        chosen.append(("request_latency", "p95"))
    return chosen


def _can_be_judged(tag: str, statistic: str) -> bool:
    if all_metrics()[tag].direction == "neutral":
        raise ConfigurationError(f"{tag} cannot be judged: neither more nor less of it is better")
    if statistic not in ("value", *JUDGEABLE):
        raise ConfigurationError(
            f"{tag}.{statistic} cannot be judged: a baseline holds {', '.join(JUDGEABLE)} of it"
        )
    return True


def _why_absent(
    metric: JudgedMetric, config: AIPerfConfig, measured: int | None, graded: bool | None
) -> str | None:
    """Why this load gives no figure to judge. A tolerance in the ini file speaks of many tests, and not all have it."""
    definition = all_metrics()[metric.tag]
    if definition.streaming_only and not config.endpoint.streaming:
        return "it needs streaming=True"
    if definition.slos_only and not config.verdict.goodput:
        return "it needs goodput limits, e.g. goodput='ttft:400'"
    if definition.graded_only and graded is False:
        return "it needs data with expected answers"
    if definition.open_loop_only and not config.load.open_loop:
        return "it needs requests with due times: a request rate or a schedule"
    if definition.group == "throughput" and metric.statistic == "value" and config.load.open_loop:
        return "in the open loop it is the rate at which requests are sent, whatever the server does"
    if metric.tag == "inter_token_latency" and config.input.osl < 2:
        return "it needs an osl of at least 2"
    if measured is not None and measured < metric.min_requests:
        return f"it needs a request_count of at least {metric.min_requests}, got {measured}"
    return None


def _tolerance(tag: str, statistic: str, given: Mapping[tuple[str, str], Tolerance]) -> Tolerance:
    default = TAIL_TOLERANCE if statistic in _TAILS else DEFAULT_TOLERANCE
    if (tag, statistic) == ACCURACY:
        default = ACCURACY_TOLERANCE
    chosen = given.get((tag, statistic), default)
    unit = all_metrics()[tag].unit
    if chosen.floor and chosen.unit not in (None, unit):
        raise ConfigurationError(f"tolerance of {tag}: the floor is in {chosen.unit}, the metric in {unit}")
    return chosen


def policy_of(
    metric: JudgedMetric, terms: Terms, *, relation: Relation, calibrated: Variance | None = None
) -> Policy:
    """Return how a metric is judged: its own tolerance and direction, the measurement's terms, what is known of it."""
    definition = all_metrics()[metric.tag]
    # How much sessions differ was calibrated on one host: between hosts they differ more.
    sessions = calibrated if relation == "same_host" else None
    return Policy(
        tolerance=metric.tolerance.relative,
        floor=metric.tolerance.floor,
        direction="higher" if definition.direction == "higher" else "lower",
        relation=relation,
        tau=sessions.tau if sessions else None,
        tau_df=sessions.df if sessions else None,
        run_sd=calibrated.run_sd if calibrated else None,
        strict=terms.strict,
        looks=terms.looks,
        alpha_fail=terms.alpha_fail,
        alpha_pass=terms.alpha_pass,
        min_requests=metric.min_requests,
        deterministic=definition.deterministic,
    )


def run_value(run: Run, metric: JudgedMetric) -> RunStat:
    """Return one run's value of a judged metric; a value of None where the run has none.

    The judge compares by ratio, and to 0 there is none: a run without one right answer counts as half a one, so that
    the worst that can happen to an accuracy is not what nothing can be said about.
    """
    found = run.metrics.get(metric.tag)
    if isinstance(found, SingleValue):
        value = found.value
        if value == 0 and (metric.tag, metric.statistic) == ACCURACY:
            value = _HALF_AN_ANSWER / max(run.n_ok, 1)
        return RunStat(value, run.n_ok, None, run.n_err)
    if not isinstance(found, Distribution):
        return RunStat(None, 0, None, run.n_err)
    value = getattr(found, metric.statistic)
    return RunStat(value, found.count + run.n_err, found.var_within.get(metric.statistic), run.n_err)


def stall_threshold_of(baseline: Baseline) -> float | None:
    """Return the stored threshold of the anchor session, None where it has none."""
    anchor = next(session for session in baseline.sessions if session.id == baseline.anchor)
    return next((run.stalls.threshold_ms for run in anchor.runs if run.stalls), None)
