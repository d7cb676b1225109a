from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from scripted_server import BODY, ScriptedServer

from pytest_aiperf.engine import LoadPlan, RecordBatch, run_load
from pytest_aiperf.engine import loop as engine_loop


@pytest.fixture(params=["asyncio", "uvloop"])
def load(request) -> Callable[..., RecordBatch]:
    """Run a load on either event loop: `load(url_or_server, requests=1, concurrency=1, **plan_fields)`."""
    run = asyncio.run if request.param == "asyncio" else engine_loop.run

    def load(
        where: ScriptedServer | str, requests: int = 1, concurrency: int = 1, **fields: Any
    ) -> RecordBatch:
        url = where if isinstance(where, str) else where.url
        on_progress = fields.pop("on_progress", None)
        plan = LoadPlan(
            url=url, bodies=fields.pop("bodies", [BODY] * requests), concurrency=concurrency, **fields
        )
        return run(run_load(plan, on_progress=on_progress))

    return load


@pytest.fixture
def serve() -> Iterator[Callable[..., ScriptedServer]]:
    """Start a scripted server that ends with the test."""
    with ExitStack() as stack:
        yield lambda script, **kw: stack.enter_context(ScriptedServer(script, **kw))
