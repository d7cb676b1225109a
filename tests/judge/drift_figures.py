"""What a drift does to a comparison, by the order in which the runs of two servers are made.

Latency changes steadily while the measurement goes on, by half a percent or one percent from each run to the next (a
card that warms up, a neighbour that comes), and the two servers are the same. Shown for the order of
``--aiperf-against``, and to compare for AB AB AB and for all of A before all of B.
"""

from __future__ import annotations

import numpy as np
from endpoint_model import run_stats
from figure_table import Figure
from rival_figures import in_turn
from verdict_figures import PAIRED, QUIET, chunks, looks

from pytest_aiperf.measure.paired import abba

DRIFTS = (0.005, -0.005, 0.01, -0.01)
"""Change of the log latency from one run to the next, whoever makes it."""
PAIRS = PAIRED.looks[-1]
A_FIRST = 5
"""Runs of A in the order "all of A before all of B": what a recording takes."""


def slots_of(order):
    """When each run of A and each of B is made, counted in runs from the start."""
    turns = [first for pair in range(PAIRS) for first in order(pair)]
    return tuple(np.flatnonzero([turn is side for turn in turns]) for side in (True, False))


def abab(pair):
    """A is always first."""
    return True, False


ORDERS = {"AB BA": slots_of(abba), "AB AB": slots_of(abab)}


def drifting(latencies, slots, drift):
    """The same latencies under a drift that goes on within the run, too."""
    n_requests = latencies.shape[-1]
    elapsed_runs = slots[:, None] + np.arange(n_requests) / n_requests
    return latencies * np.exp(drift * elapsed_runs)


def regressed_in_turn(seed, n, *, order, drift, slower=1.0):
    """How many of n comparisons were called slower, both servers measured in turn."""
    rng = np.random.default_rng(seed)
    slots_a, slots_b = ORDERS[order]
    regressed = 0
    for size in chunks(n):
        before, now = (QUIET.latencies(rng, size, 1, PAIRS, slower=factor) for factor in (1.0, slower))
        sides = (run_stats(drifting(*side, drift), 0.5) for side in ((before, slots_a), (now, slots_b)))
        regressed += sum(in_turn(b, c).verdict == "regressed" for (b,), (c,) in zip(*sides, strict=True))
    return regressed


def regressed_a_first(seed, n, *, drift):
    """How many of n comparisons were called slower, all runs of A before those of B."""
    rng = np.random.default_rng(seed)
    slots = np.arange(A_FIRST + PAIRS)
    regressed = 0
    for size in chunks(n):
        both = run_stats(drifting(QUIET.latencies(rng, size, 1, len(slots)), slots, drift), 0.5)
        regressed += sum(
            looks([runs[:A_FIRST]], runs[A_FIRST:], PAIRED)[0].verdict == "regressed" for (runs,) in both
        )
    return regressed


def signed(drift):
    return f"{100 * drift:+g} % a run"


def no_drift(n):
    """The same comparison, with nothing drifting."""
    alarms = regressed_in_turn(31, n, order="AB BA", drift=0.0)
    found = regressed_in_turn(32, n, order="AB BA", drift=0.0, slower=1.1)
    return [
        Figure(name="drift none, A/A, order AB BA", count=alarms, n=n, kind="at most", goal=0.002),
        Figure(name="drift none, +10 % found, order AB BA", count=found, n=n),
    ]


def abba_order(n):
    """The order of ``--aiperf-against``: the goal is that of row 1."""
    return [
        Figure(
            name=f"drift {signed(drift)}, A/A, order AB BA",
            count=regressed_in_turn(33 + i, n, order="AB BA", drift=drift),
            n=n,
            kind="at most",
            goal=0.002,
        )
        for i, drift in enumerate(DRIFTS)
    ]


def found_under_drift(n):
    """What the drift costs: it widens the spread between runs of both sides."""
    return [
        Figure(
            name=f"drift {signed(drift)}, +10 % found, order AB BA",
            count=regressed_in_turn(37 + i, n, order="AB BA", drift=drift, slower=1.1),
            n=n,
        )
        for i, drift in enumerate(DRIFTS)
    ]


def other_orders(n):
    """Upwards only: downwards the same bias makes the second server look faster."""
    rising = [drift for drift in DRIFTS if drift > 0]
    in_pairs = [regressed_in_turn(41 + i, n, order="AB AB", drift=drift) for i, drift in enumerate(rising)]
    in_blocks = [regressed_a_first(43 + i, n, drift=drift) for i, drift in enumerate(rising)]
    return [
        Figure(
            name=f"drift {signed(drift)}, A/A, {order}",
            count=count,
            n=n,
            kind="at most",
            goal=0.002,
            judged=False,
        )
        for order, counts in (("order AB AB", in_pairs), ("all of A, then all of B", in_blocks))
        for drift, count in zip(rising, counts, strict=True)
    ]
