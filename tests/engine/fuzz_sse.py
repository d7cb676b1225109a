"""Mutates real streams and reads them: no exception may escape, and both ways of the reader must agree.

    python tests/engine/fuzz_sse.py --seconds 60 --seed 1

A failure prints the seed and the number of the case, which make it again, and the bytes.
"""

from __future__ import annotations

import argparse
import random
import time
from itertools import count

from scripted_server import BODY, DONE, ROLE, STORY, USAGE, chunk, event, head, token

from pytest_aiperf.common.records import Outcome
from pytest_aiperf.endpoints.openai_chat import ChatEndpoint
from pytest_aiperf.engine import LoadPlan
from pytest_aiperf.engine.answer import AnswerReader
from pytest_aiperf.engine.response_reader import ResponseReader
from pytest_aiperf.engine.sse import _read_plain, read_by_line, read_messages
from pytest_aiperf.engine.transport import Exchange

THINKING = event('{"choices":[{"index":0,"delta":{"reasoning_content":"hm"},"finish_reason":null}]}')
TOOL = event(
    '{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c1","type":"function",'
    '"function":{"name":"f","arguments":"{\\"a\\":"}}]},"finish_reason":null}]}'
)
ERROR = event('{"error":{"message":"out of memory","type":"server_error","param":null,"code":500}}')
NOISY = [b": ping\n\n", b"event: chunk\nid: 7\nretry: 10\n" + token("a"), b"data: {\ndata: }\n\n"]
STREAMS = [
    STORY,
    [piece.replace(b"\n", b"\r\n") for piece in STORY],
    [piece.replace(b"\n", b"\r") for piece in STORY],
    [b"\xef\xbb\xbf" + STORY[0], *STORY[1:]],
    [ROLE, THINKING, THINKING, token("a"), TOOL, token("b", '"tool_calls"'), USAGE, DONE],
    [ROLE, token("é€\U0001f600"), ERROR],
    [*NOISY, *STORY],
]
WORDS = [
    *(
        b"\n",
        b"\r",
        b"\r\n",
        b"\n\n",
        b"\r\n\r\n",
        b"data:",
        b"data: ",
        b"data",
        b": ",
        b":",
        b"event: x\n",
        b"id\n",
    ),
    *(
        b"\x00",
        b"\xff",
        b"\xc3",
        b"\xef\xbb\xbf",
        b"[DONE]",
        b"data: [DONE]\n\n",
        b"[",
        b"]",
        b"{",
        b"}",
        b",",
        b'"',
    ),
    *(
        b"null",
        b"true",
        b"1e999",
        b"-1",
        b"9" * 400,
        b'{"choices":[]}',
        b'{"error":',
        b"\\ud800",
        b"[" * 2000,
    ),
    *(b'"usage":{"prompt_tokens":1.5}', b'"usage":[]', b'"delta":null', b'"choices":{}', b"data: 3\n\n"),
]
FRAMING = [
    b"0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n",
    b"transfer-encoding: chunked\r\n",
    b"ffffffffffffffff\r\n",
    b"-1\r\n",
]


def mutate(rng: random.Random, data: bytes, words: list[bytes]) -> bytes:
    mutated = bytearray(data)
    for _ in range(rng.choice((0, 1, 1, 2, 3, 8))):
        at = rng.randrange(len(mutated) + 1)
        to = min(at + rng.choice((1, 1, 2, 8, 60)), len(mutated))
        match rng.randrange(6):
            case 0:
                mutated[at:at] = rng.choice(words)
            case 1:
                mutated[at:to] = rng.choice(words)
            case 2:
                del mutated[at:to]
            case 3:
                mutated[at:to] = rng.randbytes(to - at)
            case 4:
                mutated[at:at] = mutated[at:to]
            case 5:
                del mutated[at:]
    return bytes(mutated)


