"""The names that all servers' figures go by here, whatever each server calls its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

Kind = Literal["gauge", "counter", "times"]
Part = Literal["added", "largest", "sum", "count", "bucket", "quantile"]
"""What a number is of a quantity. ``added``: its label sets are added up; ``largest``: the largest one counts. The
others are the parts of times: seconds in all, how many, and those of a histogram or a summary."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """Something that several servers tell."""

    name: str
    kind: Kind
    unit: str
    title: str


class SeriesKey(NamedTuple):
    """One number of a page."""

    quantity: str
    part: Part
    bound: str
    """Upper edge of a bucket in seconds, or a quantile; empty for other parts."""
    labels: str
    """Tells label sets apart, and says nothing else of them."""


RUNNING: Final = "requests_running"
WAITING: Final = "requests_waiting"
KV_CACHE: Final = "kv_cache_usage"
CACHE_QUERIES: Final = "prefix_cache_queries"
CACHE_HITS: Final = "prefix_cache_hits"
HIT_RATE: Final = "prefix_cache_hit_rate"
PREEMPTIONS: Final = "preemptions"
PROMPT_TOKENS: Final = "prompt_tokens"
GENERATED_TOKENS: Final = "generated_tokens"
SERVED: Final = "requests_served"
QUEUE_TIME: Final = "queue_time"
PREFILL_TIME: Final = "prefill_time"
DECODE_TIME: Final = "decode_time"

QUANTITIES: Final = {
    quantity.name: quantity
    for quantity in (
        Quantity(name=RUNNING, kind="gauge", unit="requests", title="requests being worked on"),
        Quantity(name=WAITING, kind="gauge", unit="requests", title="requests waiting in the server's queue"),
        Quantity(name=KV_CACHE, kind="gauge", unit="share", title="KV cache in use, 0 to 1"),
        Quantity(name=HIT_RATE, kind="gauge", unit="share", title="prompt found in the prefix cache, 0 to 1"),
        Quantity(name=CACHE_QUERIES, kind="counter", unit="tokens", title="looked up in the prefix cache"),
        Quantity(name=CACHE_HITS, kind="counter", unit="tokens", title="found in the prefix cache"),
        Quantity(
            name=PREEMPTIONS, kind="counter", unit="requests", title="requests put back for want of room"
        ),
        Quantity(name=PROMPT_TOKENS, kind="counter", unit="tokens", title="prompt tokens"),
        Quantity(name=GENERATED_TOKENS, kind="counter", unit="tokens", title="generated tokens"),
        Quantity(name=SERVED, kind="counter", unit="requests", title="requests served"),
        Quantity(name=QUEUE_TIME, kind="times", unit="s", title="time in the server's queue"),
        Quantity(name=PREFILL_TIME, kind="times", unit="s", title="time of prefill"),
        Quantity(name=DECODE_TIME, kind="times", unit="s", title="time of decode"),
    )
}
"""By name, in the order of tables."""
