"""How many load processes a load needs: what ``auto`` goes by.

One process reads with one core. Asked for more than it has time for it does not report wrong stamps, those are the
kernel's, but it sends late and the server gets less load than was asked for. So it is given half of what it can take:
`tests/bench/scale.py` prints what a request and a message cost it.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from math import ceil
from typing import Final
from urllib.parse import urlsplit

import numpy as np

from pytest_aiperf.engine.plan import LoadPlan

REQUESTS_PER_S: Final = 20_000
"""What one process is given where each answer comes in one piece."""
MESSAGES_PER_S: Final = 60_000
"""What one process is given where each message comes by itself."""
_SECOND_NS: Final = 1_000_000_000


def workers_for(plan: LoadPlan, *, messages_per_request: float, latency_s: float, cpus: int) -> int:
    """Return how many processes this plan needs, at least 1 and at most `cpus`.

    Args:
        plan: tells the requests to expect each second: a closed loop has `concurrency` of them in `latency_s`, an open
            one those of its busiest second, and with both the lower one holds.
        messages_per_request: content messages of a streamed answer; 0 for one that is not streamed.
        latency_s: mean time from sending a request to the end of its answer, as a rehearsal has shown it; above 0.
        cpus: see `free_cpus`.

    The time for a request and the time for its messages add up, so the shares of a process that both take do.
    """
    requests_per_s = _requests_per_s(plan, latency_s)
    share = requests_per_s / REQUESTS_PER_S + requests_per_s * messages_per_request / MESSAGES_PER_S
    return max(1, min(ceil(share), cpus))


def free_cpus(urls: Iterable[str]) -> int:
    """Return the CPUs that this process may use, without the one that a server on this machine needs; at least 1."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, there - any(map(_is_local, urls)))


def _requests_per_s(plan: LoadPlan, latency_s: float) -> float:
    rates: list[float] = []
    if plan.concurrency is not None:
        rates.append(plan.concurrency / latency_s)
    if plan.due_ns is not None:
        within_a_second = np.searchsorted(plan.due_ns, plan.due_ns + _SECOND_NS)
        rates.append(float((within_a_second - np.arange(len(plan.due_ns))).max()))
    return min(rates)


def _is_local(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host in ("localhost", "::1", socket.gethostname()) or host.startswith("127.")
