"""What a failed check does to a measurement: invalid, made again, or a note (engine.md 6)."""

from __future__ import annotations

import re

import pytest
from scripted_load import Server

MS = 1_000_000
LOOP_LAG = {"loop_lag_p99_ns": 50 * MS}
FATAL = {
    "unsent_share": (
        Server(ends_after=60, facts={"cut_short": "the time was up"}),
        r"cut short \(the time was up\)",
    ),
    "error_share": (Server(failed=0.1), "look at the errors first"),
    "truncated_share": (Server(truncated=0.1), "a proxy cuts them"),
    "client_cpu_share": (Server(facts={"cpu_share": 0.99}), "lower the concurrency"),
    "clock_step_ms": (Server(facts={"clock_shift_ns": 50 * MS}), "clock was stepped"),
    "littles_law": (Server(idle_ms=20.0), r"On average 1\.\d\d requests were in flight, not 2"),
    "loop_lag_p99_ms": (Server(facts=LOOP_LAG | {"timestamps": "user"}), "so they are late too"),
    "late_start_ms": (Server(facts={"workers": 2, "late_start_ns": 10**12}), "lower --aiperf-workers"),
}
WARNING = {
    "loop_lag_p99_ms": (Server(facts=LOOP_LAG), "Stamps are the kernel's and do not suffer"),
    "osl_as_asked": (Server(osl=3), "median output is 3 tokens, asked for were 4.*ignore_eos"),
    "turnaround_p99_ms": (Server(idle_ms=2.0), "late to refill its slots"),
    "coalesced_share": (Server(coalesced=0.75), "buffers the stream"),
}


def failed_checks(measurement):
    return {c.check for c in measurement.validity if not c.ok}


def test_a_sound_run_fails_no_check(bench):
    measurement = bench.measure()
    assert failed_checks(measurement) == set()
    assert FATAL.keys() - {"late_start_ms"} <= {c.check for c in measurement.validity}


@pytest.mark.parametrize("check", FATAL)
def test_what_spoils_a_run_makes_the_measurement_invalid_and_says_what_to_do(bench, check):
    server, advice = FATAL[check]
    measurement = bench.measure(server)
    assert check in failed_checks(measurement)
    assert measurement.verdict == "invalid"
    assert measurement.judgement.reason.startswith(f"{check} is ")
    assert measurement.judgement.reason == _matching(advice, measurement.judgement.reason)


@pytest.mark.parametrize("check", WARNING)
def test_what_is_only_odd_is_noted_and_does_not_fail(bench, check):
    server, advice = WARNING[check]
    measurement = bench.measure(server)
    assert failed_checks(measurement) == {check}
    assert measurement.verdict == "no_baseline"
    noted = next(c for c in measurement.validity if c.check == check and not c.ok)
    assert noted.advice == _matching(advice, noted.advice)
    assert not noted.fatal


def _matching(pattern, text):
    assert re.search(pattern, text), text
    return text


@pytest.mark.parametrize(
    ("facts", "ok"),
    [
        ({"cpu_share": 0.85}, True),
        ({"cpu_share": 0.86}, False),
        ({"clock_shift_ns": -MS}, True),
        ({"clock_shift_ns": -4 * MS}, False),
    ],
)
def test_limits_belong_to_what_is_allowed(bench, facts, ok):
    assert (bench.measure(Server(facts=facts)).verdict != "invalid") == ok


def test_a_spoilt_run_is_made_again(bench):
    spoilt = Server(facts={"cpu_share": 0.99})
    measurement = bench.measure(lambda index: spoilt if index in (1, 3) else Server())
    assert measurement.verdict == "no_baseline"
    assert [len(s) for s in measurement.sessions] == [3]
    assert bench.phases[2:] == ["run 1/3", "run 1/3", "run 2/3", "run 2/3", "run 3/3"]


def test_the_third_spoilt_run_ends_the_measurement(bench):
    measurement = bench.measure(Server(facts={"cpu_share": 0.99}))
    assert measurement.verdict == "invalid"
    assert bench.phases[2:] == ["run 1/3"] * 3


def test_a_failing_server_is_not_asked_again(bench):
    bench.measure(Server(failed=0.5))
    assert bench.phases[2:] == ["run 1/3"]


def test_an_invalid_measurement_is_never_a_regression(bench):
    bench.record()
    measurement = bench.measure(Server(facts={"cpu_share": 0.99}).slower(2))
    assert measurement.verdict == "invalid"
    assert bench.phases[-1] == "run 1/3"  # and no second session is spent on it


def test_a_second_session_that_is_spoilt_makes_the_measurement_invalid(bench):
    bench.record()
    slow = Server().slower(1.5)
    spoilt = Server(facts={"clock_shift_ns": 50 * MS}).slower(1.5)
    assert bench.measure(lambda index: slow if index <= 4 else spoilt).verdict == "invalid"


def test_checks_are_plain_values_for_the_document(bench):
    for check in bench.measure(Server(osl=3)).validity:
        row = check.to_builtin()
        assert row.keys() == {"check", "value", "limit", "ok", "advice"}
        assert [type(v) for v in row.values()] == [str, float, float, bool, str]
