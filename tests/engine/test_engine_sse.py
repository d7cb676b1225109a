"""The event-stream reader, by the WHATWG rules and for any split of the bytes."""

from __future__ import annotations

import codecs

import pytest
from fuzz_sse import fuzz
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_aiperf.engine.sse import Messages, read_by_line, read_messages


def reference(parts: list[bytes]) -> tuple[list[str], list[int]]:
    """The standard's algorithm (HTML, 9.2.5 and 9.2.6), character by character, on decoded text as it comes in.

    Returns the data of each event that is dispatched, and the piece with which it was.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    dispatched: list[str] = []
    with_part: list[int] = []
    data_buffer, line = "", ""
    first = True
    after_cr = False

    def process(line: str, part: int) -> None:
        nonlocal data_buffer
        if line == "":
            if data_buffer != "":
                dispatched.append(data_buffer.removesuffix("\n"))
                with_part.append(part)
            data_buffer = ""
            return
        if line.startswith(":"):
            return
        if ":" in line:
            field, value = line.split(":", 1)
            value = value.removeprefix(" ")
        else:
            field, value = line, ""
        if field == "data":
            data_buffer += value + "\n"

    for number, part in enumerate(parts):
        for character in decoder.decode(part):
            if first and character == "\ufeff":
                first = False
                continue
            first = False
            if character == "\n" and after_cr:
                after_cr = False
            elif character in "\r\n":
                after_cr = character == "\r"
                process(line, number)
                line = ""
            else:
                after_cr = False
                line += character
    return dispatched, with_part  # what no blank line closed is discarded


def split_at(body: bytes, cuts: list[int]) -> list[bytes]:
    ends = sorted({c % (len(body) + 1) for c in cuts} | {len(body)})
    parts = [body[a:b] for a, b in zip([0, *ends], ends, strict=False)]
    return [p for p in parts if p]


line_ends = st.sampled_from([b"\n", b"\r", b"\r\n"])
words = st.sampled_from(
    [
        b"",
        b"data",
        b"data:",
        b"data: ",
        b"data:  ",
        b"data : ",
        b"Data: ",
        b":",
        b" ",
        b"event: x",
        b"id",
        b"id: \x00",
        b"retry: 10",
        b"x",
        b'{"a":1}',
        b"[DONE]",
        b"\x00",
        b"\xff",
        b"\xc3",
        b"\xa9",
        "é€\U0001f600".encode(),
        b"\xf0\x9f",
        b"\xef\xbb\xbf",
    ]
)
lines = st.builds(lambda ws, end: b"".join(ws) + end, st.lists(words, max_size=4), line_ends)
wild = st.builds(
    lambda bom, ls, rest: bom + b"".join(ls) + rest,
    st.sampled_from([b"", b"\xef\xbb\xbf", b"\xef\xbb", b"\xef\xbb\xbf\xef\xbb\xbf"]),
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
@example(b"", [])
@example(b"\xef\xbb\xbfdata: a\n\n", [1, 2])
@example(b"data: a\r\n\r\ndata: b\r\n\r\n", [9, 10, 11])
@example(b"data: a\n\ndata: b", [])
@example(b"data\n\ndata\ndata\n\ndata:", [])
def test_any_split_gives_the_messages_of_the_standard_with_the_piece_that_completed_each(body, cuts):
    parts = split_at(body, cuts)
    read = read_messages(parts)
    assert ([data.decode("utf-8", "replace") for data in read.data], list(read.part)) == reference(parts)


@given(bodies)
def test_a_stream_that_comes_byte_by_byte_gives_the_same_messages(body):
    parts = [body[i : i + 1] for i in range(len(body))]
    read = read_messages(parts)
    assert read.data == read_messages([body]).data
    assert [data.decode("utf-8", "replace") for data in read.data] == reference([body])[0]


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


def test_no_mutation_of_a_stream_makes_the_reader_or_the_answers_raise():
    assert fuzz(seconds=2.0, seed=42) > 200
