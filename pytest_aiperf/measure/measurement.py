"""What a measurement is when it is over: plain data, for the verdict, the screen and the files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from pytest_aiperf.baseline.schema import Baseline, BaselineKey, Environment, Run
from pytest_aiperf.common.records import ErrorGroup
from pytest_aiperf.measure.judged import JudgedMetric
from pytest_aiperf.measure.sending import Sending
from pytest_aiperf.measure.slo import Missed
from pytest_aiperf.measure.terms import Terms
from pytest_aiperf.measure.validity import Check
from pytest_aiperf.metrics.base_metric import Floats, Levels

MeasurementVerdict = Literal[
    "pass", "regressed", "inconclusive", "no_baseline", "not_comparable", "invalid", "measured"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One judged figure on both sides. Shares are fractions; None where there is nothing to say."""

    metric: str
    label: str
    unit: str
    verdict: str
    reason: str
    baseline: float | None = None
    now: float | None = None
    baseline_half: float | None = None
    """Half the 95 % interval of the baseline's value."""
    now_half: float | None = None
    change: float | None = None
    ci95: tuple[float, float] | None = None
    tolerance: float | None = None
    mde: float | None = None
    improved: bool = False
    against: Literal["baseline", "anchor"] = "baseline"
    """``anchor``: with the pinned session alone, so that many small steps in one direction show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something that is another than when the baseline was recorded, and does not forbid the comparison."""

    name: str
    """As people call it: ``server``, ``client``, ``host``."""
    before: str
    now: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """All comparisons of one measurement and what they amount to."""

    verdict: MeasurementVerdict
    reason: str
    comparisons: Sequence[Comparison] = ()
    more_runs_help: bool = False

    @property
    def improved(self) -> bool:
        """Something got better by more than its tolerance, and nothing worse."""
        return self.verdict == "pass" and any(c.improved for c in self.comparisons)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One measurement of one test."""

    test: str
    name: str | None
    judgement: Judgement
    key: BaselineKey
    endpoint: str
    streaming: bool
    sessions: Sequence[Sequence[Run]]
    """Runs by session: the first, then the confirmation's."""
    pooled: Mapping[str, Floats]
    """By tag: the values of all measured runs, in order; one a run of metrics with one per run."""
    validity: Sequence[Check]
    errors: Sequence[ErrorGroup]
    transport: str
    timestamps: str
    osl_source: str
    started_at: str
    duration_s: float
    environment: Environment
    """Soft facts of this measurement, as a session of a baseline has them."""
    judged: Sequence[JudgedMetric] = ()
    terms: Terms = field(default_factory=Terms)
    against: str | None = None
    """URL of the server that it was compared with; None: with a stored baseline, or with nothing."""
    missed: Sequence[Missed] = ()
    """Absolute limits that were not kept."""
    changes: Sequence[Change] = ()
    """Since the newest session of the baseline."""
    baseline_path: str | None = None
    baseline: Baseline | None = None
    """The stored baseline as it was before this measurement; the runs of the other server, where there is one."""
    connection_reuse: str = "pooled"
    insecure: bool = False
    """Certificates were not verified."""
    proxy: str | None = None
    """Host and port of the proxy that was used."""
    sendings: Sequence[Sequence[Sending]] = ()
    """By session and run: what was to be sent and what was."""
    levels: Mapping[str, Levels] = field(default_factory=dict)
    """By tag: what stood at levels over time, all measured runs together."""
    to_store: Baseline | None = None
    stored_as: str | None = None
    """Why the baseline is written: ``recorded``, ``appended``, ``new level``."""

    @property
    def verdict(self) -> MeasurementVerdict:
        """The verdict."""
        return self.judgement.verdict

    @property
    def runs(self) -> Sequence[Run]:
        """All measured runs."""
        return [run for session in self.sessions for run in session]
