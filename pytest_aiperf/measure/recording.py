"""Whether a measurement is stored, and as what: a first baseline, one more session, or a new level."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from pytest_aiperf.baseline import history
from pytest_aiperf.baseline.schema import Baseline, BaselineKey, Distribution, Environment, Run, Session
from pytest_aiperf.common.errors import MeasurementError
from pytest_aiperf.judge.stall_gate import stall_threshold
from pytest_aiperf.measure.measurement import Judgement
from pytest_aiperf.measure.provenance import recorded
from pytest_aiperf.measure.run_data import STALL_METRIC, RunData, count_stalls

StoredAs = Literal["recorded", "appended", "new level", "accepted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What ``--aiperf-update`` asks for, and what there is to update."""

    update: frozenset[str]
    path: Path | None
    stored: Baseline | None
    comparable: Baseline | None

    @property
    def always(self) -> bool:
        """The measurement is made to be stored, whatever it shows."""
        if self.path is None:
            return False
        return "all" in self.update or ("missing" in self.update and self.stored is None)

    def outcome(
        self, judgement: Judgement, key: BaselineKey, runs: Sequence[RunData], environment: Environment
    ) -> tuple[Baseline, StoredAs] | None:
        """Return the baseline to write and why; None when there is nothing to write.

        Raises:
            MeasurementError: a run that is to be stored has no good request.
        """
        stored_as = self._stored_as(judgement)
        if stored_as is None or self.path is None:
            return None
        if any(run.summary.n_ok == 0 for run in runs):
            raise MeasurementError("a run without a single good request is no baseline: nothing was recorded")
        session = self._session(runs, self.path, environment, fresh=stored_as != "appended")
        if self.comparable is None:
            return history.first(key, session), stored_as
        if stored_as == "appended":
            return history.append(self.comparable, session), stored_as
        return history.new_level(self.comparable, key, session), stored_as

    def _stored_as(self, judgement: Judgement) -> StoredAs | None:
        if judgement.verdict == "invalid":
            return None
        if self.always:
            return self._kept_as(judgement)
        if self.comparable is None:
            return None
        regressed = "regressed" in self.update and judgement.verdict == "regressed"
        improved = "improved" in self.update and judgement.improved
        return "accepted" if regressed or improved else None

    def _kept_as(self, judgement: Judgement) -> StoredAs:
        """A creep is no new level: only who accepts it by name (``regressed``) moves the anchor for it."""
        if self.comparable is None:
            return "recorded"
        with_the_mean = [c for c in judgement.comparisons if c.against == "baseline"]
        moved = any(c.verdict == "regressed" or c.improved for c in with_the_mean)
        return "new level" if moved else "appended"

    def _session(
        self, runs: Sequence[RunData], path: Path, environment: Environment, *, fresh: bool
    ) -> Session:
        """A further session keeps the stall threshold that it was judged by; a first one and a new level set their own.

        Counted against the old threshold, a slower level would be stalls throughout, and no stall would show.
        """
        own = own_stall_threshold(runs) if fresh else None
        return Session(
            id=uuid.uuid4().hex[:12],
            runs=tuple(with_stalls(runs, own) if own else [run.summary for run in runs]),
            environment=environment,
            recorded=recorded(path.parent),
        )


def as_stored(judgement: Judgement, stored_as: StoredAs | None) -> Judgement:
    """Return the judgement with what its being stored means to whoever checks next."""
    if stored_as == "accepted":
        return replace(judgement, verdict="measured", reason=f"accepted as the new level: {judgement.reason}")
    crept = any(c.against == "anchor" and c.verdict == "regressed" for c in judgement.comparisons)
    if stored_as == "appended" and crept:
        note = "the anchor stays, so checks fail until this is accepted with --aiperf-update=regressed"
        return replace(judgement, reason=f"{judgement.reason}; {note}")
    return judgement


def own_stall_threshold(runs: Sequence[RunData]) -> float | None:
    """Return the stall threshold that these runs set: of a first recording, and of a new level."""
    found = [run.summary.metrics.get(STALL_METRIC) for run in runs]
    medians = [latency.p50 for latency in found if isinstance(latency, Distribution) and latency.p50]
    return stall_threshold(medians) if medians else None


def with_stalls(runs: Sequence[RunData], threshold_ms: float | None) -> list[Run]:
    """Return the runs' summaries with their stalls counted by this threshold."""
    return [
        run.summary.model_copy(update={"stalls": count_stalls(run.values.get(STALL_METRIC), threshold_ms)})
        for run in runs
    ]
