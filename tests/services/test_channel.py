"""Frames over a socket pair."""

from __future__ import annotations

import socket
import struct
import threading

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from process_table import wait_until

from pytest_aiperf.services.channel import (
    Channel,
    ChannelClosedError,
    DeadlineError,
    MalformedFrameError,
)


class Pair:
    def __init__(self):
        self.raw, other = socket.socketpair()
        self.ours, self.theirs = Channel(self.raw), Channel(other)

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.ours.close()
        self.theirs.close()


@pytest.fixture
def pair():
    with Pair() as pair:
        yield pair


def frame(header, body=b"", *, magic=b"aip1", header_bytes=None):
    raw = header if isinstance(header, bytes) else orjson.dumps(header)
    return (
        struct.pack("!4sIQ", magic, len(raw) if header_bytes is None else header_bytes, len(body))
        + raw
        + body
    )


@given(buffers=st.lists(st.binary(max_size=100)))
def test_what_is_sent_is_what_is_received_whatever_the_sizes(buffers):
    with Pair() as pair:
        pair.ours.send("data", {"a": [1, None, "ü"]}, buffers)
        message = pair.theirs.receive(5)
    assert (message.kind, message.payload) == ("data", {"a": [1, None, "ü"]})
    assert [bytes(b) for b in message.buffers] == buffers


def test_columns_behind_odd_sized_ones_come_in_aligned(pair):
    pair.ours.send("data", {}, [np.ones(3, np.int8), np.arange(5, dtype=np.int64)])
    column = np.frombuffer(pair.theirs.receive(5).buffers[1], dtype=np.int64)
    assert column.flags.aligned
    assert column.tolist() == [0, 1, 2, 3, 4]


def test_fifty_megabytes_pass(pair):
    sent = np.random.default_rng(1).integers(0, 1 << 60, 6_250_000)
    thread = threading.Thread(target=pair.ours.send, args=("data", {}, [sent]))
    thread.start()
    received = np.frombuffer(pair.theirs.receive(30).buffers[0], dtype=np.int64)
    thread.join()
    assert np.array_equal(sent, received)


def test_frames_of_several_threads_do_not_mix(pair):
    threads = [
        threading.Thread(
            target=lambda n=n: [pair.ours.send("t", {"n": n}, [bytes([n]) * 70_000]) for _ in range(20)]
        )
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    messages = [pair.theirs.receive(10) for _ in range(80)]
    for thread in threads:
        thread.join()
    assert all(set(m.buffers[0]) == {m.payload["n"]} for m in messages)


@pytest.mark.parametrize(
    "raw",
    [
        frame({"kind": "x", "payload": {}, "sizes": []}, magic=b"HTTP"),
        frame({"kind": "x", "payload": {}, "sizes": []}, header_bytes=2**32 - 1),
        frame(b"not json"),
        frame([1, 2]),
        frame({"kind": "x", "sizes": []}),
        frame({"kind": 1, "payload": {}, "sizes": []}),
        frame({"kind": "x", "payload": {}, "sizes": ["8"]}, bytes(8)),
        frame({"kind": "x", "payload": {}, "sizes": [-8]}),
        frame({"kind": "x", "payload": {}, "sizes": [8]}, bytes(16)),
        frame({"kind": "x", "payload": {}, "sizes": []}, bytes(8)),
    ],
)
def test_what_is_no_frame_is_an_error(pair, raw):
    pair.raw.sendall(raw)
    with pytest.raises(MalformedFrameError, match="malformed frame"):
        pair.theirs.receive(5)


@pytest.mark.parametrize("part", [0, 3, 16, 30])
def test_end_of_file_is_seen_at_once_between_frames_and_within_one(pair, part):
    pair.raw.sendall(frame({"kind": "x", "payload": {}, "sizes": [16]}, bytes(16))[:part])
    pair.ours.close()
    with pytest.raises(ChannelClosedError):
        pair.theirs.receive(5)


def test_a_deadline_says_what_was_waited_for_also_within_a_frame(pair):
    with pytest.raises(DeadlineError, match=r"waited 0\.05 s for the moon"):
        pair.theirs.receive(0.05, waiting_for="the moon")
    pair.raw.sendall(b"aip1")
    with pytest.raises(TimeoutError, match="the moon"):
        pair.theirs.receive(0.05, waiting_for="the moon")


def test_sending_to_one_who_does_not_read_ends_at_the_deadline_and_the_torn_channel_refuses_more(pair):
    with pytest.raises(DeadlineError):
        pair.ours.send("data", {}, [bytes(10_000_000)], deadline_s=0.05)
    with pytest.raises(ChannelClosedError, match="half sent"):
        pair.ours.send("data")


def test_sending_to_one_who_is_gone_is_an_error(pair):
    pair.theirs.close()
    with pytest.raises(ChannelClosedError):
        pair.ours.send("data")


def test_a_posted_message_waits_for_nobody_and_goes_out_behind_the_frame_that_is_being_sent(pair):
    sending = threading.Thread(target=pair.ours.send, args=("big", {}, [bytes(10_000_000)]))
    sending.start()
    assert wait_until(lambda: not pair.ours.send_if_idle("early", {}))
    pair.ours.post("abort")  # the frame before it cannot end before this returns: nobody reads yet
    assert sending.is_alive()
    while (kind := pair.theirs.receive(10).kind) == "early":
        pass
    assert (kind, pair.theirs.receive(10).kind) == ("big", "abort")
    sending.join()


def test_progress_is_left_out_for_one_who_does_not_read(pair):
    sent = 0
    while pair.ours.send_if_idle("progress", {"filling": "x" * 1000}):
        sent += 1
        assert sent < 10_000
    assert [pair.theirs.receive(5).kind for _ in range(sent)] == ["progress"] * sent
