"""The phases of a request on the wire, as in k6. What was not measured is absent, never 0.

Good requests only. There is no ``http_req_dns_lookup``: the address is resolved once, before the run.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from pytest_aiperf.metrics.base_metric import BaseRecordMetric, Direction, Floats, Group
from pytest_aiperf.metrics.run_columns import RunColumns

BYTES_PER_KB = 1024


class HttpReqBlocked(BaseRecordMetric):
    """``t0 - t_plan - http_req_connecting``: how long a due request waited for a free slot."""

    tag = "http_req_blocked"
    header = "HTTP Blocked"
    description = "Wait of a due request for a slot"
    unit = "ms"
    direction: ClassVar[Direction] = "lower"
    group: ClassVar[Group] = "http"
    display_order = 2000
    open_loop_only = True
    hidden = True

    def values(self, run: RunColumns) -> Floats:
        """Return ``(n,)`` milliseconds."""
        waited = run.span_ms(run.column("t_plan"), run.column("t0")) - run.of(HttpReqConnecting)
        return np.maximum(waited, 0.0)


class HttpReqConnecting(BaseRecordMetric):
    """What connecting took for this request, TLS handshake included; 0 where a connection was open."""

    tag = "http_req_connecting"
    header = "HTTP Connecting"
    description = "Connecting, TLS included"
    unit = "ms"
    direction: ClassVar[Direction] = "lower"
    group: ClassVar[Group] = "http"
    display_order = 2020
    hidden = True

    def values(self, run: RunColumns) -> Floats:
        """Return ``(n,)`` milliseconds."""
        return run.told("connecting_ns") / 1e6


class HttpReqSending(BaseRecordMetric):
    """``t_sent - t0``: until the last byte of the request was handed to the socket."""

    tag = "http_req_sending"
    header = "HTTP Sending"
    description = "First to last byte of the request"
    unit = "ms"
    direction: ClassVar[Direction] = "lower"
    group: ClassVar[Group] = "http"
    display_order = 2030
    hidden = True

    def values(self, run: RunColumns) -> Floats:
        """Return ``(n,)`` milliseconds."""
        return run.span_ms(run.column("t0"), run.column("t_sent"))


class HttpReqWaiting(BaseRecordMetric):
    """``t_hdr - t_sent``: until the response head was complete."""

    tag = "http_req_waiting"
    header = "HTTP Waiting"
    description = "Request sent to response head"
    unit = "ms"
    direction: ClassVar[Direction] = "lower"
    group: ClassVar[Group] = "http"
    display_order = 2040
    hidden = True

    def values(self, run: RunColumns) -> Floats:
        """Return ``(n,)`` milliseconds."""
        return run.span_ms(run.column("t_sent"), run.column("t_hdr"))


class HttpReqReceiving(BaseRecordMetric):
    """``t_end - t_hdr``: until the answer was complete."""

    tag = "http_req_receiving"
    header = "HTTP Receiving"
    description = "Response head to the end of the answer"
    unit = "ms"
    direction: ClassVar[Direction] = "lower"
    group: ClassVar[Group] = "http"
    display_order = 2050
    hidden = True

    def values(self, run: RunColumns) -> Floats:
        """Return ``(n,)`` milliseconds."""
        return run.span_ms(run.column("t_hdr"), run.column("t_end"))


class HttpReqDuration(BaseRecordMetric):
    """``t_end - t0``: sending, waiting and receiving, without connecting. Closing messages count here."""

    tag = "http_req_duration"
    header = "HTTP Duration"
    description = "First byte sent to the end of the answer"
    unit = "ms"
    direction: ClassVar[Direction] = "lower"
    group: ClassVar[Group] = "http"
    display_order = 2120
    hidden = True

    def values(self, run: RunColumns) -> Floats:
        """Return ``(n,)`` milliseconds."""
        return run.span_ms(run.column("t0"), run.column("t_end"))


class HttpReqConnectionOverhead(BaseRecordMetric):
    """``http_req_blocked + http_req_connecting``; without the first in a closed loop, where nothing is due."""

    tag = "http_req_connection_overhead"
    header = "HTTP Connection Overhead"
    description = "Blocked and connecting"
    unit = "ms"
    direction: ClassVar[Direction] = "lower"
    group: ClassVar[Group] = "http"
    display_order = 2110
    hidden = True

    def values(self, run: RunColumns) -> Floats:
        """Return ``(n,)`` milliseconds."""
        blocked = run.of(HttpReqBlocked) if run.context.open_loop else 0.0
        return run.of(HttpReqConnecting) + blocked


class HttpReqTotal(BaseRecordMetric):
    """``http_req_connection_overhead + http_req_duration``."""

    tag = "http_req_total"
    header = "HTTP Total"
    description = "Overhead and duration"
    unit = "ms"
    direction: ClassVar[Direction] = "lower"
    group: ClassVar[Group] = "http"
    display_order = 2130
    hidden = True

    def values(self, run: RunColumns) -> Floats:
        """Return ``(n,)`` milliseconds."""
        return run.of(HttpReqConnectionOverhead) + run.of(HttpReqDuration)


class HttpReqDataSent(BaseRecordMetric):
    """Head and body of the request; 1 KB is 1024 bytes."""

    tag = "http_req_data_sent"
    header = "HTTP Data Sent"
    description = "Size of the request"
    unit = "KB"
    direction: ClassVar[Direction] = "neutral"
    group: ClassVar[Group] = "http"
    display_order = 2140
    hidden = True

    def values(self, run: RunColumns) -> Floats:
        """Return ``(n,)`` KB."""
        return run.told("sent_bytes") / BYTES_PER_KB


class HttpReqDataReceived(BaseRecordMetric):
    """Body of the answer, transfer coding removed; 1 KB is 1024 bytes."""

    tag = "http_req_data_received"
    header = "HTTP Data Received"
    description = "Size of the answer"
    unit = "KB"
    direction: ClassVar[Direction] = "neutral"
    group: ClassVar[Group] = "http"
    display_order = 2150
    hidden = True

    def values(self, run: RunColumns) -> Floats:
        """Return ``(n,)`` KB."""
        return run.told("received_bytes") / BYTES_PER_KB


class HttpReqConnectionReused(BaseRecordMetric):
    """1 where the request went over a connection that was open, 0 where one was opened for it."""

    tag = "http_req_connection_reused"
    header = "HTTP Connection Reused"
    description = "Whether the connection was open"
    unit = "ratio"
    direction: ClassVar[Direction] = "neutral"
    group: ClassVar[Group] = "http"
    display_order = 2160
    hidden = True

    def values(self, run: RunColumns) -> Floats:
        """Return ``(n,)`` zeros and ones."""
        connecting = run.of(HttpReqConnecting)
        return np.where(np.isnan(connecting), np.nan, connecting == 0)
