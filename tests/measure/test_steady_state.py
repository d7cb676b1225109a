"""MSER-5 and the rule built on it: on synthetic series, and on the runs of a session."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hand_made import batch_of, closed_loop, config_of, open_loop, run_of

from pytest_aiperf.common.records import Outcome
from pytest_aiperf.measure.steady_state import head_shift, mean_error, mser5
from pytest_aiperf.measure.validity import check_steady

SERIES = 2000
CLOSED = config_of(load={"concurrency": 2})


def autoregression(rng, *, series, length, correlation):
    """Return ``(series, length)`` stationary values with sd 1."""
    values = np.empty((series, length))
    values[:, 0] = rng.normal(size=series)
    fresh = rng.normal(size=(series, length)) * np.sqrt(1 - correlation**2)
    for i in range(1, length):
        values[:, i] = correlation * values[:, i - 1] + fresh[:, i]
    return values


def test_it_drops_a_transient_and_no_more():
    rng = np.random.default_rng(1)
    series = rng.normal(0, 0.1, 400)
    series[:60] += 1.0
    assert mser5(series) == 60


def test_it_drops_nothing_of_a_series_without_one():
    assert mser5(np.zeros(100)) == 0
    assert mser5(np.tile([1.0, 2.0, 3.0, 4.0, 5.0], 20)) == 0


def test_it_does_not_look_beyond_the_middle():
    assert mser5(np.linspace(1.0, 0.0, 200)) == 100


def test_it_is_what_the_definition_says():
    """The variance of the mean of what is left, for every truncation, computed one by one."""
    series = autoregression(np.random.default_rng(3), series=1, length=203, correlation=0.8)[0] + 5.0
    series[:30] += 1.5
    means = series[:200].reshape(40, 5).mean(axis=1)
    errors = [np.var(means[d:]) / len(means[d:]) for d in range(21)]
    assert mser5(series) == 5 * int(np.argmin(errors))


def test_it_does_not_depend_on_the_level():
    series = np.random.default_rng(4).normal(size=200)
    series[:40] += 2
    assert mser5(series + 1e6) == mser5(series) == 40


def test_a_short_series_is_left_alone():
    assert mser5(np.array([9.0, 9.0, 9.0, 1.0, 1.0])) == 0
    assert mser5(np.array([])) == 0
    assert mean_error(np.arange(19.0)) == float("inf")


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
def test_the_error_of_a_correlated_mean_is_that_of_many_series(correlation):
    series = autoregression(np.random.default_rng(5), series=500, length=1000, correlation=correlation)
    told = np.mean([mean_error(one) for one in series])
    # A little more where they correlate strongly: means of 5 then are not quite a first-order autoregression.
    assert 0.92 < told / series.mean(axis=1).std() < 1.2


@pytest.mark.parametrize(("correlation", "by_chance"), [(0.0, 0.1), (0.9, 0.25)])
def test_a_truncation_alone_is_no_finding(correlation, by_chance):
    series = autoregression(np.random.default_rng(7), series=SERIES, length=220, correlation=correlation)
    share = np.mean([mser5(one) > 20 for one in series])
    print(f"MSER-5 alone goes past a warm-up of 20 in 220: {100 * share:.0f} % at correlation {correlation}")
    assert share == pytest.approx(by_chance, abs=0.04)


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.7, 0.9])
@pytest.mark.parametrize(("warm_up", "measured"), [(20, 150), (20, 200), (64, 400)])
def test_false_alarms_are_at_most_5_percent(warm_up, measured, correlation, record_property):
    """The sd is that of log latencies with a wide spread, 0.2, so that the limit of 2 % protects little."""
    rng = np.random.default_rng(7)
    series = 0.2 * autoregression(rng, series=SERIES, length=warm_up + measured, correlation=correlation)
    alarms = np.mean([abs(np.expm1(head_shift(one, warm_up))) > 0.02 for one in series])
    record_property("false_alarm_rate", float(alarms))
    print(
        f"{warm_up} + {measured}, correlation {correlation}: {100 * alarms:.1f} % of {SERIES} steady series"
    )
    assert alarms <= 0.05


@pytest.mark.parametrize(
    ("height", "length", "found"),
    [(1.0, 40, 0.95), (0.5, 40, 0.5), (1.0, 10, None)],
)
def test_a_transient_that_outlives_the_warm_up_is_found(height, length, found):
    """It decays exponentially; one that is over with the warm-up of 20 is not told."""
    rng = np.random.default_rng(9)
    transient = height * np.exp(-np.arange(220) / length)
    series = 0.2 * autoregression(rng, series=300, length=220, correlation=0.3) + transient
    alarms = np.mean([abs(np.expm1(head_shift(one, 20))) > 0.02 for one in series])
    if found is None:
        assert alarms < 0.1
    else:
        assert alarms > found


def session(*transients, n=220, warm_up=20, **columns):
    """Return runs whose latencies are 100 ms and 5 % of noise, with these factors on top."""
    runs = []
    for i, factor in enumerate(transients):
        latency = 100.0 * np.exp(np.random.default_rng(i).normal(0, 0.05, n)) * factor
        made = closed_loop(n)
        runs.append(run_of(batch_of(**(made | {"latency_ms": latency} | columns)), warm_up=warm_up))
    return runs


LATE = 1 + 0.5 * (np.arange(220) < 80)


def test_a_steady_session_is_told_to_be_one():
    (check,) = check_steady(session(1.0, 1.0, 1.0), CLOSED)
    assert check.ok
    assert check.value == 0.0


def test_a_transient_beyond_the_warm_up_is_a_warning_that_says_how_much_it_moved():
    (check,) = check_steady(session(LATE, LATE, LATE), CLOSED)
    assert not check.ok
    assert not check.fatal
    # 60 of 200 measured requests take half as long again: the mean of the logs moves by 0.3 x log 1.5.
    assert check.value == pytest.approx(np.expm1(0.3 * np.log(1.5)), rel=0.15)
    assert "moved the mean latency by +1" in check.advice


def test_a_longer_warm_up_takes_the_transient_in():
    late = 1 + 0.5 * (np.arange(260) < 80)
    assert not next(check_steady(session(late, late, late, n=260, warm_up=20), CLOSED)).ok
    (check,) = check_steady(session(late, late, late, n=260, warm_up=85), CLOSED)
    assert check.ok


def test_what_differs_between_runs_is_not_a_transient():
    (check,) = check_steady(session(1.0, 2.0, 0.5), CLOSED)
    assert check.ok


def test_a_limit_can_be_given():
    lax = config_of(load={"concurrency": 2}, verdict={"validity": {"steady_state": 0.5}})
    (check,) = check_steady(session(LATE, LATE, LATE), lax)
    assert check.ok


def test_failed_requests_have_no_latency_to_look_at():
    outcome = np.where(np.arange(220) % 7 == 0, Outcome.ERROR, Outcome.OK)
    (check,) = check_steady(session(LATE, LATE, outcome=outcome), CLOSED)
    assert not check.ok
    (check,) = check_steady(session(1.0, 1.0, outcome=Outcome.ERROR), CLOSED)
    assert check.ok
    # Refused at once, at the beginning: fast, and no answer.
    refused = np.arange(220) < 80
    (check,) = check_steady(
        session(np.where(refused, 0.1, 1.0), outcome=np.where(refused, Outcome.ERROR, Outcome.OK)), CLOSED
    )
    assert check.ok


def test_runs_of_a_duration_differ_in_length():
    long, short = session(LATE)[0], session(LATE[:200], n=200)[0]
    assert not next(check_steady([long, short], CLOSED)).ok


def test_what_is_not_meant_to_be_steady_or_too_short_is_not_asked(tmp_path):
    runs = session(LATE)
    for load in (
        {"concurrency": 2, "concurrency_ramp_s": 1.0},
        {"request_rate": 10, "request_rate_ramp_s": 1.0},
        {"fixed_schedule": str(tmp_path / "trace.jsonl")},
    ):
        assert list(check_steady(runs, config_of(load=load))) == []
    assert list(check_steady(session(LATE[:169], n=169), CLOSED)) == []
    assert list(check_steady([], CLOSED)) == []


def test_an_open_loop_is_asked_too():
    made = open_loop(220) | {"latency_ms": 100.0 * LATE}
    runs = [replace(run_of(batch_of(**made), warm_up=20)) for _ in range(3)]
    (check,) = check_steady(runs, config_of(load={"request_rate": 100, "request_count": 200}))
    assert not check.ok
