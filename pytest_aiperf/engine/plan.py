"""PYTEST_DONT_REWRITE. What is to be sent: everything is decided before the first byte leaves."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import accumulate
from math import isfinite
from typing import Any, Final, Literal

import numpy as np

from pytest_aiperf.common.conversation import Expected
from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.common.records import Int32, Int64

ConnectionReuse = Literal["pooled", "never", "sticky"]
RampShape = Literal["linear", "exponential"]

NEVER: Final = -1
"""In `cancel_after_ns`: this request is not cancelled."""

_POSITIVE = (
    "connect_timeout_s",
    "first_byte_timeout_s",
    "stall_timeout_s",
    "request_timeout_s",
    "max_duration_s",
    "head_limit_bytes",
    "message_limit_bytes",
    "body_limit_bytes",
)
_POSITIVE_IF_GIVEN = ("concurrency", "prefill_concurrency", "count", "duration_s")
_ARRAYS: Final = {
    "due_ns": "i8",
    "cancel_after_ns": "i8",
    "conversation": "i4",
    "after_offsets": "i8",
    "after": "i4",
    "delay_ns": "i8",
    "numbers": "i4",
}


_BUFFERS: Final = {"bodies", "expected", *_ARRAYS}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LoadPlan:
    """One run: the requests in their order, ready to send, and the rules by which they are sent.

    A request is sent as soon as three things hold: its time has come (`due_ns`), the requests that it follows have
    ended (`after`, `delay_ns`), and a slot is free (`concurrency`, `prefill_concurrency`). Requests that wait for a
    slot wait in order. With a concurrency alone that is the closed loop, with due times the open one.

    Raises:
        ConfigurationError: there is nothing to send, or a number is out of its range.
    """

    url: str
    """Where requests go, path included: ``http://host:port/v1/chat/completions``."""
    further_urls: Sequence[str] = ()
    """More of the kind; request i goes to the i-th of all, round robin."""
    bodies: Sequence[bytes]
    """``(n,)`` request bodies, sent in this order."""
    endpoint_type: str = "chat"
    """Registry name of the endpoint that reads the answers."""
    endpoint_extra: Mapping[str, Any] = field(default_factory=dict)
    """`ModelEndpointInfo.extra` of the endpoint that reads the answers."""
    streaming: bool = True
    download_video_content: bool = False
    """`ModelEndpointInfo.download_video_content` of the endpoint that reads the answers."""
    expected: Sequence[Expected | None] | None = None
    """``(n,)``: what the answer to each request should be, None where nothing is expected of it; it is graded then, and
    a batch has `RecordBatch.correct`. None: nothing is graded. Each one has passed `check_expected`.
    """
    headers: Mapping[str, str] = field(default_factory=dict)
    """Further request headers. The API key is not among them: the load process adds it from its environment."""

    # When a request is sent.

    concurrency: int | None = None
    """So many requests in flight at most; None: no limit, which takes due times."""
    concurrency_ramp_s: float = 0.0
    """The limit grows from 1 to `concurrency` over this long."""
    ramp_shape: RampShape = "linear"
    prefill_concurrency: int | None = None
    """So many requests at most that still wait for their first content."""
    due_ns: Int64 | None = None
    """``(n,)`` not falling: when each request is due, from the start of the run. A late one is sent late."""
    conversation: Int32 | None = None
    """``(n,)``: requests of one conversation share a number; it tells load processes and sticky connections apart."""
    after_offsets: Int64 | None = None
    """``(n + 1,)``: request i follows the requests ``after[after_offsets[i]:after_offsets[i + 1]]``."""
    after: Int32 | None = None
    """Indices into the plan, each smaller than that of the request that follows.

    A follower is sent only if all of them ended well. Otherwise its row is an error of the class ``skipped``, or a
    cancelled request after a cancelled one; and so are those of its own followers.
    """
    delay_ns: Int64 | None = None
    """``(n,)``: pause between the end of the last one that a request follows and the request."""
    cancel_after_ns: Int64 | None = None
    """``(n,)``: cancelled so long after it was sent, or `NEVER`."""

    # When the run ends.

    count: int | None = None
    """Requests in all; the bodies are used again from the start. None: each body once; with a duration, any number."""
    duration_s: float | None = None
    """Nothing is sent after this long."""
    grace_period_s: float = 30.0
    """What is in flight then may take so long to end; after that it is cancelled."""
    max_duration_s: float = 3600.0
    """The run is cut short after this long, and says so: it is not a measurement then."""

    # Of several load processes this is one.

    numbers: Int32 | None = None
    """``(n,)``: the number of each request in the whole plan, where this is a part of one."""
    whole: int | None = None
    """Bodies of the whole plan, where this is a part: its request n + i has the number ``numbers[i] + whole`` there."""
    start_at_ns: int | None = None
    """CLOCK_REALTIME ns at which the run starts, for all processes alike; None: when connections are open."""

    # What carries the requests.

    transport: str = "auto"
    """Registry name of the transport; ``auto``: `wire`, and `aiohttp` for what `wire` declines (a proxy)."""
    connection_reuse: ConnectionReuse = "pooled"
    """``pooled``: kept open and shared; ``never``: one for each request; ``sticky``: one for each conversation."""
    connect_timeout_s: float = 10.0
    first_byte_timeout_s: float = 300.0
    """Longest wait for the first byte of the answer."""
    stall_timeout_s: float = 120.0
    """Longest silence between two reads of an answer that has begun."""
    request_timeout_s: float = 300.0
    """From the first byte sent to the end of the answer."""
    head_limit_bytes: int = 64 * 1024
    message_limit_bytes: int = 16 * 1024 * 1024
    body_limit_bytes: int = 1024 * 1024 * 1024
    insecure: bool = False
    """Accept any certificate; the result says so."""
    ca_file: str | None = None
    """PEM file with the authorities to trust instead of the system's."""
    client_certificate: str | None = None
    """PEM file with the client's certificate, and its key unless `client_key` is given."""
    client_key: str | None = None
    proxy: str | None = None
    """URL of an HTTP proxy; ``env``: as HTTP_PROXY, HTTPS_PROXY and NO_PROXY say; None: none, whatever they say."""

    def __post_init__(self) -> None:
        if not len(self.bodies):
            raise ConfigurationError("the plan holds no requests; give a request count of at least 1")
        for name in _POSITIVE:
            _check_positive(name, getattr(self, name))
        for name in _POSITIVE_IF_GIVEN:
            if getattr(self, name) is not None:
                _check_positive(name, getattr(self, name))
        if self.concurrency is None and self.due_ns is None:
            raise ConfigurationError("the plan has neither a concurrency nor due times: give one of them")
        for name in _ARRAYS:
            column = getattr(self, name)
            if (
                column is not None
                and name not in ("after", "after_offsets")
                and len(column) != len(self.bodies)
            ):
                raise ConfigurationError(f"{name} has {len(column)} entries for {len(self.bodies)} requests")
        if self.expected is not None and len(self.expected) != len(self.bodies):
            raise ConfigurationError(
                f"expected has {len(self.expected)} entries for {len(self.bodies)} requests"
            )
        if not self.grace_period_s >= 0:
            raise ConfigurationError(f"grace_period_s must not be negative, got {self.grace_period_s}")
        if not self.concurrency_ramp_s >= 0:
            raise ConfigurationError(
                f"concurrency_ramp_s must not be negative, got {self.concurrency_ramp_s}"
            )
        self._check_due()
        self._check_after()

    def _check_due(self) -> None:
        if self.due_ns is None:
            return
        if (np.diff(self.due_ns) < 0).any() or self.due_ns[0] < 0:
            raise ConfigurationError("due_ns must not fall: requests are sent in their order")
        if self.count is not None and self.count > len(self.bodies):
            raise ConfigurationError(
                f"{self.count} requests are wanted and {len(self.bodies)} have due times: give one for each"
            )

    def _check_after(self) -> None:
        if self.after is None and self.after_offsets is None:
            return
        if self.after is None or self.after_offsets is None:
            raise ConfigurationError("after and after_offsets belong together: give both")
        counts = np.diff(self.after_offsets)
        if (
            len(counts) != len(self.bodies)
            or (counts < 0).any()
            or (self.after_offsets[0], self.after_offsets[-1]) != (0, len(self.after))
        ):
            raise ConfigurationError(
                f"after_offsets does not deal the {len(self.after)} entries of after to {len(self.bodies)} requests"
            )
        if ((self.after < 0) | (self.after >= np.repeat(np.arange(len(counts)), counts))).any():
            raise ConfigurationError(
                "after must name earlier requests: a request follows only what comes before it"
            )

    @property
    def urls(self) -> tuple[str, ...]:
        """All URLs, in turn."""
        return (self.url, *self.further_urls)

    @property
    def requests(self) -> int | None:
        """How many requests there are to send; None: the bodies are used again until the duration is over."""
        if self.count is not None:
            return self.count
        return None if self.duration_s is not None and self.due_ns is None else len(self.bodies)

    @property
    def planned(self) -> int | None:
        """How many requests the run should send; None where its duration decides.

        With due times those that are due within the duration; where delays make them later nobody knows how many.
        """
        if self.due_ns is None or self.duration_s is None:
            return self.requests
        if self.delay_ns is not None and self.delay_ns.any():
            return None
        due = int(np.searchsorted(self.due_ns, round(self.duration_s * 1e9), side="right"))
        return due if self.requests is None else min(due, self.requests)

    def to_buffers(self) -> tuple[dict[str, Any], list[bytes]]:
        """Return a JSON-ready header and the bodies and columns as buffers."""
        header = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in _BUFFERS}
        given = {name: column for name in _ARRAYS if (column := getattr(self, name)) is not None}
        header |= {
            "headers": dict(self.headers),
            "endpoint_extra": dict(self.endpoint_extra),
            "further_urls": list(self.further_urls),
            "columns": [*given],
        }
        ends = np.fromiter(accumulate(map(len, self.bodies)), dtype=np.int64)
        columns = [np.ascontiguousarray(c, dtype=_ARRAYS[name]).tobytes() for name, c in given.items()]
        return header, [b"".join(self.bodies), ends.tobytes(), _written(self.expected), *columns]

    @classmethod
    def from_buffers(cls, header: Mapping[str, Any], buffers: Sequence[bytes | memoryview]) -> LoadPlan:
        """Rebuild what `to_buffers` took apart."""
        given: dict[str, Any] = dict(header)
        names = given.pop("columns")
        given["further_urls"] = tuple(given["further_urls"])
        joined, ends = bytes(buffers[0]), np.frombuffer(buffers[1], dtype=np.int64).tolist()
        starts = [0, *ends[:-1]]
        for name, buffer in zip(names, buffers[3:], strict=True):
            given[name] = np.frombuffer(buffer, dtype=_ARRAYS[name])
        bodies = [joined[a:b] for a, b in zip(starts, ends, strict=True)]
        return cls(bodies=bodies, expected=_read(bytes(buffers[2])), **given)


def _written(expected: Sequence[Expected | None] | None) -> bytes:
    """Nothing where nothing is expected: an empty buffer."""
    if expected is None:
        return b""
    return json.dumps([None if one is None else [one.answer, one.grader] for one in expected]).encode()


def _read(written: bytes) -> Sequence[Expected | None] | None:
    if not written:
        return None
    return [one and Expected(answer=one[0], grader=one[1]) for one in json.loads(written)]


def _check_positive(name: str, value: float) -> None:
    if not (isfinite(value) and value > 0):
        raise ConfigurationError(f"{name} must be greater than 0 and finite, got {value}")
