"""PYTEST_DONT_REWRITE. Which requests are cancelled while they are under way: users who do not wait for the end."""

from __future__ import annotations

from typing import Final

import numpy as np

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.common.records import Int64
from pytest_aiperf.common.rng import derive
from pytest_aiperf.engine.plan import NEVER

CANCELLATION: Final = "cancellation"
"""Name of the random stream."""


def cancel_delays_ns(count: int, *, share: float, delay_s: float, seed: int, first: int = 0) -> Int64:
    """Return `LoadPlan.cancel_after_ns`, ``(count,)``: `delay_s` for the chosen requests and `NEVER` for the rest.

    Exactly ``round(share * (count - first))`` of the requests from `first` on are chosen: drawing lots for each one
    would give another share in each small run.

    Args:
        count: requests of the plan.
        share: 0 to 1.
        delay_s: from the last byte sent to the cancellation; 0 cancels at once.
        seed: the seed of the measurement; the stream is `CANCELLATION`.
        first: the first request that may be cancelled; those before it are the warm-up.

    Raises:
        ConfigurationError: the share is not one, or the delay is negative.
    """
    if not 0 <= share <= 1:
        raise ConfigurationError(f"the share of cancelled requests must be 0 to 1, got {share}")
    if not delay_s >= 0:
        raise ConfigurationError(f"the cancellation delay must not be negative, got {delay_s}")
    stream = np.random.Generator(np.random.PCG64(derive(seed, CANCELLATION).getrandbits(128)))
    lots = stream.random(max(count - first, 0))
    chosen = first + np.argsort(lots, kind="stable")[: round(share * len(lots))]
    delays_ns = np.full(count, NEVER, dtype=np.int64)
    delays_ns[chosen] = round(delay_s * 1e9)
    return delays_ns
