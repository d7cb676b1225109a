"""A seeded model of an endpoint, to find out how often the verdict is wrong.

log latency = session effect + run effect + AR(1) over the requests, and some requests stall. The run effect has the
tails of Student's t with five degrees of freedom, the AR(1) stands for queue and batch that neighbours share. Sessions
may be incidents of their own: slower by 5 to 25 % for no reason of the code under test.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from pytest_aiperf.judge import RunStat

N_REQUESTS = 200
N_SECTIONS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointModel:
    """Standard deviations are of log latency."""

    request_sd: float = 0.10
    rho: float = 0.6
    run_sd: float = 0.015
    tau: float = 0.0
    stall_share: float = 0.005
    incident_share: float = 0.0
    n_requests: int = N_REQUESTS

    def latencies(self, rng, n_comparisons, n_sessions, n_runs, *, slower=1.0):
        """Shape ``(n_comparisons, n_sessions, n_runs, n_requests)``, in completion order."""
        log_run = rng.standard_t(5, (n_comparisons, n_sessions, n_runs, 1)) * math.sqrt(3 / 5) * self.run_sd
        log_session = rng.normal(0.0, self.tau, (n_comparisons, n_sessions, 1, 1)) if self.tau else 0.0
        incident = rng.random((n_comparisons, n_sessions, 1, 1)) < self.incident_share
        log_session = log_session + incident * np.log(rng.uniform(1.05, 1.25, incident.shape))
        log_latency = math.log(slower) + log_session + log_run + self._neighbours(rng, log_run.shape[:-1])
        stalled = rng.random(log_latency.shape) < self.stall_share
        log_latency[stalled] += rng.uniform(math.log(2), math.log(8), np.count_nonzero(stalled))
        return np.exp(log_latency)

    def _neighbours(self, rng, shape):
        """Stationary AR(1) of the request sd along the last axis."""
        shocks = rng.normal(0.0, self.request_sd * math.sqrt(1 - self.rho**2), (*shape, self.n_requests))
        shocks[..., 0] /= math.sqrt(1 - self.rho**2)
        return lfilter([1.0], [1.0, -self.rho], shocks, axis=-1)


def run_stats(latencies, quantile):
    """The same as ``run_stat`` of the package for whole arrays: nested lists of RunStat, one level per axis."""
    values = _quantile(latencies, quantile)
    sections = _quantile(latencies.reshape(*latencies.shape[:-1], N_SECTIONS, -1), quantile)
    squares = np.log(sections / values[..., None]) ** 2
    var_within = squares.sum(axis=-1) / (N_SECTIONS - 1) / N_SECTIONS
    return _nested(values.tolist(), var_within.tolist(), latencies.shape[-1])


def _quantile(latencies, quantile):
    """Linear between order statistics; five times as fast as numpy.quantile on many short rows."""
    if quantile is None:
        return latencies.mean(axis=-1)
    position = quantile * (latencies.shape[-1] - 1)
    below = math.floor(position)
    ordered = np.sort(latencies, axis=-1)
    low = ordered[..., below]
    return low + (position - below) * (ordered[..., math.ceil(position)] - low)


def _nested(values, var_within, n_requests):
    if isinstance(values, float):
        return RunStat(values, n_requests, var_within)
    return [_nested(value, var, n_requests) for value, var in zip(values, var_within, strict=True)]
