"""Who takes the receive stamps, and whether they are right."""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np
import pytest
from scripted_server import LAST_CHUNK, STORY, STREAM_HEAD, answering, chunk, stream, token

from pytest_aiperf.engine import connection as engine_connection
from pytest_aiperf.engine import kernel_stamps

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="kernel stamps are Linux's")


@linux
def test_the_kernel_takes_all_stamps(load, serve):
    batch = load(serve(answering(stream(STORY))), requests=50, concurrency=4)
    assert batch.facts.timestamps == "kernel"


@linux
def test_kernel_stamps_lie_between_the_servers_send_and_the_reading(load, serve):
    sent = []

    def script(wire):
        while wire.request() is not None:
            wire.send(STREAM_HEAD)
            time.sleep(0.01)
            sent.append(time.time_ns())
            wire.send(chunk(token("a", '"stop"')) + LAST_CHUNK)

    batch = load(serve(script), requests=10)
    after = time.time_ns()
    for before, stamp in zip(sent, batch.content_ns + batch.facts.start_ns, strict=True):
        assert before <= stamp <= after
    assert (batch.t_hdr < batch.content_ns).all()


@linux
def test_a_busy_reader_does_not_shift_the_stamps(load, serve, monkeypatch):
    """The point of it all: the reader gets round to the data 30 ms late, and the stamp does not show it."""
    sent = []

    def script(wire):
        while wire.request() is not None:
            sent.append(time.time_ns())
            wire.send(stream(STORY))

    readable = engine_connection.Connection._on_readable

    def late(self):
        time.sleep(0.03)
        readable(self)

    monkeypatch.setattr(engine_connection.Connection, "_on_readable", late)
    batch = load(serve(script), requests=5)
    lateness = batch.content_at(0) + batch.facts.start_ns - np.array(sent)
    assert (lateness >= 0).all()
    assert np.median(lateness) < 20_000_000


def test_without_the_kernels_stamps_the_readers_are_used_and_reported(load, serve, monkeypatch):
    monkeypatch.setattr("pytest_aiperf.engine.address.request_stamps", lambda sock: False)
    batch = load(serve(answering(stream(STORY))), requests=5)
    assert batch.facts.timestamps == "user"
    assert (batch.content_at(0) >= batch.t_sent).all()


@linux
def test_runs_in_which_the_kernel_left_out_some_are_mixed(load, serve, monkeypatch):
    asked = []

    def every_other(sock):
        asked.append(sock)
        return len(asked) % 2 == 0 and kernel_stamps.request_stamps(sock)

    monkeypatch.setattr("pytest_aiperf.engine.address.request_stamps", every_other)
    batch = load(serve(answering(stream(STORY))), requests=20, concurrency=4)
    assert batch.facts.timestamps == "mixed"


@linux
def test_the_first_run_of_a_process_has_kernel_stamps_from_its_first_packet(serve):
    server = serve(answering(stream(STORY)))
    code = (
        "from pytest_aiperf.engine import LoadPlan, run_load\n"
        "from pytest_aiperf.engine.loop import run\n"
        f"plan = LoadPlan(url={server.url!r}, bodies=[b'x'] * 3, concurrency=1)\n"
        "print(run(run_load(plan)).facts.timestamps)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.strip() == "kernel"


def test_the_facts_of_a_run_are_plausible(load, serve):
    before = time.time_ns()
    batch = load(serve(answering(stream(STORY))), requests=100, concurrency=4)
    after = time.time_ns()
    facts = batch.facts
    assert before <= facts.start_ns <= facts.start_ns + facts.end_ns <= after
    assert 0 <= facts.drain_ns <= facts.end_ns
    assert abs(facts.clock_shift_ns) < 1_000_000
    assert 0 < facts.cpu_share <= 2  # the scripted server runs in this process too
    assert facts.loop_lag_p99_ns >= 0
    assert (facts.transport, facts.concurrency, facts.planned) == ("wire", 4, 100)
