from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from scripted_server import BODY, ScriptedServer

from pytest_aiperf.engine import LoadPlan, RecordBatch, run_load
from pytest_aiperf.engine import loop as engine_loop

DEADLINE_S = 60.0
LOOPS: dict[str, Callable[[Coroutine[Any, Any, RecordBatch]], RecordBatch]] = {
    "asyncio": asyncio.run,
    "uvloop": engine_loop.run,
}


def loader(loop: str, **defaults: Any) -> Callable[..., RecordBatch]:
    def load(
        where: ScriptedServer | str, requests: int = 1, concurrency: int = 1, **fields: Any
    ) -> RecordBatch:
        url = where if isinstance(where, str) else where.url
        on_progress = fields.pop("on_progress", None)
        plan = LoadPlan(
            url=url,
            bodies=fields.pop("bodies", [BODY] * requests),
            concurrency=concurrency,
            **(defaults | fields),
        )
        return LOOPS[loop](asyncio.wait_for(run_load(plan, on_progress=on_progress), DEADLINE_S))

    return load


@pytest.fixture(params=["asyncio", "uvloop"])
def load(request) -> Callable[..., RecordBatch]:
    """Run a load on either event loop: `load(url_or_server, requests=1, concurrency=1, **plan_fields)`."""
    return loader(request.param)


@pytest.fixture(params=["wire-uvloop", "aiohttp-asyncio", "aiohttp-uvloop"])
def load_over(request) -> Callable[..., RecordBatch]:
    """The same over either transport; the load knows its name as `load_over.transport`."""
    transport, loop = request.param.split("-")
    load = loader(loop, transport=transport)
    load.transport = transport
    return load


@pytest.fixture
def serve() -> Iterator[Callable[..., ScriptedServer]]:
    """Start a scripted server that ends with the test."""
    with ExitStack() as stack:
        yield lambda script, **kw: stack.enter_context(ScriptedServer(script, **kw))
