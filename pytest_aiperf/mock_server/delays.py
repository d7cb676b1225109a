"""PYTEST_DONT_REWRITE. When each token of an answer is due.

A function of the seed and the request's number, so that a rerun of the server gives the same. Offsets without
jitter are one list for all requests. With jitter the factors come from a pool that is drawn once and entered at
a place of the request's own: seeding a generator for each request would cost 10 us and hold up the tokens of
all other streams meanwhile.
"""

from __future__ import annotations

import math
import random
from itertools import accumulate
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_aiperf.mock_server.options import MockOptions

_POOL: Final = 1 << 16
_STRIDE: Final = 40_503  # odd: 65 536 requests in a row enter the pool at different places


class Delays:
    """The delays of one set of options."""

    def __init__(self, options: MockOptions) -> None:
        self._first_ns = options.first_delay_ns
        self._next_ns = options.next_delay_ns
        self._offsets: list[int] = []
        self._factors = _lognormal_factors(options.jitter, options.seed) if options.jitter else None

    def offsets(self, number: int, count: int) -> Sequence[int]:
        """Return at least `count` offsets in ns, from the start of the request to each of its tokens."""
        if self._factors is not None:
            return self._jittered(number, count, self._factors)
        if len(self._offsets) < count:
            self._offsets = [self._first_ns + k * self._next_ns for k in range(count)]
        return self._offsets

    def _jittered(self, number: int, count: int, factors: list[float]) -> Sequence[int]:
        at = number * _STRIDE % _POOL
        drawn = factors[at : at + count]
        while len(drawn) < count:
            drawn += factors[: count - len(drawn)]
        next_ns = self._next_ns
        steps = [int(factor * next_ns) for factor in drawn]
        steps[0] = int(drawn[0] * self._first_ns)
        return list(accumulate(steps))


def _lognormal_factors(relative_sd: float, seed: int) -> list[float]:
    """Return factors with mean 1 and the given standard deviation."""
    variance = math.log1p(relative_sd * relative_sd)
    sigma, mu = math.sqrt(variance), -variance / 2
    gauss, exp = random.Random(seed).gauss, math.exp
    return [exp(gauss(mu, sigma)) for _ in range(_POOL)]
