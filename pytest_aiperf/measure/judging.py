"""Bring the runs of both sides before the judge: judged metrics, the error share, the stall share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pytest_aiperf.baseline.schema import Run, Session, Variance
from pytest_aiperf.judge.anchor import amount_to, anchored, since, with_anchor
from pytest_aiperf.judge.confirmation import confirm_metrics
from pytest_aiperf.judge.error_gate import judge_errors
from pytest_aiperf.judge.holm import MetricSamples, judge_metrics
from pytest_aiperf.judge.interval import run_interval
from pytest_aiperf.judge.samples import Decision, Policy, RunStat
from pytest_aiperf.judge.stall_gate import judge_stalls
from pytest_aiperf.judge.verdict import another_look, combine, limit_mde
from pytest_aiperf.measure.judged import JudgedMetric, policy_of, run_value
from pytest_aiperf.measure.measurement import Comparison, Judgement
from pytest_aiperf.measure.terms import Terms

Sessions = Sequence[Sequence[Run]]
ERRORS = "error_share"
STALLS = "stall_share"
_MAX_ERROR_SHARE = 0.05
"""Above this the survivors are no sample of the latency: only the error share is judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One test's baseline and what is judged about it."""

    terms: Terms
    metrics: Sequence[JudgedMetric]
    baseline: Sequence[Session]
    """The sessions that are compared, the anchor first."""
    host: str | None
    """Where this measurement runs, to tell the same machine from another."""
    variance: Mapping[str, Variance] = field(default_factory=dict)
    """Calibrated, by judged metric."""

    def judge(self, runs: Sequence[Run], look: int) -> Judgement:
        """Judge the runs so far at one of the planned looks."""
        decisions = self._worded(self._decide([runs], look))
        telling = amount_to(decisions)
        verdict, reason = combine(telling)
        return Judgement(
            verdict=verdict,
            reason=reason,
            comparisons=self._comparisons([runs], decisions),
            more_runs_help=another_look(telling, look, len(self.terms.looks)),
        )

    def confirm(self, first: Sequence[Run], second: Sequence[Run], look: int) -> Judgement:
        """Judge again after a second session: what the first called regressed must hold over both."""
        alone, again, both = (self._decide(side, look) for side in ([first], [second], [first, second]))
        found = dict(alone)
        later = {name: pair.candidate[0] for name, pair in self._samples([second]).items()}
        confirmed = confirm_metrics(self._samples([first]), later, look)
        found |= {name: confirmed[name] for name in confirmed if _has_regressed(alone.get(name))}
        for name in (STALLS, ERRORS):
            if _has_regressed(alone.get(name)):
                found[name] = _confirmed_share(both.get(name), again.get(name))
        found = self._worded(found)
        verdict, reason = combine(amount_to(found))
        return Judgement(
            verdict=verdict, reason=reason, comparisons=self._comparisons([first, second], found)
        )

    def _decide(self, candidate: Sessions, look: int) -> dict[str, Decision]:
        decisions: dict[str, Decision] = {}
        if _error_share(candidate) <= _MAX_ERROR_SHARE:
            decisions.update(judge_metrics(self._samples(candidate), look))
            if self.terms.max_mde is not None:
                for metric in self.metrics:
                    decisions[metric.name] = limit_mde(decisions[metric.name], self.terms.max_mde)
            decisions.update(self._stalls(candidate, look))
        before = _totals([session.runs for session in self.baseline])
        decisions[ERRORS] = judge_errors(before, _totals(candidate), alpha=self.terms.alpha_fail[look])
        return decisions

    def _stalls(self, candidate: Sessions, look: int) -> Mapping[str, Decision]:
        before = [[(r.stalls.count, r.n_ok) for r in s.runs if r.stalls] for s in self.baseline]
        now = [[(r.stalls.count, r.n_ok) for r in runs if r.stalls] for runs in candidate]
        if not any(before) or not any(now):
            return {}
        return {
            STALLS: judge_stalls(before, now, alpha=self.terms.alpha_fail[look], paired=self.terms.paired)
        }

    def _samples(self, candidate: Sessions) -> dict[str, MetricSamples]:
        """By metric, and a second time for the comparison with the anchor alone."""
        samples = {
            metric.name: MetricSamples(
                baseline=[[run_value(run, metric) for run in session.runs] for session in self.baseline],
                candidate=[[run_value(run, metric) for run in runs] for runs in candidate],
                policy=self._policy(metric),
            )
            for metric in self.metrics
        }
        return with_anchor(samples)

    def _policy(self, metric: JudgedMetric) -> Policy:
        same_host = all(session.environment.host == self.host for session in self.baseline)
        return policy_of(
            metric,
            self.terms,
            relation="paired" if self.terms.paired else "same_host" if same_host else "same_part",
            calibrated=self.variance.get(metric.name),
        )

    def _worded(self, decisions: Mapping[str, Decision]) -> dict[str, Decision]:
        """Let the decisions about the anchor say that they are; what came at once did not come in small steps."""
        worded = dict(decisions)
        for metric in self.metrics:
            second = anchored(metric.name)
            if second in decisions:
                crept = _has_regressed(decisions[second]) and not _has_regressed(decisions[metric.name])
                worded[second] = since(decisions[second], self._anchor_day, in_small_steps=crept)
        return worded

    @property
    def _anchor_day(self) -> str:
        return self.baseline[0].recorded.at[: len("2026-11-02")]

    def _comparisons(self, candidate: Sessions, decisions: Mapping[str, Decision]) -> Sequence[Comparison]:
        pairs = self._samples(candidate)
        rows = [_metric_row(m, pairs[m.name], decisions[m.name]) for m in self.metrics if m.name in decisions]
        before = [session.runs for session in self.baseline]
        if STALLS in decisions:
            rows.append(
                _share_row(STALLS, "stalls", decisions[STALLS], _stall_share(before), _stall_share(candidate))
            )
        rows.append(
            _share_row(ERRORS, "errors", decisions[ERRORS], _error_share(before), _error_share(candidate))
        )
        return [*rows, *self._anchor_rows(pairs, decisions)]

    def _anchor_rows(
        self, pairs: Mapping[str, MetricSamples], decisions: Mapping[str, Decision]
    ) -> Iterator[Comparison]:
        """Never improved: what got better in small steps is no news of this measurement."""
        for metric in self.metrics:
            name = anchored(metric.name)
            if name in decisions:
                row = _metric_row(metric, pairs[name], decisions[name])
                label = f"{metric.label} since {self._anchor_day}"
                yield replace(row, label=label, against="anchor", improved=False)


