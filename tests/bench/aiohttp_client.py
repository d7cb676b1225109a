"""A streaming client as people write it with aiohttp and uvloop: the yardstick of fidelity.py and throughput.py.

    python tests/bench/aiohttp_client.py URL STREAMS REQUESTS

Stamps each chunk when the loop hands it over and parses the messages as they come. Prints one line of JSON with the
latencies of each request; a wave of warm-up goes before and is not in it.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from typing import Any

import aiohttp
import orjson
import uvloop

BODY = {"model": "mock", "messages": [{"role": "user", "content": "x" * 400}], "stream": True}


async def stream(session: aiohttp.ClientSession, url: str, number: int) -> dict[str, Any]:
    content: list[int] = []
    tokens, rest = 0, b""
    started = time.perf_counter_ns()
    async with session.post(url, json=BODY, headers={"X-Request-Id": str(number)}) as response:
        response.raise_for_status()
        async for chunk in response.content.iter_any():
            now = time.perf_counter_ns()
            *events, rest = (rest + chunk).split(b"\n\n")
            for event in events:
                data = event.removeprefix(b"data: ")
                if data == b"[DONE]":
                    continue
                message = orjson.loads(data)
                if message.get("usage"):
                    tokens = message["usage"]["completion_tokens"]
                if message["choices"] and message["choices"][0]["delta"].get("content"):
                    content.append(now)
    ttft_ms, latency_ms = ((at - started) / 1e6 for at in (content[0], content[-1]))
    itl_ms = (latency_ms - ttft_ms) / (tokens - 1)
    return {"id": str(number), "ttft_ms": ttft_ms, "itl_ms": itl_ms, "latency_ms": latency_ms}


async def slot(session: aiohttp.ClientSession, url: str, numbers: Iterator[int]) -> list[dict[str, Any]]:
    return [await stream(session, url, number) for number in numbers]


async def load(url: str, streams: int, requests: int) -> dict[str, Any]:
    connector = aiohttp.TCPConnector(limit=streams)
    async with aiohttp.ClientSession(connector=connector) as session:
        for numbers in (iter(range(-streams, 0)), iter(range(requests))):
            began, cpu = time.perf_counter(), time.process_time()
            done = await asyncio.gather(*(slot(session, url, numbers) for _ in range(streams)))
            took_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    return {"took_s": took_s, "cpu_s": cpu_s, "requests": [row for rows in done for row in rows]}


if __name__ == "__main__":
    answer = uvloop.run(load(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
    sys.stdout.buffer.write(orjson.dumps(answer))
