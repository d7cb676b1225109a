"""The whole way, in processes of their own, against an inference server that nobody wrote for this project."""

from __future__ import annotations

from statistics import median

import pytest
from performance_suite import PerformanceSuite
from raw_stream import read_stream

# Requests long enough that the time to refill a slot, on a busy machine, does not show in the load.
LOAD = {"isl": 16, "osl": 48, "request_count": 50, "concurrency": 4}
# Wide enough for short runs on a busy machine to pass; the slow model takes three times as long.
WIDE = {"time_to_first_token.p50": "100%", "inter_token_latency.p50": "100%"}
MEASURE = "--aiperf-mode=measure"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory, llama_server):
    """A suite with a baseline of the server, and the invocation that recorded it."""
    suite = PerformanceSuite(tmp_path_factory.mktemp("recorded"), **LOAD, tolerance=WIDE)
    return suite, suite.run(llama_server, "--aiperf-update")


@pytest.fixture(scope="module")
def measured(tmp_path_factory, llama_server):
    return PerformanceSuite(tmp_path_factory.mktemp("measured"), **LOAD).run(llama_server, MEASURE)


def test_without_a_baseline_it_fails_and_shows_the_command_that_records_one(tmp_path, llama_server):
    suite = PerformanceSuite(tmp_path, **LOAD)
    checked = suite.run(llama_server)
    assert checked.status == 1
    assert checked.measurement["verdict"] == "no_baseline"
    assert "--aiperf-update" in checked.output
    assert suite.baselines == []


def test_recorded_once_it_passes(recorded, llama_server):
    suite, recording = recorded
    assert recording.status == 0, recording.output
    (baseline,) = suite.baselines
    before = baseline.read_bytes()
    checked = suite.run(llama_server)
    assert checked.status == 0, checked.output
    assert checked.measurement["verdict"] == "pass"
    assert baseline.read_bytes() == before, "a check does not write baselines"


def test_a_slower_model_is_a_regression(recorded, serve):
    suite, _ = recorded
    with serve("slow", layers=20) as url:
        checked = suite.run(url)
    assert checked.status == 1, checked.output
    assert checked.measurement["verdict"] == "regressed"
    assert "Regression: " in checked.output


def test_every_request_has_the_length_that_was_asked_for(measured):
    length = measured.measurement["metrics"]["output_sequence_length"]
    assert (length["min"], length["avg"], length["max"]) == (48, 48, 48)
    assert all(run["n_err"] == 0 for run in measured.runs)


def test_without_usage_the_result_says_that_tokens_are_content_messages(measured):
    assert measured.measurement["osl_source"] == "content_messages"


def test_the_model_is_the_one_that_the_server_lists(measured):
    assert measured.measurement["model"] == "tiny-random"


def test_messages_without_text_are_not_the_first_token(tmp_path, blank_start_server):
    suite = PerformanceSuite(
        # 48 tokens, of which the first 12 have no text
        tmp_path, isl=16, osl=36, request_count=60, concurrency=1, extra_inputs={"max_tokens": 48},
    )  # fmt: skip
    measured = suite.run(blank_start_server, MEASURE)
    metrics = measured.measurement["metrics"]
    assert metrics["output_sequence_length"]["p50"] == 36

    # A share of the latency, not a time: the machine's speed cancels out.
    reported = metrics["time_to_first_token"]["p50"] / metrics["request_latency"]["p50"]
    prompts = [f"{k} " + "word " * 15 for k in range(40)]
    streams = [read_stream(blank_start_server, prompt, max_tokens=48) for prompt in prompts]
    to_text = median(stream.text_ms[0] / stream.text_ms[-1] for stream in streams)
    to_role = median(stream.message_ms[0] / stream.text_ms[-1] for stream in streams)
    assert to_role < to_text
    assert abs(reported - to_text) < abs(reported - to_role)


def test_streams_that_another_request_cuts_are_truncated_and_make_the_run_invalid(
    tmp_path, interrupting_server
):
    suite = PerformanceSuite(tmp_path, isl=16, osl=64, request_count=40, concurrency=4)
    measured = suite.run(interrupting_server, MEASURE)
    assert measured.status == 1, measured.output
    assert measured.measurement["verdict"] == "invalid"
    truncated = [error for error in measured.measurement["errors"] if error["type"] == "truncated"]
    assert sum(error["count"] for error in truncated) >= 10
    assert "truncated" in measured.output


def test_one_slot_is_never_cut_so_nothing_but_the_load_asks_the_server(tmp_path, interrupting_server):
    suite = PerformanceSuite(tmp_path, isl=16, osl=64, request_count=40, concurrency=1)
    measured = suite.run(interrupting_server, MEASURE)
    assert measured.status == 0, measured.output
    assert measured.measurement["errors"] == []


def test_empty_answers_with_status_200_are_no_measurement(tmp_path, llama_server):
    suite = PerformanceSuite(tmp_path, isl=2000, osl=8, request_count=20, concurrency=1)
    measured = suite.run(llama_server, MEASURE)
    assert measured.status == 1, measured.output
    assert measured.measurement["verdict"] == "invalid"


def test_two_workers_measure_one_after_the_other(tmp_path, llama_server):
    suite = PerformanceSuite(tmp_path, **LOAD)
    (tmp_path / "test_second.py").write_text((tmp_path / "test_chat.py").read_text())
    measured = suite.run(llama_server, MEASURE, "-n2")
    assert measured.status == 0, measured.output
    assert len(measured.document["measurements"]) == 2
