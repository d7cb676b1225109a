"""A server that never stops must not fill the memory: seen from outside, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from scripted_server import STREAM_HEAD, chunk, token

GIB = 2**30
MIB = 2**20
CHILD = """
import asyncio, json, resource, sys
from pytest_aiperf.engine import LoadPlan, run_load
from pytest_aiperf.engine.transports import new_transport
from pytest_aiperf.engine.address import parse_target

fields = json.loads(sys.argv[1])
plan = LoadPlan(bodies=[b"{}"], concurrency=1, **fields)
new_transport(plan, [parse_target(plan.url)])  # imports all that it needs
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
before = peak()
batch = asyncio.run(run_load(plan))
print(json.dumps({
    "grown": peak() - before, "type": batch.errors[0].type, "message": batch.errors[0].message,
    "received": int(batch.received_bytes[0]), "contents": int(batch.content_count()[0]),
}))
"""


def in_a_child(**plan):
    done = subprocess.run(
        [sys.executable, "-c", CHILD, json.dumps(plan)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("transport", ["wire", "aiohttp"])
def test_a_line_of_a_gibibyte_is_cut_at_the_message_limit(serve, transport):
    served = []

    def script(wire):
        wire.request()
        wire.send(STREAM_HEAD + chunk(token("a")) + chunk(b"data: "))
        piece = chunk(b"x" * MIB)
        for n in range(1024):
            served.append(n)
            wire.send(piece)

    seen = in_a_child(url=serve(script).url, transport=transport)
    assert (seen["type"], seen["contents"]) == ("limit", 1)
    assert seen["message"] == f"a message of the stream is longer than {16 * MIB} bytes"
    assert 16 * MIB < seen["received"] < 18 * MIB
    assert seen["grown"] < 6 * 16 * MIB
    assert len(served) < 100  # what did not fit the socket's buffers was never sent


@pytest.mark.parametrize("transport", ["wire", "aiohttp"])
def test_a_stream_without_an_end_is_cut_at_the_body_limit(serve, transport):
    def script(wire):
        wire.request()
        wire.send(STREAM_HEAD)
        piece = chunk(token("a" * 900) * 1000)
        while True:
            wire.send(piece)

    seen = in_a_child(url=serve(script).url, transport=transport, body_limit_bytes=16 * MIB)
    assert seen["type"] == "limit"
    assert seen["message"] == f"the body of the answer is longer than {16 * MIB} bytes"
    assert seen["contents"] > 10_000
    assert seen["grown"] < 6 * 16 * MIB
