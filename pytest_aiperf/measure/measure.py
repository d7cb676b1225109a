"""One measurement from beginning to end: probe, rehearsal, runs until the judge has seen enough, verdict.

The order of precautions is that of cost: what is wrong with the configuration or the baseline file is told before
the first request, a wrong URL or model by a single request, an overloaded server by the rehearsal.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from pytest_aiperf.baseline import history, keys, store
from pytest_aiperf.baseline.schema import Baseline, BaselineKey, Run
from pytest_aiperf.common.errors import ConfigurationError, MeasurementError
from pytest_aiperf.config.aiperf_config import AIPerfConfig
from pytest_aiperf.judge.samples import Policy
from pytest_aiperf.measure.answer_length import check_length
from pytest_aiperf.measure.judged import judged_metrics, stall_threshold_of
from pytest_aiperf.measure.judging import Case
from pytest_aiperf.measure.load_key import load_key
from pytest_aiperf.measure.measurement import Judgement, Measurement
from pytest_aiperf.measure.plan import load_plan
from pytest_aiperf.measure.provenance import host_hash, utc_now
from pytest_aiperf.measure.recording import Recording, own_stall_threshold, with_stalls
from pytest_aiperf.measure.run_data import RunData, pooled_levels, pooled_values
from pytest_aiperf.measure.runs import LoadRunner, Progress, RunMaker, merge_errors
from pytest_aiperf.measure.schedule import build_schedule
from pytest_aiperf.measure.sending import sending_of
from pytest_aiperf.measure.target import find_target
from pytest_aiperf.measure.validity import Check, Limits
from pytest_aiperf.measure.workload import build_bodies, build_workload
from pytest_aiperf.metrics.goodput import parse_slos
from pytest_aiperf.metrics.tokens import osl_source

RECORD_RUNS: Final = 5
CONFIRM_RUNS: Final = 3
COOL_DOWN_S: Final = 1.0
QUICK_REQUESTS: Final = 20
CACHE_BUST_LETTERS: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureRequest:
    """What a surface asks for."""

    config: AIPerfConfig
    test: str
    """Stable id of the test: path, class, function, parameters."""
    name: str | None = None
    baseline_path: Path | None = None
    """None measures without a baseline."""
    update: frozenset[str] = frozenset()
    """Categories to record: missing, regressed, improved, all."""
    accelerator: Mapping[str, object] = field(default_factory=dict)
    """Part of the hard key: accelerator, accelerator_count, power_limit_w."""
    restart: Callable[[], None] | None = None
    """Restarts the server before a confirmation session."""


def measure(
    request: MeasureRequest, *, load: LoadRunner, on_progress: Callable[[Progress], None] | None = None
) -> Measurement:
    """Measure and judge.

    Raises:
        ConfigurationError: the judged metrics or the endpoint's name are wrong.
        BaselineError: the stored baseline cannot be read, or could not be written.
        EndpointError: the server cannot be used.
        MeasurementError: the load could not be made.
    """
    return _Measuring(request, load, on_progress).measure()


class _Measuring:
    def __init__(
        self, request: MeasureRequest, load: LoadRunner, on_progress: Callable[[Progress], None] | None
    ) -> None:
        self.request, self.config = request, _effective(request)
        self.started_at, self.started_s = utc_now(), time.monotonic()
        schedule = build_schedule(self.config)
        _check_names(request.config)
        self.metrics = judged_metrics(request.config, measured=schedule.measured)
        self.stored = store.load(request.baseline_path) if request.baseline_path else None
        if request.update and request.baseline_path:
            store.check_writable(request.baseline_path)
        self.target = find_target(self.config)
        self.workload = build_workload(self.config, model=self.target.model, schedule=schedule)
        self.key = self._key()
        self.incomparable = keys.differences(self.stored, self.key) if self.stored else ()
        self.comparable = self.stored if self.stored and not self.incomparable else None
        self.recording = Recording(
            update=request.update, path=request.baseline_path, stored=self.stored, comparable=self.comparable
        )
        self.data: list[list[RunData]] = [[]]
        self.maker = RunMaker(
            load=load,
            plan=load_plan(self.config, self.target, self.workload),
            fresh_bodies=self._fresh_bodies if self.config.input.cache_bust else None,
            workload=self.workload,
            config=self.config,
            stall_threshold_ms=stall_threshold_of(self.comparable) if self.comparable else None,
            on_progress=on_progress,
        )

    def measure(self) -> Measurement:
        self.maker.probe()
        if self.config.verdict.mode == "quick":
            self._runs("quick", 1)
            return self._finish(Judgement(verdict="measured", reason="quick: one short run, not compared"))
        self.maker.rehearse()
        judgement = self._record() if self.recording.always else self._check()
        return self._finish(judgement)

    def _record(self) -> Judgement:
        """Five runs; the comparison only tells an accepted change of level from one more session of the same."""
        self._runs("run", RECORD_RUNS)
        self.maker.check_session(self.data[0])
        if self.comparable is None:
            return Judgement(verdict="measured", reason="recorded")
        judgement = self._case(self.comparable).judge(self._summaries(0), Policy().looks.index(RECORD_RUNS))
        return replace(judgement, verdict="measured", reason=f"recorded; before that: {judgement.reason}")

    def _check(self) -> Judgement:
        looks = Policy().looks
        if self.comparable is None or self.config.verdict.mode == "measure":
            self._runs("run", looks[0])
            self.maker.check_session(self.data[0])
            return self._without_verdict()
        case = self._case(self.comparable)
        judgement = Judgement(verdict="inconclusive", reason="")
        for look, runs in enumerate(looks):
            if look and not self._time_for(runs - looks[look - 1]):
                note = "the time budget (--aiperf-max-time) allows no more runs"
                judgement = replace(judgement, reason=f"{judgement.reason}; {note}")
                break
            self._runs("run", runs)
            judgement = case.judge(self._summaries(0), look)
            if self._broken_checks() or not judgement.more_runs_help:
                break
        self.maker.check_session(self.data[0])
        if judgement.verdict == "regressed" and not self._broken_checks():
            return self._confirmed(case, judgement, look)
        return judgement

    def _without_verdict(self) -> Judgement:
        if self.comparable is not None:
            judgement = self._case(self.comparable).judge(self._summaries(0), 0)
            return replace(judgement, verdict="measured", reason=f"measured only: {judgement.reason}")
        if self.config.verdict.mode == "measure" or self.request.baseline_path is None:
            return Judgement(verdict="measured", reason="measured only: no baseline is compared")
        if self.incomparable:
            reason = f"the baseline is not comparable: {'; '.join(self.incomparable)}"
            return Judgement(verdict="not_comparable", reason=reason)
        return Judgement(verdict="no_baseline", reason="there is no baseline yet")

    def _confirmed(self, case: Case, first: Judgement, look: int) -> Judgement:
        """Ask a second session before red: an incident of one moment must not fail a test."""
        if not self._time_for(CONFIRM_RUNS + 1):
            return replace(first, reason=f"{first.reason}; not confirmed: the time budget ended")
        time.sleep(COOL_DOWN_S)
        if self.request.restart is not None:
            self.request.restart()
        self.data.append([])
        self.maker.rehearse()
        self._runs("confirmation", CONFIRM_RUNS)
        self.maker.check_session(self.data[1])
        return case.confirm(self._summaries(0), self._summaries(1), look)

    def _runs(self, phase: str, until: int) -> None:
        """Make runs of the present session until there are `until`."""
        session = self.data[-1]
        if not session and not self._time_for(until if phase == "run" else 1):
            raise MeasurementError(
                f"the time budget of {self.config.verdict.max_time_s:.0f} s is too short: the rehearsal took "
                f"{self.maker.last_run_s:.1f} s and {until} such runs are needed. "
                "Raise --aiperf-max-time or lower request_count."
            )
        while len(session) < until:
            session.append(self.maker.run(phase, len(session) + 1, until))
            if len(session) == 1:
                self._check_length(session)
            if self._broken_checks():
                return

    def _time_for(self, runs: int) -> bool:
        budget = self.config.verdict.max_time_s
        return budget is None or time.monotonic() - self.started_s + runs * self.maker.last_run_s <= budget

    def _broken_checks(self) -> Sequence[Check]:
        """Fatal checks that failed. A high error share is not where a baseline judges it, and nothing is recorded."""
        judged = self._judges() and "regressed" not in self.request.update
        left_to_judge = ("error_share", "truncated_share") if judged else ()
        return [c for c in self.maker.checks if c.fatal and not c.ok and c.check not in left_to_judge]

    def _judges(self) -> bool:
        return (
            self.config.verdict.mode == "check" and self.comparable is not None and not self.recording.always
        )

    def _case(self, baseline: Baseline) -> Case:
        sessions = history.judged_sessions(baseline)
        return Case(config=self.config, metrics=self.metrics, baseline=sessions, host=host_hash())

    def _summaries(self, session: int) -> Sequence[Run]:
        return [data.summary for data in self.data[session]]

    def _finish(self, judgement: Judgement) -> Measurement:
        broken = self._broken_checks()
        if broken:
            judgement = replace(judgement, verdict="invalid", reason=_explain(broken))
        everything = [data for session in self.data for data in session]
        source = osl_source(everything[0].batch)
        written = self.recording.outcome(judgement, self.key, self.data[0], osl_source=source)
        to_store, stored_as = written or (None, None)
        if stored_as == "accepted":
            reason = f"accepted as the new level: {judgement.reason}"
            judgement = replace(judgement, verdict="measured", reason=reason)
        facts = everything[0].batch.facts
        stamps = {data.batch.facts.timestamps for data in everything}
        threshold_ms = self.maker.stall_threshold_ms or own_stall_threshold(self.data[0])
        return Measurement(
            test=self.request.test,
            name=self.request.name,
            judgement=judgement,
            key=self.key,
            endpoint=",".join(self.config.endpoint.urls),
            streaming=self.config.endpoint.streaming,
            sessions=[with_stalls(session, threshold_ms) for session in self.data],
            pooled=pooled_values(everything),
            levels=pooled_levels(everything),
            validity=self.maker.checks,
            errors=merge_errors([data.batch for data in everything]),
            transport=facts.transport,
            connection_reuse=facts.connection_reuse,
            insecure=facts.insecure,
            proxy=facts.proxy,
            sendings=[[sending_of(data.batch) for data in session] for session in self.data],
            timestamps=stamps.pop() if len(stamps) == 1 else "mixed",
            osl_source=source,
            started_at=self.started_at,
            duration_s=time.monotonic() - self.started_s,
            baseline_path=str(self.request.baseline_path) if self.request.baseline_path else None,
            baseline=self.stored,
            to_store=to_store,
            stored_as=stored_as,
        )

    def _check_length(self, session: Sequence[RunData]) -> None:
        """Told by the first run already: the others would be of the same length."""
        if self.comparable is None or self.config.verdict.mode == "quick":
            return
        limits, fatal = Limits(self.config), self._judges()
        self.maker.checks.extend(check_length(self.comparable, session, limits, fatal=fatal))

    def _key(self) -> BaselineKey:
        return BaselineKey(
            test=self.request.test,
            name=self.request.name,
            workload=self.workload.digest,
            load=load_key(self.config),
            model=self.target.model,
            **self.request.accelerator,
        )

    def _fresh_bodies(self) -> Sequence[bytes]:
        """Return the requests with a beginning that no cache has seen; equally long, so that runs compare."""
        return build_bodies(
            self.config,
            self.workload.schedule,
            model=self.target.model,
            beginning=f"{uuid.uuid4().hex[:CACHE_BUST_LETTERS]}-",
        )


def _effective(request: MeasureRequest) -> AIPerfConfig:
    """Return the configuration, cut down for a quick run."""
    config = request.config
    if config.verdict.mode != "quick":
        return config
    if request.update:
        raise ConfigurationError("--aiperf-update does not go with quick mode: a quick run is no baseline")
    load = config.load
    short: dict[str, object] = {"request_count": min(load.request_count or QUICK_REQUESTS, QUICK_REQUESTS)}
    if load.open_loop and load.warm_up is None:
        short["warm_up"] = 0
    return config.model_copy(update={"load": load.model_copy(update=short)})


def _check_names(config: AIPerfConfig) -> None:
    """Raise a ConfigurationError for a goodput limit or a validity check that does not exist: nothing is sent yet."""
    parse_slos(config.verdict.goodput, streaming=config.endpoint.streaming, open_loop=config.load.open_loop)
    Limits(config)


def _explain(broken: Sequence[Check]) -> str:
    by_name = {check.check: check for check in broken}
    return "\n".join(
        f"{c.check} is {'unknown' if c.value is None else f'{c.value:.3g}'}, allowed is {c.limit:.3g}\n{c.advice}"
        for c in by_name.values()
    )