def cut(rng: random.Random, data: bytes) -> list[bytes]:
    if rng.random() < 0.1:
        return [data[i : i + 1] for i in range(len(data))]
    ends = sorted({rng.randrange(len(data) + 1) for _ in range(rng.randrange(12))} | {len(data)})
    return [part for a, b in zip([0, *ends], ends, strict=False) if (part := data[a:b])]


def check_messages(parts: list[bytes]) -> None:
    """The way of the common case, if it is one, gives what the way line by line gives."""
    body = b"".join(parts)
    plain, by_line = _read_plain(parts, body), read_by_line(parts, body)
    if plain is not None:
        assert (plain.data, list(plain.part), plain.unfinished) == (
            by_line.data,
            list(by_line.part),
            by_line.unfinished,
        )
    read = read_messages(parts)
    assert len(read.data) == len(read.part)
    assert all(0 <= part < len(parts) for part in read.part)
    assert list(read.part) == sorted(read.part)


def check_answer(answers: AnswerReader, exchange: Exchange) -> None:
    """An answer comes of anything, with stamps that were taken."""
    answer = answers.read(exchange)
    assert (answer.failure is None) == (answer.outcome is Outcome.OK)
    assert set(answer.content_ns) <= set(exchange.stamps) | {exchange.t_end}
    assert list(answer.content_ns) == sorted(answer.content_ns)
    assert 0 <= answer.coalesced <= len(answer.content_ns)


def exchange_of(parts: list[bytes], status: int) -> Exchange:
    exchange = Exchange(0, 0, BODY)
    exchange.status, exchange.t_hdr, exchange.t0 = status, 1, 1
    exchange.parts = parts
    exchange.stamps = [10 + number // 2 for number in range(len(parts))]
    exchange.t_end = 10 + len(parts)
    return exchange


def check_wire(data: list[bytes], answers: AnswerReader) -> None:
    """What a server sends, framing included, ends in an answer or in a failure."""
    reader = ResponseReader(head_limit_bytes=4096, body_limit_bytes=20_000, message_limit_bytes=5000)
    failure = None
    for number, piece in enumerate(data):
        failure = reader.feed(memoryview(piece), 10 + number)
        assert len(reader.parts) == len(reader.stamps)
        if failure is not None or reader.complete:
            break
    exchange = Exchange(0, 0, BODY)
    reader.hand_over(exchange)
    exchange.failure = failure
    exchange.t_end = 10 + len(data)
    if reader.complete or failure is not None:
        check_answer(answers, exchange)


def fuzz(*, seconds: float, seed: int) -> int:
    """Run for so long; returns the number of cases."""
    plan = LoadPlan(url="http://127.0.0.1:1/", bodies=[BODY], concurrency=1, message_limit_bytes=5000)
    answers = AnswerReader(plan, ChatEndpoint())
    framed = head(content_type="text/event-stream", transfer_encoding="chunked")
    until = time.monotonic() + seconds
    for case in count():
        if time.monotonic() >= until:
            return case
        rng = random.Random(f"{seed}.{case}")
        events = rng.choice(STREAMS)
        body = mutate(rng, b"".join(events), WORDS)
        wire = mutate(rng, framed + b"".join(map(chunk, events)) + b"0\r\n\r\n", WORDS + FRAMING)
        try:
            parts = cut(rng, body)
            check_messages(parts)
            check_answer(answers, exchange_of(parts, rng.choice((200, 200, 200, 500))))
            check_wire(cut(rng, wire), answers)
        except Exception as error:
            error.add_note(f"seed {seed}, case {case}\nbody: {body!r}\nwire: {wire!r}")
            raise
    raise AssertionError("unreachable")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--seconds", type=float, default=10.0)
    arguments.add_argument("--seed", type=int, default=42)
    given = arguments.parse_args()
    cases = fuzz(seconds=given.seconds, seed=given.seed)
    print(f"{cases} cases in {given.seconds:g} s with seed {given.seed}: no exception, and both ways agree")


if __name__ == "__main__":
    main()
