"""A service in a process of its own: warm, mortal, and never a hang."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from process_table import runs, wait_until

from pytest_aiperf.common.errors import ConfigurationError, EndpointError, MeasurementError, ProcessDiedError
from pytest_aiperf.services.channel import DeadlineError, MalformedFrameError
from pytest_aiperf.services.process import ServiceProcess


def was_reaped(pid):
    with pytest.raises(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    return True


def test_one_process_serves_many_requests(echo):
    process = echo()
    answers = [process.request("echo", {"n": n}, deadline_s=10).payload["n"] for n in range(20)]
    assert answers == list(range(20))
    assert len({process.pid}) == 1
    pid = process.pid
    process.start()
    assert process.pid == pid


def test_start_returns_before_the_service_is_ready(echo):
    process = echo(start_s=0.5)
    process.start()
    assert process.alive
    assert process.wait_ready()["greeting"] == "ready"


def test_buffers_of_fifty_megabytes_come_back_unchanged(echo):
    column = np.arange(6_250_000)
    answer = echo().request("echo", {}, [column], deadline_s=60)
    assert np.array_equal(np.frombuffer(answer.buffers[0], dtype=np.int64), column)


def test_progress_goes_to_the_callback_in_order_and_the_answer_to_the_caller(echo):
    seen = []
    answer = echo().request(
        "count", {"to": 5}, deadline_s=10, on_message=lambda m: seen.append(m.payload["number"])
    )
    assert (seen, answer.kind) == ([0, 1, 2, 3, 4], "counted")


def test_a_failure_of_the_service_arrives_as_its_own_class_and_the_process_lives_on(echo):
    process = echo()
    process.start()
    pid = process.pid
    with pytest.raises(EndpointError, match="no such host"):
        process.request("fail", {"text": "no such host"}, deadline_s=10)
    assert process.request("echo", deadline_s=10).kind == "echoed"
    assert process.pid == pid


def test_an_error_that_nobody_caught_arrives_with_its_traceback_and_is_in_the_log(echo, tmp_path):
    with pytest.raises(ProcessDiedError, match="RuntimeError: out of luck") as caught:
        echo().request("crash", {"text": "out of luck"}, deadline_s=10)
    assert "echo_service.py" in str(caught.value)
    assert "exit status 1" in str(caught.value)
    assert any("out of luck" in log.read_text() for log in (tmp_path / "logs").iterdir())


def test_no_secret_is_in_the_error_or_in_the_log_of_a_crash(echo, tmp_path, monkeypatch):
    monkeypatch.setenv("AIPERF_API_KEY", "sk-of-the-environment")
    with pytest.raises(ProcessDiedError, match=r"RuntimeError: \*\*\* refused, Bearer \*\*\*") as caught:
        echo().request("crash", {"text": "sk-of-the-environment refused, Bearer of-a-header"}, deadline_s=10)
    shown = [str(caught.value), *(log.read_text() for log in (tmp_path / "logs").iterdir())]
    assert not [text for text in shown if "of-the-env" in text or "of-a-header" in text]


def test_a_process_that_cannot_be_started_is_an_error_without_the_environment(echo, monkeypatch):
    monkeypatch.setattr("sys.executable", "/no/such/python")
    with pytest.raises(
        MeasurementError, match=r"cannot start a process for .*EchoService: .*No such file"
    ) as caught:
        echo().start()
    assert caught.value.__suppress_context__


def test_a_killed_child_is_reported_with_its_signal_and_the_next_request_starts_a_new_one(echo):
    process = echo()
    killed = []

    def kill(_):
        killed.append(process.pid)
        os.kill(process.pid, signal.SIGKILL)

    with pytest.raises(ProcessDiedError, match=r"EchoService \(pid \d+\) was killed by SIGKILL"):
        process.request("never", deadline_s=60, on_message=kill)
    assert process.request("echo", deadline_s=10).kind == "echoed"
    assert process.pid != killed[0]
    assert was_reaped(killed[0])


def test_a_child_that_was_killed_between_requests_is_replaced_unnoticed(echo):
    process = echo()
    process.wait_ready()
    first = process.pid
    os.kill(first, signal.SIGKILL)
    assert wait_until(lambda: not process.alive)
    assert process.request("echo", deadline_s=10).kind == "echoed"
    assert process.pid != first


def test_an_exit_status_and_the_end_of_the_log_are_in_the_error(echo):
    with pytest.raises(ProcessDiedError, match=r"(?s)exit status 3.*end of .*\.log.*CUDA out of memory"):
        echo(print="CUDA out of memory").request("exit", {"status": 3}, deadline_s=10)


def test_a_service_that_cannot_start_says_why(echo, tmp_path):
    with pytest.raises(ProcessDiedError, match="RuntimeError: no GPU"):
        echo(fail_at_start="no GPU").wait_ready()
    process = ServiceProcess("no_such_service", log_dir=tmp_path)
    with pytest.raises(ProcessDiedError, match=r"unknown service 'no_such_service'.*load_worker"):
        process.wait_ready()
    process.stop()


def test_an_error_of_ours_at_the_start_keeps_its_class(echo):
    with pytest.raises(ConfigurationError, match="port is taken"):
        echo(refuse_to_start="port is taken").wait_ready()


def test_a_request_without_an_answer_ends_at_its_deadline_and_its_child_with_it(echo):
    process = echo()
    process.wait_ready()
    late = process.pid
    with pytest.raises(DeadlineError, match=r"waited 0\.\d s for the answer to 'never' of echo_service"):
        process.request("never", deadline_s=0.2)
    assert wait_until(lambda: not runs(late))
    assert process.request("echo", deadline_s=10).kind == "echoed"


def test_garbage_from_the_child_is_an_error_and_ends_it(echo):
    process = echo()
    with pytest.raises(MalformedFrameError):
        process.request("garbage", deadline_s=10)
    assert process.request("echo", deadline_s=10).kind == "echoed"


def test_abort_from_another_thread_reaches_the_running_request(echo):
    process = echo()
    answer = process.request(
        "wait_for_abort",
        deadline_s=30,
        on_message=lambda _: threading.Thread(target=process.abort).start(),
    )
    assert answer.payload == {"kind": "abort"}


def test_abort_from_a_signal_handler_reaches_the_running_request(echo):
    process = echo()
    before = signal.signal(signal.SIGUSR1, lambda *_: process.abort())
    try:
        answer = process.request(
            "wait_for_abort", deadline_s=30, on_message=lambda _: os.kill(os.getpid(), signal.SIGUSR1)
        )
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert answer.payload == {"kind": "abort"}


def test_a_late_abort_does_not_disturb_the_next_request(echo):
    process = echo()
    process.wait_ready()
    process.abort()
    assert process.request("echo", {"n": 1}, deadline_s=10).payload == {"n": 1}


def test_a_callback_that_raises_aborts_the_request_and_the_next_one_gets_its_own_answer(echo):
    process = echo()

    def fail(_):
        raise KeyError("in the callback")

    with pytest.raises(KeyError):
        process.request("count", {"to": 3}, deadline_s=10, on_message=fail)
    assert process.request("echo", {"n": 7}, deadline_s=10).payload == {"n": 7}


def test_two_requests_at_a_time_are_refused(echo):
    process = echo()
    refused = []

    def ask_too(_):
        with pytest.raises(MeasurementError, match="one at a time") as caught:
            process.request("echo", deadline_s=10)
        refused.append(caught.value)
        process.abort()

    process.request("wait_for_abort", deadline_s=30, on_message=ask_too)
    assert len(refused) == 1


def test_stop_is_idempotent_reaps_and_drops_the_empty_log(echo, tmp_path):
    process = echo()
    process.stop()
    process.wait_ready()
    pid = process.pid
    process.stop()
    process.stop()
    assert was_reaped(pid)
    assert (process.alive, process.pid) == (False, None)
    assert list((tmp_path / "logs").iterdir()) == []
    assert process.request("echo", deadline_s=10).kind == "echoed"


@pytest.mark.parametrize("how", ["stopped by a signal", "asleep"])
def test_stop_ends_a_child_that_does_not_listen(echo, how):
    process = echo()
    process.wait_ready()
    pid = process.pid
    if how == "asleep":
        process._child.channel.send("never")
    else:
        os.kill(pid, signal.SIGSTOP)
    began_s = time.monotonic()
    process.stop(0.2)
    assert was_reaped(pid)
    assert time.monotonic() - began_s < 20


def test_stop_from_another_thread_ends_the_request_in_work(echo):
    process = echo()
    stops = []

    def stop(_):
        stops.append(threading.Thread(target=process.stop, args=(0.1,)))
        stops[0].start()

    with pytest.raises(ProcessDiedError):
        process.request("never", deadline_s=60, on_message=stop)
    stops[0].join()
    assert not process.alive


def test_a_forgotten_process_ends_when_its_object_is_collected(tmp_path):
    process = ServiceProcess("echo_service:EchoService", log_dir=tmp_path)
    process.wait_ready()
    pid = process.pid
    del process
    gc.collect()
    assert was_reaped(pid)


def test_a_ctrl_c_right_after_the_start_does_not_hit_the_child(echo):
    for _ in range(3):
        process = echo()
        process.start()
        os.kill(process.pid, signal.SIGINT)
        assert process.wait_ready()["sigint_ignored"]


def test_a_child_outlives_the_thread_that_started_it(echo):
    process = echo()
    thread = threading.Thread(target=process.wait_ready)
    thread.start()
    thread.join()
    pid = process.pid
    assert process.request("echo", deadline_s=10).kind == "echoed"
    assert process.pid == pid


def test_a_module_in_the_working_directory_cannot_stand_in_for_the_standard_library(
    echo, tmp_path, monkeypatch
):
    (tmp_path / "struct.py").write_text("raise SystemExit('the wrong module')")
    monkeypatch.chdir(tmp_path)
    assert echo().request("echo", deadline_s=10).kind == "echoed"


def test_argv_holds_the_service_and_a_descriptor_alone(echo):
    process = echo(secret="sk-12345")
    process.wait_ready()
    argv = Path(f"/proc/{process.pid}/cmdline").read_bytes().split(b"\0")
    assert argv[2:5] == [b"-m", b"pytest_aiperf.bootstrap", b"echo_service:EchoService"]
    assert argv[5].isdigit()
    assert len(argv) == 7
