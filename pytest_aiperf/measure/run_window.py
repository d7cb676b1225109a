"""Which requests of a run are measured, and over which time: one rule for each kind of load."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pytest_aiperf.common.records import ABSENT, Int64, RecordBatch
from pytest_aiperf.config.aiperf_config import AIPerfConfig
from pytest_aiperf.measure.workload import Workload
from pytest_aiperf.metrics.base_metric import MetricContext, Window
from pytest_aiperf.metrics.goodput import parse_slos
from pytest_aiperf.metrics.run_columns import Rows

_NOTHING = slice(0, 0), Window(0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunWindow:
    """How a run divides into warm-up, measured part and drain.

    Every measured request lies in the window and no other does, so that ``throughput x window = requests`` holds
    exactly.

    - Closed loop: requests count by their completion. The window reaches from the last completion of the warm-up to
      the last measured one; where the duration ended the run, to the end of the duration, and what completed later
      is not measured.
    - Open loop: requests count by their place in the schedule, whenever they complete. The window reaches from the
      due time of the first measured one to that of the first that is not measured any more: to the end of the
      duration where it is that which ends the schedule, and one mean gap behind the last due time where nothing
      follows.
    """

    warm_up: int
    """Requests that are dropped at the start: completions in the closed loop, the first of the schedule in the open."""
    measured: int | None
    """Requests that follow and count; None: as many as the duration holds."""
    open_loop: bool = False
    duration_ns: int | None = None
    """Nothing is sent after this long; None where the number of requests ends the run."""
    ramp_ns: int = 0
    """The concurrency of a closed loop grows for so long: what completes by then is warm-up too."""

    def of(self, batch: RecordBatch) -> tuple[Rows, Window]:
        """Return the rows of the measured requests and the window; rows are in the order of completion already."""
        return self._by_schedule(batch) if self.open_loop else self._by_completion(batch)

    def _by_completion(self, batch: RecordBatch) -> tuple[Rows, Window]:
        ends = batch.t_end
        stop = len(ends) if self.measured is None else min(self.warm_up + self.measured, len(ends))
        if self.duration_ns is not None:
            stop = min(stop, int(np.searchsorted(ends, self.duration_ns, side="right")))
        warm_up = max(
            self.warm_up, int(np.searchsorted(ends, self.ramp_ns, side="right")) if self.ramp_ns else 0
        )
        if stop <= warm_up:
            return _NOTHING
        start_ns = int(ends[warm_up - 1]) if warm_up else 0
        complete = self.measured is not None and stop == self.warm_up + self.measured
        end_ns = int(ends[stop - 1]) if complete or self.duration_ns is None else self.duration_ns
        return slice(warm_up, stop), Window(start_ns, end_ns)

    def _by_schedule(self, batch: RecordBatch) -> tuple[Rows, Window]:
        due = np.where(batch.t_plan == ABSENT, batch.t0, batch.t_plan)
        inside = batch.request_index >= self.warm_up
        if self.measured is not None:
            inside &= batch.request_index < self.warm_up + self.measured
        elif self.duration_ns is not None:
            inside &= due < self.duration_ns
        if not inside.any():
            return _NOTHING
        rows = np.flatnonzero(inside)
        return rows, Window(int(due[rows].min()), self._end_of_schedule(batch, due, rows))

    def _end_of_schedule(self, batch: RecordBatch, due: Int64, rows: np.ndarray) -> int:
        if self.measured is None and self.duration_ns is not None:
            return self.duration_ns
        later = batch.request_index >= self.warm_up + (self.measured or len(batch))
        if later.any():
            return int(due[later].min())
        first, last = int(due[rows].min()), int(due[rows].max())
        return last + round((last - first) / max(len(rows) - 1, 1))


def run_window_of(config: AIPerfConfig, workload: Workload) -> RunWindow:
    """Return how the runs of this workload divide."""
    duration_s = config.load.duration_s
    return RunWindow(
        warm_up=workload.warm_up,
        measured=workload.measured,
        open_loop=workload.open_loop,
        duration_ns=None if duration_s is None else round(duration_s * 1e9),
        ramp_ns=round((config.load.concurrency_ramp_s or 0.0) * 1e9),
    )


def context_of(config: AIPerfConfig, workload: Workload, *, graded: bool) -> MetricContext:
    """Return what the metrics must know of this workload, and of whether its answers are graded.

    Raises:
        ConfigurationError: the limits of ``goodput`` cannot be used.
    """
    streaming, open_loop = config.endpoint.streaming, workload.open_loop
    return MetricContext(
        streaming=streaming,
        open_loop=open_loop,
        asked_osl=workload.asked_osl,
        produces_tokens=config.endpoint.produces_tokens,
        slos=parse_slos(config.verdict.goodput, streaming=streaming, open_loop=open_loop),
        graded=graded,
    )
