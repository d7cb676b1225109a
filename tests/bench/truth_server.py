"""The server that logs when it had each request and when it sent each token."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from c_server import CServer, c_server


@dataclass(frozen=True, slots=True, kw_only=True)
class TruthServer:
    """Streams with a known schedule: the first token `first_ms` after the request, the next ones `gap_ms` apart."""

    server: CServer
    tokens: int
    first_ms: float
    gap_ms: float

    @property
    def url(self) -> str:
        return self.server.url

    def take_log(self) -> list[dict[str, Any]]:
        """Return what was logged since the last call, as `id`, `t_recv_ns` and `sent_ns`, and clear it.

        Call it while nothing is under way. A request whose receipt the kernel did not stamp is an error: then the
        truth would not be one.
        """
        process = self.server.process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"log\n")
        process.stdin.flush()
        log = json.loads(process.stdout.readline())
        assert not log["user_stamps"], f"the kernel left out {log['user_stamps']} receive stamps"
        return log["requests"]


@contextlib.contextmanager
def truth_server(*, tokens: int, first_ms: float, gap_ms: float) -> Iterator[TruthServer]:
    """Start one."""
    with c_server("truth_server", tokens, round(first_ms * 1e3), round(gap_ms * 1e3)) as server:
        yield TruthServer(server=server, tokens=tokens, first_ms=first_ms, gap_ms=gap_ms)
