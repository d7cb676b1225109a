"""What the load engine reports of a real inference server against what left the server: packet by packet.

    python tests/real/fidelity_real.py [--concurrency 1 4 16] [--requests N]

The truth is a capture of the loopback device (packet_capture.py; root is needed): for each message with text the
kernel's stamp of the segment that completes it, as it leaves the server's socket. Messages are found again in the
captured bytes by a reader of their own, not by the engine's. Prints by how much the engine's content stamps are later
than that, over all messages; and TTFT from both sides, the capture's from the request's last byte on its way in. The
server is the tiny model; `--endpoint` takes another one on 127.0.0.1.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from llama_process import llama_process
from packet_capture import Segment, captured, read_segments

from pytest_aiperf.common.records import RecordBatch
from pytest_aiperf.engine.plan import LoadPlan
from pytest_aiperf.engine.request_bytes import request_number
from pytest_aiperf.services.load_process import LoadProcess

TOKENS = 64
REQUEST_ID = re.compile(rb"\r\nx-request-id: (\S+)", re.IGNORECASE)


@dataclass(slots=True)
class Answer:
    """One request in the capture. Stamps are CLOCK_REALTIME ns."""

    number: int
    asked_ns: int
    """The last byte of the request came in at the server."""
    left_ns: list[int] = field(default_factory=list)
    """Each message with text left the server: the segment that completes it."""
    rest: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All requests of one load; stamps in ns, TTFT in ms."""

    late_ns: np.ndarray
    """``(messages,)``: the engine's stamp, after the message left the server."""
    own: np.ndarray
    """Of all messages but each answer's last: the engine's stamp is from before the next message had left the server.
    Else one read brought several, and they share the stamp of the last."""
    ttft_ms: np.ndarray
    true_ttft_ms: np.ndarray

    def line(self, concurrency: int) -> str:
        late = " ".join(f"{np.percentile(self.late_ns, q) / 1e3:>9.1f}" for q in (50, 99, 100))
        ttft = " ".join(
            f"{np.percentile(v, q):>9.3f}" for q in (50, 99) for v in (self.ttft_ms, self.true_ttft_ms)
        )
        off = np.percentile(np.abs(self.ttft_ms - self.true_ttft_ms), 99) * 1e3
        own = self.own.mean() * 100
        cells = f"{concurrency:>11} {len(self.ttft_ms):>8} {len(self.late_ns):>8} {late} {own:>11.2f}"
        return f"{cells} {ttft} {off:>11.1f}"


HEAD = (
    f"{'concurrency':>11} {'requests':>8} {'messages':>8} {'p50 µs':>9} {'p99 µs':>9} {'max µs':>9} {'own stamp %':>11}"
    f" {'TTFT p50':>9} {'(true)':>9} {'TTFT p99':>9} {'(true)':>9} {'off p99 µs':>11}"
)


def measure(load: LoadProcess, url: str, *, concurrency: int, requests: int, folder: Path) -> Comparison:
    """Send a load under capture and compare."""
    body = {"model": "any", "messages": [{"role": "user", "content": "time year"}], "stream": True}
    bodies = [json.dumps(body | {"max_tokens": TOKENS}).encode()] * requests
    port = urlsplit(url).port
    assert port is not None
    path = folder / f"capture-{concurrency}"
    with captured(port, path):
        batch = load.run(LoadPlan(url=f"{url}/v1/chat/completions", bodies=bodies, concurrency=concurrency))
    assert not batch.errors, batch.errors
    return compare(batch, {answer.number: answer for answer in answers(read_segments(path), port)})


def compare(batch: RecordBatch, found: dict[int, Answer]) -> Comparison:
    late, own, true_ttft = [], [], []
    start_ns, offsets = batch.facts.start_ns, batch.content_offsets
    for row, number in enumerate(batch.request_index.tolist()):
        answer = found[number]
        reported = batch.content_ns[offsets[row] : offsets[row + 1]] + start_ns
        assert len(reported) == len(answer.left_ns), f"request {number}: {len(answer.left_ns)} captured"
        left = np.array(answer.left_ns)
        late.append(reported - left)
        own.append(reported[:-1] < left[1:])
        true_ttft.append((answer.left_ns[0] - answer.asked_ns) / 1e6)
    return Comparison(
        late_ns=np.concatenate(late),
        own=np.concatenate(own),
        ttft_ms=(batch.content_at(0) - batch.t0) / 1e6,
        true_ttft_ms=np.array(true_ttft),
    )


def answers(segments: Sequence[Segment], port: int) -> Iterator[Answer]:
    """Put the segments of each connection together to requests and their messages.

    Requests are taken as they come in and answers as they leave: the way between the two is the loopback device, and
    belongs to neither.
    """
    by_client: dict[int, list[Segment]] = defaultdict(list)
    for segment in segments:
        asks = segment.target == port
        if asks != segment.leaving:
            by_client[segment.source if asks else segment.target].append(segment)
    for of_client in by_client.values():
        seen: set[tuple[int, int]] = set()
        answer: Answer | None = None
        request = b""
        for segment in of_client:
            if (segment.source, segment.sequence) in seen:  # sent again
                continue
            seen.add((segment.source, segment.sequence))
            if segment.target == port:
                request = request + segment.data if not _complete(request) else segment.data
                if _complete(request):
                    if answer is not None:
                        yield answer
                    named = REQUEST_ID.search(request)
                    assert named is not None, (
                        "a request without an id: is somebody else measuring this server?"
                    )
                    answer = Answer(request_number(named[1].decode()), segment.stamp_ns)
            elif answer is not None:
                _take(answer, segment)
        if answer is not None:
            yield answer


def _complete(request: bytes) -> bool:
    head, found, body = request.partition(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: (\d+)", head, re.IGNORECASE)
    return bool(found) and len(body) >= (int(length[1]) if length else 0)


def _take(answer: Answer, segment: Segment) -> None:
    """Note the messages with text that this segment completes. Chunk sizes between the lines do no harm: no line of
    JSON has them in it, since the server sends each message as a chunk."""
    *lines, answer.rest = (answer.rest + segment.data).split(b"\n")
    for line in lines:
        data = line.strip().removeprefix(b"data: ")
        if data.startswith(b"{"):
            choices = json.loads(data)["choices"]
            if choices and choices[0]["delta"].get("content"):
                answer.left_ns.append(segment.stamp_ns)


def _server(endpoint: str | None, folder: Path) -> AbstractContextManager[str]:
    if endpoint is not None:
        return nullcontext(endpoint)
    from tiny_model import write_model

    return llama_process(write_model(folder / "tiny.gguf"), folder / "server.log", interrupt_requests=False)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--concurrency", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--endpoint", help="URL of a running server instead of the tiny model")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with _server(options.endpoint, folder) as url, LoadProcess(log_dir=folder) as load:
            print("engine's stamp of a message, after it left the server; TTFT in ms\n" + HEAD)
            for concurrency in options.concurrency:
                measure(load, url, concurrency=concurrency, requests=2 * concurrency, folder=folder)
                compared = measure(
                    load, url, concurrency=concurrency, requests=options.requests, folder=folder
                )
                print(compared.line(concurrency), flush=True)


if __name__ == "__main__":
    main()
