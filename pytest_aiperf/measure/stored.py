"""Measure against a stored baseline: probe, rehearsal, runs until the judge has seen enough, a second session
before red; or record one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from pytest_aiperf.baseline import history, keys, store
from pytest_aiperf.baseline.schema import Baseline
from pytest_aiperf.common.errors import ConfigurationError, MeasurementError
from pytest_aiperf.measure.answer_length import check_length
from pytest_aiperf.measure.budget import Budget
from pytest_aiperf.measure.changes import changes
from pytest_aiperf.measure.conclusion import broken, conclude, or_invalid
from pytest_aiperf.measure.judged import judged_metrics, stall_threshold_of
from pytest_aiperf.measure.judging import Case
from pytest_aiperf.measure.measurement import Judgement, Measurement
from pytest_aiperf.measure.provenance import environment_of, host_hash, utc_now
from pytest_aiperf.measure.recording import Recording, as_stored
from pytest_aiperf.measure.request import MeasureRequest
from pytest_aiperf.measure.runs import LoadRunner, Progress
from pytest_aiperf.measure.schedule import build_schedule
from pytest_aiperf.measure.side import key_of, new_side
from pytest_aiperf.measure.terms import FIRST_LOOK, terms_of
from pytest_aiperf.measure.validity import Check, Limits

CONFIRM_RUNS: Final = 3
COOL_DOWN_S: Final = 1.0
_SECOND_SESSION: Final = CONFIRM_RUNS + 1
"""Runs that a second session takes, with its rehearsal."""


class StoredMeasuring:
    """One measurement and what is stored of it."""

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
        self.terms = terms_of(config.verdict)
        judged_metrics(
            request.config, measured=schedule.measured
        )  # what cannot be is said before a server is asked
        self.stored = request.load_baseline(request.baseline_path) if request.baseline_path else None
        if request.update and request.baseline_path:
            store.check_writable(request.baseline_path)
        self.side = new_side(config, schedule, load=load, on_progress=on_progress, on_run=request.on_run)
        self.metrics = judged_metrics(request.config, measured=schedule.measured, graded=self.side.graded)
        self.maker = self.side.maker
        self.incomparable = keys.differences(self.stored, key_of(request, self.side)) if self.stored else ()
        if request.must_compare and self.incomparable:
            raise ConfigurationError(
                f"{request.baseline_path}: what would be measured is not what was recorded: "
                f"{'; '.join(self.incomparable)}"
            )
        self.comparable = self.stored if self.stored and not self.incomparable else None
        self.maker.stall_threshold_ms = stall_threshold_of(self.comparable) if self.comparable else None
        self.recording = Recording(
            update=request.update, path=request.baseline_path, stored=self.stored, comparable=self.comparable
        )

    def measure(self) -> Measurement:
        """Measure, judge, and say what is to be stored."""
        self.maker.probe()
        if self.request.quick:
            self._runs("quick", 1)
            return self._finish(Judgement(verdict="measured", reason="quick: one short run, not compared"))
        self.maker.rehearse()
        return self._finish(self._record() if self.recording.always else self._check())

    def _record(self) -> Judgement:
        """The comparison only tells an accepted change of level from one more session of the same."""
        runs = self.terms.recorded_runs
        self._require_time(runs)
        self._runs("run", runs)
        self.maker.check_session(self.side.runs)
        if self.comparable is None:
            return Judgement(verdict="measured", reason="recorded")
        look = self.terms.looks.index(runs)
        judgement = self._case(self.comparable).judge(self.side.summaries(), look)
        return replace(judgement, verdict="measured", reason=f"recorded; before that: {judgement.reason}")

    def _check(self) -> Judgement:
        if self.comparable is None or self.config.verdict.mode == "measure":
            runs = self.request.runs
            self._require_time(runs)
            self._runs("run", runs)
            self.maker.check_session(self.side.runs)
            return self._without_verdict()
        self._require_time(FIRST_LOOK + _SECOND_SESSION)
        judgement, look = self._looks(self._case(self.comparable))
        self.maker.check_session(self.side.runs)
        if judgement.verdict == "regressed" and not self._broken_checks():
            return self._confirmed(self._case(self.comparable), judgement, look)
        return judgement

    def _looks(self, case: Case) -> tuple[Judgement, int]:
        """Judge at each look until it is settled; time for a second session is always kept."""
        judgement = Judgement(verdict="inconclusive", reason="")
        look, looks = 0, self.terms.looks
        for look, runs in enumerate(looks):
            if look and not self._time_for(runs - looks[look - 1] + _SECOND_SESSION):
                note = "the time budget (--aiperf-max-time) allows no more runs"
                return replace(judgement, reason=f"{judgement.reason}; {note}"), look - 1
            self._runs("run", runs)
            judgement = case.judge(self.side.summaries(), look)
            if self._broken_checks() or not judgement.more_runs_help:
                break
        return judgement, look

    def _without_verdict(self) -> Judgement:
        if self.comparable is not None:
            judgement = self._case(self.comparable).judge(self.side.summaries(), 0)
            return replace(judgement, verdict="measured", reason=f"measured only: {judgement.reason}")
        if self.config.verdict.mode == "measure" or self.request.baseline_path is None:
            return Judgement(verdict="measured", reason="measured only: no baseline is compared")
        if self.incomparable:
            reason = f"the baseline is not comparable: {'; '.join(self.incomparable)}"
            return Judgement(verdict="not_comparable", reason=reason)
        return Judgement(verdict="no_baseline", reason="there is no baseline yet")

    def _confirmed(self, case: Case, first: Judgement, look: int) -> Judgement:
        """Ask a second session before red: an incident of one moment must not fail a test."""
        if not self._time_for(_SECOND_SESSION):
            note = "worse, but the time budget (--aiperf-max-time) ended before a second session could confirm it"
            return replace(first, verdict="inconclusive", reason=f"{note}: {first.reason}")
        time.sleep(COOL_DOWN_S)
        if self.request.restart is not None:
            self.request.restart()
        self.side.sessions.append([])
        self.maker.rehearse()
        self._runs("confirmation", CONFIRM_RUNS)
        self.maker.check_session(self.side.runs)
        return case.confirm(self.side.summaries(0), self.side.summaries(1), look)

    def _runs(self, phase: str, until: int) -> None:
        """Make runs of the present session until there are `until`."""
        while len(self.side.runs) < until:
            self.side.run(phase, until)
            if len(self.side.everything) == 1:
                self._check_length()
            if self._broken_checks():
                return

    def _time_for(self, runs: int) -> bool:
        return self.budget.allows(runs * self.maker.last_run_s)

    def _require_time(self, runs: int) -> None:
        """Raise a MeasurementError when the rehearsal has shown that the budget is too short for any verdict."""
        if not self._time_for(runs):
            raise MeasurementError(
                f"the time budget of {self.budget.max_time_s:.0f} s is too short: the rehearsal took "
                f"{self.maker.last_run_s:.1f} s, and {runs} such runs may be needed"
                f"{', a second session included' if runs > self.terms.recorded_runs else ''}. "
                "Raise --aiperf-max-time or lower request_count."
            )

    def _broken_checks(self) -> Sequence[Check]:
        """Fatal checks that failed; nothing is recorded with a high error share."""
        judged = self._judges() and "regressed" not in self.request.update
        return broken(self.maker.checks, shares_are_judged=judged)

    def _judges(self) -> bool:
        return (
            self.config.verdict.mode == "check" and self.comparable is not None and not self.recording.always
        )

    def _case(self, baseline: Baseline) -> Case:
        return Case(
            terms=self.terms,
            metrics=self.metrics,
            baseline=history.judged_sessions(baseline),
            host=host_hash(),
            variance=baseline.variance,
        )

    def _check_length(self) -> None:
        """Told by the first run already: the others would be of the same length."""
        if self.comparable is None or self.request.quick:
            return
        limits, fatal = Limits(self.config), self._judges()
        self.maker.checks.extend(check_length(self.comparable, self.side.runs, limits, fatal=fatal))

    def _finish(self, judgement: Judgement) -> Measurement:
        judgement = or_invalid(judgement, self._broken_checks())
        runs = self.side.sessions[0]
        environment = environment_of([data.batch for data in runs], self.request.software)
        key = key_of(self.request, self.side)
        written = self.recording.outcome(judgement, key, runs, environment)
        to_store, stored_as = written or (None, None)
        return conclude(
            self.request,
            self.side,
            as_stored(judgement, stored_as),
            judged=self.metrics,
            changes=changes(self.stored, environment) if self.stored else (),
            terms=self.terms,
            started_at=self.started_at,
            duration_s=self.budget.spent_s,
            baseline_path=str(self.request.baseline_path) if self.request.baseline_path else None,
            baseline=self.stored,
            to_store=to_store,
            stored_as=stored_as,
        )