def _has_regressed(decision: Decision | None) -> bool:
    return decision is not None and decision.verdict == "regressed"


def _confirmed_share(together: Decision | None, again: Decision | None) -> Decision:
    """Regressed over both sessions, and the second by itself not within what is allowed; else they disagree."""
    if together is None or again is None:
        return Decision(verdict="inconclusive", reason="the second session has nothing to compare")
    if together.verdict == "regressed" and again.verdict != "pass":
        return together
    reason = f"sessions disagree: both together {together.reason}; the second by itself {again.reason}"
    return replace(together, verdict="inconclusive", reason=reason)


def _metric_row(metric: JudgedMetric, pair: MetricSamples, decision: Decision) -> Comparison:
    baseline, baseline_half = _value_and_half(pair.baseline, pair.policy)
    now, now_half = _value_and_half(pair.candidate, pair.policy)
    floor = pair.policy.floor / baseline if baseline else 0.0
    return Comparison(
        metric=metric.name,
        label=metric.label,
        unit=metric.unit,
        verdict=decision.verdict,
        reason=decision.reason,
        baseline=baseline,
        now=now,
        baseline_half=baseline_half,
        now_half=now_half,
        change=decision.change,
        ci95=decision.ci95,
        tolerance=max(pair.policy.tolerance, floor),
        mde=decision.mde,
        improved=decision.improved,
    )


def _value_and_half(side: Sequence[Sequence[RunStat]], policy: Policy) -> tuple[float | None, float | None]:
    """The side's value and half its interval, both from the values that the gate compares."""
    interval = run_interval(side, policy)
    if interval is None:
        return None, None
    low, high = interval
    middle = (low * high) ** 0.5
    return middle, (high - low) / 2


def _share_row(name: str, label: str, decision: Decision, before: float, now: float) -> Comparison:
    return Comparison(
        metric=name,
        label=label,
        unit="share",
        verdict=decision.verdict,
        reason=decision.reason,
        baseline=before,
        now=now,
        change=decision.change,
        improved=decision.improved,
    )


def _totals(side: Sessions) -> tuple[int, int]:
    runs = [run for session in side for run in session]
    return sum(run.n_ok for run in runs), sum(run.n_err for run in runs)


def _error_share(side: Sessions) -> float:
    n_ok, n_err = _totals(side)
    return n_err / (n_ok + n_err) if n_ok + n_err else 0.0


def _stall_share(side: Sessions) -> float:
    runs = [run for session in side for run in session if run.stalls]
    total = sum(run.n_ok for run in runs)
    return sum(run.stalls.count for run in runs if run.stalls) / total if total else 0.0
