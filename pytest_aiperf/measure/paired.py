"""Measure two servers now and compare them: no stored baseline, and nothing between sessions to allow for.

Their runs alternate in the order AB BA AB BA: whatever drifts meanwhile (a card that warms up, a neighbour that comes)
then meets both alike. In the order AB AB AB the second server would always run a little later; with all runs of one
before all of the other, a drift would be taken for a difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from pytest_aiperf.baseline import history
from pytest_aiperf.baseline.schema import Baseline, Recorded, Run, Session
from pytest_aiperf.common.errors import MeasurementError
from pytest_aiperf.config.converter import elsewhere
from pytest_aiperf.measure.answer_length import check_length
from pytest_aiperf.measure.budget import Budget
from pytest_aiperf.measure.conclusion import broken, conclude, or_invalid
from pytest_aiperf.measure.judged import judged_metrics
from pytest_aiperf.measure.judging import Case
from pytest_aiperf.measure.measurement import Change, Judgement, Measurement
from pytest_aiperf.measure.provenance import environment_of, host_hash, utc_now
from pytest_aiperf.measure.recording import own_stall_threshold, with_stalls
from pytest_aiperf.measure.request import MeasureRequest
from pytest_aiperf.measure.runs import LoadRunner, Progress
from pytest_aiperf.measure.schedule import build_schedule
from pytest_aiperf.measure.side import Side, key_of, new_side
from pytest_aiperf.measure.terms import FIRST_LOOK, terms_of
from pytest_aiperf.measure.validity import Check, Limits


class PairedMeasuring:
    """One comparison of two servers: `before`, the one that is compared with, and `now`."""

    def __init__(
        self,
        request: MeasureRequest,
        *,
        load: LoadRunner,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> None:
        config = request.checked_config()
        self.request, self.config = request, config
        self.started_at, self.budget = utc_now(), Budget(max_time_s=config.verdict.max_time_s)
        schedule = build_schedule(config)
        self.terms = terms_of(config.verdict, paired=True)
        judged_metrics(config, measured=schedule.measured)  # what cannot be is said before a server is asked
        other = elsewhere(config, request.against)
        told: Any = {"load": load, "on_progress": on_progress, "on_run": request.on_run}
        self.before = new_side(other, schedule, against=True, **told)
        self.now = new_side(config, schedule, **told)
        self.metrics = judged_metrics(config, measured=schedule.measured, graded=self.now.graded)
        if set(other.endpoint.urls) & set(config.endpoint.urls):
            # Each would take the other's requests for those of another tenant.
            self.now.maker.tenants = self.before.maker.tenants

    def measure(self) -> Measurement:
        """Measure both and judge."""
        for side in self._sides:
            side.maker.probe()
        for side in self._sides:
            side.maker.rehearse()
        self._require_time(FIRST_LOOK)
        judgement = self._looks()
        for side in self._sides:
            side.maker.check_session(side.runs)
        if self.config.verdict.mode == "measure":
            judgement = replace(judgement, verdict="measured", reason=f"measured only: {judgement.reason}")
        return self._finish(judgement)

    @property
    def _sides(self) -> tuple[Side, Side]:
        return self.before, self.now

    def _looks(self) -> Judgement:
        judgement = Judgement(verdict="inconclusive", reason="")
        looks = self.terms.looks
        for look, runs in enumerate(looks):
            if look and not self._time_for(runs - looks[look - 1]):
                note = "the time budget (--aiperf-max-time) allows no more runs"
                return replace(judgement, reason=f"{judgement.reason}; {note}")
            self._runs(until=runs)
            judgement = self._judge(look)
            if self._broken_checks() or not judgement.more_runs_help:
                break
        return judgement

    def _runs(self, until: int) -> None:
        """Make pairs of runs until there are `until`."""
        for pair in range(len(self.now.runs), until):
            for first in abba(pair):
                (self.before if first else self.now).run("run", until)
            if pair == 0:
                self._check_length()
            if self._broken_checks():
                return

    def _judge(self, look: int) -> Judgement:
        """Both sides are counted by the same stall threshold: that of all runs of `before` so far."""
        threshold_ms = own_stall_threshold(self.before.runs)
        before = self._baseline(with_stalls(self.before.runs, threshold_ms))
        case = Case(
            terms=self.terms, metrics=self.metrics, baseline=before.sessions, host=host_hash(), variance={}
        )
        self.now.maker.stall_threshold_ms = threshold_ms
        return case.judge(with_stalls(self.now.runs, threshold_ms), look)

    def _baseline(self, runs: Sequence[Run]) -> Baseline:
        """Return the other server's runs in the form of a baseline; it is never stored."""
        session = Session(
            id="against",
            runs=tuple(runs),
            environment=environment_of([data.batch for data in self.before.runs], self.request.software),
            recorded=Recorded(at=self.started_at),
        )
        return history.first(key_of(self.request, self.before), session)

    def _check_length(self) -> None:
        """Answers of another length are another workload: told by the first pair."""
        before = self._baseline(self.before.summaries())
        limits = Limits(self.config)
        self.now.maker.checks.extend(check_length(before, self.now.runs, limits, fatal=True))

    def _time_for(self, pairs: int) -> bool:
        return self.budget.allows(pairs * sum(side.maker.last_run_s for side in self._sides))

    def _require_time(self, pairs: int) -> None:
        if not self._time_for(pairs):
            seconds = sum(side.maker.last_run_s for side in self._sides)
            raise MeasurementError(
                f"the time budget of {self.budget.max_time_s:.0f} s is too short: the rehearsals took {seconds:.1f} s, "
                f"and {pairs} such pairs of runs are needed. Raise --aiperf-max-time or lower request_count."
            )

    def _broken_checks(self) -> Sequence[Check]:
        judged = self.config.verdict.mode == "check"
        return broken(list(self._checks()), shares_are_judged=judged)

    def _checks(self) -> Iterator[Check]:
        """Checks of both, the other server's marked as such."""
        yield from self.now.maker.checks
        for check in self.before.maker.checks:
            yield replace(check, advice=f"Of {','.join(self.request.against)}: {check.advice}")

    def _changes(self) -> Sequence[Change]:
        before, now = self.before.target.model, self.now.target.model
        return [] if before == now else [Change(name="model", before=before, now=now)]

    def _finish(self, judgement: Judgement) -> Measurement:
        threshold_ms = self.now.maker.stall_threshold_ms
        return conclude(
            self.request,
            self.now,
            or_invalid(judgement, self._broken_checks()),
            validity=list(self._checks()),
            judged=self.metrics,
            terms=self.terms,
            against=",".join(self.request.against),
            changes=self._changes(),
            started_at=self.started_at,
            duration_s=self.budget.spent_s,
            baseline=self._baseline(with_stalls(self.before.runs, threshold_ms)),
        )


def abba(pair: int) -> tuple[bool, bool]:
    """Return the order within a pair, counted from 0: True stands for the server that is compared with."""
    return (True, False) if pair % 2 == 0 else (False, True)
