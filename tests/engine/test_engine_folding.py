"""A row of tokens is counted without being decoded, and nobody could tell from the result."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_aiperf.common.records import Outcome
from pytest_aiperf.endpoints.openai_chat import ChatEndpoint
from pytest_aiperf.engine.answer import AnswerReader
from pytest_aiperf.engine.folding import fold, spellings
from pytest_aiperf.engine.plan import LoadPlan
from pytest_aiperf.engine.transport import Exchange

PLAN = LoadPlan(url="http://h/", bodies=[b"{}"], concurrency=1)
COMPACT, SPACED = spellings("content")


class CarefulChat(ChatEndpoint):
    """Decodes every message."""

    token_name = ""


def chunk(delta, *, stream="chatcmpl-1", finish=None, separators=(",", ":"), **further):
    message = {"id": stream, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **further}
    return b"data: %b\n\n" % json.dumps(message, separators=separators, ensure_ascii=False).encode()


def stream_of(tokens, **options):
    return [
        chunk({"role": "assistant", "content": ""}, **options),
        *(chunk({"content": token}, **options) for token in tokens),
        chunk({}, finish="stop", **options),
        b"data: [DONE]\n\n",
    ]


def exchange_of(parts):
    exchange = Exchange(0, 0, b"")
    exchange.status, exchange.t_hdr, exchange.t_end = 200, 1, 10_000
    exchange.parts, exchange.stamps = list(parts), [100 + i for i in range(len(parts))]
    return exchange


def said_by(reader, parts):
    """Return what the answer says; which of the decoded messages said it is left out."""
    answer = reader.read(exchange_of(parts))
    return answer._replace(facts=answer.facts._replace(content=()))


def careful(parts):
    return said_by(AnswerReader(PLAN, CarefulChat()), parts)


def decoded_by(reader, monkeypatch):
    """Return a list that grows by the number of messages that each call decodes."""
    counts = []
    load_all = AnswerReader._load_all

    def counting(self, data):
        counts.append(len(data))
        return load_all(self, data)

    monkeypatch.setattr(AnswerReader, "_load_all", counting)
    return counts


def test_tokens_between_the_first_and_the_last_are_not_decoded(monkeypatch):
    reader = AnswerReader(PLAN, ChatEndpoint())
    counts = decoded_by(reader, monkeypatch)
    answer = reader.read(exchange_of(stream_of(["a", "b", "c", "d", "e", "f"])))
    assert counts == [4]
    assert answer.content_ns == [101, 102, 103, 104, 105, 106]
    assert answer.outcome is Outcome.OK


def test_a_second_stream_of_the_same_shape_is_not_decoded_at_all(monkeypatch):
    reader = AnswerReader(PLAN, ChatEndpoint())
    reader.read(exchange_of(stream_of("abcdef")))
    counts = decoded_by(reader, monkeypatch)
    answer = reader.read(exchange_of(stream_of("ghijklmn", stream="chatcmpl-another")))
    assert counts == []
    assert answer.content_ns == list(range(101, 109))


def test_the_way_that_python_writes_json_is_folded_too():
    parts = stream_of("abcdef", separators=(", ", ": "))
    assert fold(parts, COMPACT, 1000) is None
    folded = fold(parts, SPACED, 10_000)
    assert folded is not None
    assert (folded.first, folded.end) == (1, 7)


@pytest.mark.parametrize(
    "usage", [{"prompt_tokens": 1, "completion_tokens": 6}, {"prompt_tokens": 11, "completion_tokens": 6}]
)
def test_streams_that_differ_in_their_usage_are_told_apart(usage):
    reader = AnswerReader(PLAN, ChatEndpoint())
    last = b'data: {"id":"1","choices":[],"usage":%b}\n\n'
    first = stream_of("abcdef", stream="1")
    first.insert(-1, last % b'{"prompt_tokens":7,"completion_tokens":6}')
    reader.read(exchange_of(first))
    second = stream_of("abcdef", stream="1")
    second.insert(-1, last % json.dumps(usage, separators=(",", ":")).encode())
    assert reader.read(exchange_of(second)).facts.input_tokens == usage["prompt_tokens"]


@pytest.mark.parametrize(
    "otherwise",
    [
        lambda parts: [b"", *parts],
        lambda parts: [*parts[:-2], parts[-2] + parts[-1]],
        lambda parts: [parts[0] + parts[1], *parts[2:]],
        lambda parts: [*parts[:-1], parts[-1][:6], parts[-1][6:]],
    ],
)
def test_the_same_stream_in_other_pieces_is_another_shape(otherwise):
    reader = AnswerReader(PLAN, ChatEndpoint())
    parts = [chunk({"content": ""}), *stream_of("abcdefg")]
    reader.read(exchange_of(parts))
    assert said_by(reader, otherwise(parts)) == careful(otherwise(parts))


def test_an_error_within_a_row_is_found():
    parts = stream_of("abcdefgh")
    parts[4] = b'data: {"error":{"message":"out of memory","code":507}}\n\n'
    answer = AnswerReader(PLAN, ChatEndpoint()).read(exchange_of(parts))
    assert answer.outcome is Outcome.ERROR
    assert "out of memory" in answer.failure.message


@pytest.mark.parametrize(
    "odd",
    [
        chunk({"content": ""}),
        chunk({"content": 'say "x"'}),
        chunk({"content": "line\nbreak"}),
        chunk({"content": "c"}, usage={"completion_tokens": 3}),
        chunk({"content": "c"}, error={"message": "no"}),
        chunk({"reasoning_content": "c"}),
        b": a comment\n\n",
        chunk({"content": "c"}).replace(b"\n\n", b"\r\n\r\n"),
        chunk({"content": "c"}).replace(b"{", b"{\r", 1),
        chunk({"content": "c"}).replace(b"{", b"{\n", 1),
        chunk({"content": "c"}) + chunk({"content": "d"}),
        chunk({"content": "c"})[:-1],
        b'data: {"id":"chatcmpl-1","choices":[{"index":0,"delta":{"content":"\t"},"finish_reason":null}]}\n\n',
        b"data: [DONE]\n\n",
        b"\n\n",
        b"",
        b"event: x\ndata: {}\n\n",
    ],
)
@pytest.mark.parametrize("at", [0, 1, 2, 4, 7, 8])
def test_one_odd_message_anywhere_changes_nothing_but_the_way(odd, at):
    parts = stream_of("abcdef")
    parts.insert(at, odd)
    assert said_by(AnswerReader(PLAN, ChatEndpoint()), parts) == careful(parts)


def test_a_row_beyond_the_message_limit_is_looked_at_message_by_message():
    parts = stream_of(["a" * 50] * 10)
    assert fold(parts, COMPACT, 500) is None
    assert fold(parts, COMPACT, 5000) is not None


TOKENS = st.text(st.sampled_from('ab "\\\n\t\x00é☃{}:,'), max_size=4)
DELTAS = st.one_of(
    st.fixed_dictionaries({"content": TOKENS}),
    st.fixed_dictionaries({"content": TOKENS, "tool_calls": st.none()}),
    st.fixed_dictionaries({"reasoning_content": TOKENS}),
    st.just({}),
)
MESSAGES = st.one_of(
    st.builds(
        lambda delta, stream, finish, spaced, usage: chunk(
            delta,
            stream=stream,
            finish=finish,
            separators=(", ", ": ") if spaced else (",", ":"),
            **({"usage": {"completion_tokens": usage}} if usage else {}),
        ),
        DELTAS,
        st.sampled_from(["1", "x"]),
        st.sampled_from([None, None, None, "stop"]),
        st.booleans(),
        st.sampled_from([0, 0, 0, 1, 12]),
    ),
    st.builds(lambda tokens: b"".join(chunk({"content": t}) for t in tokens), st.lists(TOKENS, max_size=3)),
    st.sampled_from([b"data: [DONE]\n\n", b": ping\n\n", b"\n", b"", b"\0", b"data: {}\n\n"]),
)
ROWS = st.builds(
    lambda tokens, stream: [chunk({"content": t}, stream=stream) for t in tokens],
    st.lists(st.text(st.sampled_from("abc é"), min_size=1, max_size=3), max_size=9),
    st.sampled_from(["1", "x"]),
)
STREAMS = st.builds(
    lambda head, row, tail: [*head, *row, *tail],
    st.lists(MESSAGES, max_size=3),
    ROWS,
    st.lists(MESSAGES, max_size=4),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(STREAMS, min_size=1, max_size=4))
def test_any_streams_read_one_after_the_other_say_what_they_say_alone(streams):
    reader = AnswerReader(PLAN, ChatEndpoint())
    for parts in streams:
        assert said_by(reader, parts) == careful(parts)
        joined = [b"".join(parts[:2]), *parts[2:-2], b"".join(parts[-2:])] if len(parts) > 4 else parts
        assert said_by(reader, joined) == careful(joined)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2000), st.integers(0, 255) | st.sampled_from(b'\r\n\0"\\'), st.integers(0, 2))
def test_a_single_changed_byte_is_seen(position, byte, kind):
    parts = stream_of("abcdefg")
    reader = AnswerReader(PLAN, ChatEndpoint())
    reader.read(exchange_of(parts))
    which = position % len(parts)
    at = position // len(parts) % len(parts[which])
    old = parts[which]
    parts[which] = old[:at] + (bytes([byte]) if kind else b"") + old[at + (kind < 2) :]
    assert said_by(reader, parts) == careful(parts)
