"""What the server's figures say about a verdict: a cause is named only where one of these rules fires.

Each rule returns a sentence, or None. Those that compare take the windows of the runs of two sides and look at the
median run, so that one odd run names no cause.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from typing import Final

from pytest_aiperf.server_metrics import quantities as q
from pytest_aiperf.server_metrics.figures import ServerWindow

Windows = Sequence[ServerWindow]

NOTICEABLE: Final = 1.5
"""What grew by half is a cause; what grew less may be noise."""
MORE_WAITING: Final = 0.5
"""Requests more in the queue, at least."""
MORE_QUEUE_S: Final = 0.005
FEWER_HITS: Final = 0.05
"""Five points of a hundred."""
MORE_PREEMPTIONS: Final = 0.01
"""Per request served, at least."""
TOO_FAR_S: Final = 1.0
"""Counters that reach farther out of the window than this may hold other requests of ours."""


def foreign_requests(
    window: ServerWindow, ours: int, *, tolerance: float, our_tokens: int | None = None
) -> str | None:
    """Tell that the server served others.

    Args:
        window: of everything that is counted in `ours`, rehearsals and warm-up too.
        ours: requests sent within the window and until the counters were read again.
        tolerance: share of `ours` that may be somebody else's.
        our_tokens: output tokens of ours; for servers that count no requests.
    """
    if window.restarted or any(max(page.before_s, page.after_s) > TOO_FAR_S for page in window.pages):
        return None
    for name, sent, what in (
        (q.SERVED, ours, "requests"),
        (q.GENERATED_TOKENS, our_tokens, "tokens"),
    ):
        served = window.counter(name)
        if served is None or not sent:
            continue
        others = served.delta - sent
        if others <= tolerance * sent:
            return None
        return (
            f"the server served {others:.0f} {what} more than the {sent} of this measurement: "
            "somebody else uses it"
        )
    return None


def server_restarted(window: ServerWindow) -> str | None:
    """Tell that the server was restarted while it was measured."""
    pages = [page.url for page in window.pages if page.restarted]
    if not pages:
        return None
    return f"the server behind {', '.join(pages)} was restarted while it was measured"


def queueing_grew(before: Windows, now: Windows) -> str | None:
    """Tell that requests waited longer, or more of them, in the server's queue."""
    waiting = _both(before, now, lambda one: _mean_gauge(one, q.WAITING))
    if waiting is not None and _grew(waiting, at_least=MORE_WAITING):
        return f"more requests waited in the server's queue: {waiting[0]:.1f} -> {waiting[1]:.1f} on average"
    times = _both(before, now, lambda one: _mean_time(one, q.QUEUE_TIME))
    if times is not None and _grew(times, at_least=MORE_QUEUE_S):
        return (
            "requests waited longer in the server's queue: "
            f"{times[0] * 1e3:.1f} -> {times[1] * 1e3:.1f} ms on average"
        )
    return None


def cache_hits_fell(before: Windows, now: Windows) -> str | None:
    """Tell that less of the prompts was found in the prefix cache."""
    rates = _both(before, now, lambda one: one.hit_rate)
    if rates is None or rates[0] - rates[1] < FEWER_HITS:
        return None
    return f"less of the prompts was in the prefix cache: {rates[0]:.0%} -> {rates[1]:.0%}"


def preemptions_rose(before: Windows, now: Windows) -> str | None:
    """Tell that the server put more requests back because its KV cache was full."""
    rates = _both(before, now, _preempted_share)
    if rates is None or not _grew(rates, at_least=MORE_PREEMPTIONS):
        return None
    return (
        "the server put more requests back for want of KV cache: "
        f"{rates[0] * 100:.1f} -> {rates[1] * 100:.1f} per 100 requests"
    )


RULES: Final[Sequence[Callable[[Windows, Windows], str | None]]] = (
    queueing_grew,
    cache_hits_fell,
    preemptions_rose,
)


def causes(before: Windows, now: Windows) -> Sequence[str]:
    """Return the sentences of all rules that compare and fire."""
    return [sentence for rule in RULES if (sentence := rule(before, now)) is not None]


def _grew(pair: tuple[float, float], *, at_least: float) -> bool:
    before, now = pair
    return now - before >= at_least and now >= before * NOTICEABLE


def _both(
    before: Windows, now: Windows, tell: Callable[[ServerWindow], float | None]
) -> tuple[float, float] | None:
    sides = [[value for one in side if (value := tell(one)) is not None] for side in (before, now)]
    return (median(sides[0]), median(sides[1])) if all(sides) else None


def _mean_gauge(window: ServerWindow, name: str) -> float | None:
    figure = window.gauge(name)
    return None if figure is None else figure.mean


def _mean_time(window: ServerWindow, name: str) -> float | None:
    figure = window.times(name)
    return None if figure is None else figure.mean


def _preempted_share(window: ServerWindow) -> float | None:
    preempted, served = window.counter(q.PREEMPTIONS), window.counter(q.SERVED)
    if preempted is None or served is None or not served.delta:
        return None
    return preempted.delta / served.delta
