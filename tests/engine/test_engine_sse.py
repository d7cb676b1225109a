"""The event-stream reader, by the WHATWG rules and for any split of the bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_aiperf.engine.sse import Messages, read_by_line, read_messages


def reference(body: bytes) -> tuple[list[bytes], list[int]]:
    """The standard's algorithm, byte by byte: messages, and after how many bytes each was complete."""
    body_at = 3 if body.startswith(b"\xef\xbb\xbf") else 0
    messages, complete_at, data, line, after_cr = [], [], None, b"", False
    for at, byte in enumerate(body[body_at:], body_at + 1):
        c = bytes([byte])
        if c == b"\n" and after_cr:
            after_cr = False
            continue
        after_cr = c == b"\r"
        if c not in b"\r\n":
            line += c
            continue
        if not line:
            if data is not None:
                messages.append(data)
                complete_at.append(at)
            data = None
        elif not line.startswith(b":"):
            name, _, value = line.partition(b":")
            if name == b"data":
                value = value.removeprefix(b" ")
                data = value if data is None else data + b"\n" + value
        line = b""
    return messages, complete_at


def split_at(body: bytes, cuts: list[int]) -> list[bytes]:
    ends = sorted({c % (len(body) + 1) for c in cuts} | {len(body)})
    parts = [body[a:b] for a, b in zip([0, *ends], ends, strict=False)]
    return [p for p in parts if p]


line_ends = st.sampled_from([b"\n", b"\r", b"\r\n"])
words = st.sampled_from(
    [
        b"data",
        b"data:",
        b"data: ",
        b"data:  ",
        b":",
        b" ",
        b"event: x",
        b"id",
        b"x",
        b'{"a":1}',
        b"[DONE]",
        b"",
    ]
)
lines = st.builds(lambda ws, end: b"".join(ws) + end, st.lists(words, max_size=3), line_ends)
wild = st.builds(
    lambda bom, ls, rest: bom + b"".join(ls) + rest,
    st.sampled_from([b"", b"\xef\xbb\xbf"]),
    st.lists(lines, max_size=20),
    words,
)
payloads = st.lists(
    st.binary(max_size=12).map(lambda b: b.replace(b"\n", b"").replace(b"\r", b"")), min_size=1, max_size=8
)
tame = st.builds(
    lambda ds, prefix, end: b"".join(prefix + d + end * 2 for d in ds),
    payloads,
    st.sampled_from([b"data: ", b"data:"]),
    st.sampled_from([b"\n", b"\r\n"]),
)
bodies = st.one_of(wild, tame)
cuts = st.lists(st.integers(0, 500), max_size=12)


@given(bodies, cuts)
def test_any_split_gives_the_messages_of_the_standard_with_the_piece_that_completed_each(body, cuts):
    parts = split_at(body, cuts)
    messages, complete_at = reference(body)
    read = read_messages(parts)
    assert read.data == messages
    ends = [sum(map(len, parts[: i + 1])) for i in range(len(parts))]
    assert list(read.part) == [next(i for i, end in enumerate(ends) if end >= at) for at in complete_at]


@given(bodies, cuts)
def test_the_fast_way_gives_what_the_way_line_by_line_gives(body, cuts):
    parts = split_at(body, cuts)
    fast, slow = read_messages(parts), read_by_line(parts, body)
    assert (fast.data, list(fast.part), fast.unfinished) == (slow.data, list(slow.part), slow.unfinished)


def test_one_message_for_each_piece_is_the_common_case():
    assert read_messages([b"data: a\n\n", b"data: b\n\n"]) == Messages([b"a", b"b"], [0, 1])


def test_a_message_belongs_to_the_piece_with_its_last_line_end():
    assert list(read_messages([b"data: a\n", b"\n", b"data: b\n\ndata: c\n\n"]).part) == [1, 2, 2]


def test_with_crlf_a_message_is_complete_at_the_cr_of_its_blank_line():
    assert list(read_messages([b"data: a\r\n\r", b"\n"]).part) == [0]


@pytest.mark.parametrize(
    ("body", "unfinished"),
    [
        (b"data: a\n\ndata: [DONE]", b"[DONE]"),
        (b"data: a\n\ndata: [DONE]\n", b"[DONE]"),
        (b"data: a\n\ndata:[DONE]\r\n", b"[DONE]"),
        (b"data: a\n\n", None),
        (b"data: a\n\n: bye", None),
        (b"data: a\n\nda", None),
    ],
)
def test_a_last_event_without_a_blank_line_is_no_message_but_is_told(body, unfinished):
    read = read_messages([body])
    assert (read.data, read.unfinished) == ([b"a"], unfinished)


@pytest.mark.parametrize(
    "body", [b"data: a\rdata: b\r\n\r\n", b"data: a\ndata: b\r\n\r\n", b"data: a\rdata: b\n\n"]
)
def test_a_line_end_of_another_kind_within_a_message_is_a_line_end(body):
    assert read_messages([body]).data == [b"a\nb"]


def test_several_data_lines_are_joined():
    assert read_messages([b"data: {\ndata: }\n\n"]).data == [b"{\n}"]


def test_an_empty_body_has_no_messages():
    assert read_messages([]) == Messages([], [], None)
