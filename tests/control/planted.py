"""What is planted, where it must show, and where it must not.

======================  ====================  ===========================  ==========================
planted                 must be blamed        may be blamed: it follows    must not be blamed
======================  ====================  ===========================  ==========================
nothing                                                                    everything: it passes
TTFT +50 %              TTFT p50              latency p95, throughput,     ITL p50, errors
                                              stalls
ITL +50 %               ITL p50               latency p95, throughput,     TTFT p50, errors
                                              stalls
2.5 % errors            errors                                             everything else
15 % stall by 70 ms     stalls, latency p95   throughput                   TTFT p50, ITL p50, errors
half the capacity       throughput            TTFT p50 (it holds the       ITL p50, errors
                                              queue), latency p95, stalls
something faster                                                           everything: it passes
======================  ====================  ===========================  ==========================

What follows: the slots of a closed loop wait for whole answers, so what makes answers longer lowers the throughput and
raises the tail of the latency, as far as their tolerances let it show; and it brings all answers closer to the 1.5
times the old median beyond which one is called stalled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

TTFT: Final = "time_to_first_token.p50"
ITL: Final = "inter_token_latency.p50"
LATENCY: Final = "request_latency.p95"
THROUGHPUT: Final = "request_throughput"
STALLS: Final = "stall_share"
ERRORS: Final = "error_share"
JUDGED: Final = frozenset({TTFT, ITL, LATENCY, THROUGHPUT, STALLS, ERRORS})
MEDIAN_LATENCY: Final = "request_latency.p50"
JUDGED_WHOLE: Final = frozenset({MEDIAN_LATENCY, STALLS, ERRORS})
"""Where the answer comes in one piece."""


@dataclass(frozen=True, kw_only=True)
class Planted:
    """A change of the server and what must come of it. Changes are by metric, as fractions of the baseline."""

    server: Mapping[str, float]
    before: Mapping[str, float] = field(default_factory=dict)
    """What the other server is like, where two are compared."""
    worse: Mapping[str, float] = field(default_factory=dict)
    """Must be blamed; infinite for a share that was next to none before."""
    better: Mapping[str, float] = field(default_factory=dict)
    """Must be called improved."""
    follows: frozenset[str] = frozenset()
    """May be blamed too; what is in none of these must not be."""

    @property
    def verdict(self) -> str:
        """Of the whole measurement."""
        return "regressed" if self.worse else "pass"

    def spared(self, judged: frozenset[str]) -> frozenset[str]:
        """Metrics that this cannot touch, and those that it makes better."""
        return judged - self.worse.keys() - self.follows


NONE_BEFORE: Final = float("inf")
NOTHING: Final = Planted(server={})
WORSE: Final[Mapping[str, Planted]] = {
    "ttft": Planted(
        server={"ttft_slow_pct": 50}, worse={TTFT: 0.5}, follows=frozenset({LATENCY, THROUGHPUT, STALLS})
    ),
    "itl": Planted(
        server={"itl_slow_pct": 50}, worse={ITL: 0.5}, follows=frozenset({LATENCY, THROUGHPUT, STALLS})
    ),
    "errors": Planted(server={"error_pct": 2.5}, worse={ERRORS: NONE_BEFORE}),
    "stalls": Planted(
        server={"stall_pct": 15, "stall_ms": 70},
        worse={STALLS: NONE_BEFORE, LATENCY: 0.9},
        follows=frozenset({THROUGHPUT}),
    ),
    "throughput": Planted(
        server={"capacity": 24}, worse={THROUGHPUT: -0.5}, follows=frozenset({TTFT, LATENCY, STALLS})
    ),
}
BETTER: Final[Mapping[str, Planted]] = {
    "ttft": Planted(server={"ttft_slow_pct": -40}, better={TTFT: -0.4}),
    "itl": Planted(server={"itl_slow_pct": -40}, better={ITL: -0.4}),
    "throughput": Planted(server={"slow_pct": -40}, better={THROUGHPUT: 0.67, LATENCY: -0.4}),
}
SLOWER: Final = Planted(
    server={"slow_pct": 50},
    worse={TTFT: 0.5, ITL: 0.5, LATENCY: 0.5, THROUGHPUT: -0.33},
    follows=frozenset({STALLS}),
)
FASTER: Final = Planted(
    server={}, before=SLOWER.server, better={TTFT: -0.33, ITL: -0.33, LATENCY: -0.33, THROUGHPUT: 0.5}
)
"""The same two servers, asked about the other one."""
PAIRED: Final[Mapping[str, Planted]] = {
    "nothing": NOTHING,
    "errors and stalls before": Planted(
        server={}, before={"error_pct": 2.5, "stall_pct": 15, "stall_ms": 70}, better={LATENCY: -0.47}
    ),
}
WHOLE: Final[Mapping[str, Planted]] = {
    "nothing": NOTHING,
    "slower": Planted(server={"slow_pct": 60}, worse={MEDIAN_LATENCY: 0.6}, follows=frozenset({STALLS})),
    "faster": Planted(server={"slow_pct": -40}, better={MEDIAN_LATENCY: -0.4}),
}
"""Answers in one piece. All of them 60 % slower are beyond 1.5 times the old median: stalls, by their definition."""
