"""What was sent, as AIPerf 0.13 writes it: ``inputs.json``, a payload for each request of each conversation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import BinaryIO

import numpy as np
import orjson

from pytest_aiperf.common.records import ABSENT, Int32
from pytest_aiperf.exporters.aiperf_names import session_id


def sessions_of(conversation: Int32, request: Int32) -> tuple[Int32, Int32]:
    """Return for each request its conversation and its place in there.

    Args:
        conversation: ``(n,)``: which conversation; `ABSENT` where a request stands alone.
        request: ``(n,)``: which request of the plan; those of one conversation follow each other in the plan.

    Returns:
        ``(n,)`` numbers of conversations, a request that stands alone being one of its own, and ``(n,)`` turns from 0.
    """
    alone = conversation == ABSENT
    if alone.all():
        return request, np.zeros_like(request)
    session = np.where(alone, request + conversation.max() + 1, conversation).astype(np.int32)
    order = np.lexsort((request, session))
    ordered = session[order]
    first = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    within = np.arange(len(order)) - np.repeat(first, np.diff(np.r_[first, len(order)]))
    turn = np.empty_like(request)
    turn[order] = within
    return session, turn


def write_inputs(file: BinaryIO, bodies: Sequence[bytes], *, conversation: Int32, request: Int32) -> None:
    """Write the bodies of the requests that were sent, as they were; one that is no JSON is told by its length.

    Args:
        bodies: by request of the plan.
        conversation: see `sessions_of`.
        request: see `sessions_of`.
    """
    file.write(b'{"data":[')
    for number, text in enumerate(_sessions(bodies, conversation, request)):
        file.write(b",\n" if number else b"\n")
        file.write(text)
    file.write(b"\n]}\n")


def _sessions(bodies: Sequence[bytes], conversation: Int32, request: Int32) -> Iterator[bytes]:
    session, turn = sessions_of(conversation, request)
    order = np.lexsort((turn, session))
    for rows in np.split(order, np.flatnonzero(np.diff(session[order])) + 1):
        if len(rows):
            payloads = b",".join(_payload(bodies[i]) for i in request[rows].tolist())
            name = session_id(int(session[rows[0]])).encode()
            yield b'{"session_id":"%b","payloads":[%b]}' % (name, payloads)


def _payload(body: bytes) -> bytes:
    try:
        if isinstance(orjson.loads(body), dict):
            return body
    except orjson.JSONDecodeError:
        pass
    return b'{"bytes":%d}' % len(body)
