"""Schedules: pure functions of a seed."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.engine.arrivals import arrival_times_ns, busiest_second
from pytest_aiperf.engine.cancellation import cancel_delays_ns
from pytest_aiperf.engine.plan import NEVER
from pytest_aiperf.engine.ramp import limit_steps_ns, ramped_times_s
from pytest_aiperf.engine.replay import replay_schedule
from pytest_aiperf.engine.users import user_schedule

S = 1_000_000_000


def arrivals(pattern="poisson", **given):
    return arrival_times_ns(pattern, **{"rate": 100.0, "seed": 1, "count": 20_000} | given)


# Arrivals.


@pytest.mark.parametrize(
    ("pattern", "smoothness", "cv"),
    [
        ("constant", 1.0, 0.0),
        ("poisson", 1.0, 1.0),
        ("gamma", 1.0, 1.0),
        ("gamma", 4.0, 0.5),
        ("gamma", 0.25, 2.0),
    ],
)
def test_gaps_have_the_mean_of_the_rate_and_the_spread_of_the_pattern(pattern, smoothness, cv):
    """A gamma of shape k has a coefficient of variation of ``1 / sqrt(k)``."""
    gaps_s = np.diff(arrivals(pattern, smoothness=smoothness)) / 1e9
    assert gaps_s.mean() == pytest.approx(0.01, rel=0.05)
    assert gaps_s.std() / gaps_s.mean() == pytest.approx(cv, rel=0.05, abs=1e-6)


def test_poisson_gaps_are_exponential():
    gaps = np.sort(np.diff(arrivals())) / 1e9 * 100
    expected = -np.log1p(-(np.arange(len(gaps)) + 0.5) / len(gaps))
    assert np.abs(np.exp(-gaps) - np.exp(-expected)).max() < 1.63 / np.sqrt(
        len(gaps)
    )  # Kolmogorov-Smirnov, 1 %


def test_gamma_with_smoothness_1_is_poisson_to_the_nanosecond():
    assert np.abs(arrivals("gamma", count=500) - arrivals(count=500)).max() <= 1


def test_the_same_seed_gives_the_same_arrivals_and_another_one_others():
    assert np.array_equal(arrivals(), arrivals())
    assert not np.array_equal(arrivals(), arrivals(seed=2))


def test_arrivals_are_the_same_on_every_machine():
    """A change here changes what stored baselines were measured with."""
    assert arrivals(count=3).tolist() == [11932569, 33505757, 36583735]


def test_another_rate_stretches_the_same_arrivals():
    assert np.abs(arrivals(rate=50.0) - 2 * arrivals(rate=100.0)).max() <= 1


def test_a_shorter_run_has_the_beginning_of_a_longer_one():
    assert np.array_equal(arrivals(count=50), arrivals(count=5000)[:50])
    assert np.array_equal(
        arrivals(count=None, duration_s=1.0),
        arrivals(count=None, duration_s=9.0)[: len(arrivals(count=None, duration_s=1.0))],
    )


@pytest.mark.parametrize("smoothness", [0.01, 1.0, 100.0])
def test_a_duration_is_filled_to_its_end_and_not_beyond(smoothness):
    due_ns = arrivals("gamma", smoothness=smoothness, count=None, duration_s=20.0)
    longer = arrivals("gamma", smoothness=smoothness, count=None, duration_s=25.0)
    assert due_ns.max() <= 20 * S
    assert np.array_equal(due_ns, longer[longer <= 20 * S])
    assert longer.max() > 20 * S


def test_a_constant_rate_over_a_duration_has_exactly_rate_times_duration_requests():
    assert len(arrivals("constant", count=None, duration_s=3.0)) == 300


def test_of_count_and_duration_the_first_limits():
    assert len(arrivals("constant", count=5, duration_s=3.0)) == 5
    assert len(arrivals("constant", count=500, duration_s=3.0)) == 300


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"rate": 0.0}, "request rate must be greater than 0"),
        ({"rate": float("nan")}, "request rate must be greater than 0"),
        ({"smoothness": -1.0}, "smoothness must be greater than 0"),
        ({"count": None}, "give a request count or a duration"),
        ({"pattern": "posson"}, "unknown arrival_pattern 'posson'.*poisson"),
    ],
)
def test_what_cannot_be_scheduled_is_refused(given, message):
    with pytest.raises(ConfigurationError, match=message):
        arrivals(**given)


def test_the_busiest_second_counts_what_comes_within_one():
    assert busiest_second(np.array([0, 5, 2 * S, 2 * S + 1, 3 * S - 1, 3 * S])) == 3
    assert busiest_second(np.zeros(7, dtype=np.int64)) == 7


# Ramps.


@pytest.mark.parametrize(("shape", "exponent"), [("linear", 1), ("exponential", 2)])
def test_the_rate_of_a_ramp_is_its_curve_at_every_moment(shape, exponent):
    times = ramped_times_s(np.arange(1.0, 40_001.0), rate=100.0, ramp_s=300.0, shape=shape)
    for at in (50.0, 150.0, 250.0, 290.0):
        around = np.count_nonzero((times > at - 5) & (times <= at + 5)) / 10
        assert around == pytest.approx(100 * (at / 300) ** exponent, abs=0.3)
    assert np.allclose(np.diff(times[times > 300]), 0.01)


def test_without_a_ramp_times_are_those_of_the_rate():
    assert ramped_times_s(np.arange(1.0, 4.0), rate=2.0, ramp_s=0.0).tolist() == [0.5, 1.0, 1.5]


def test_a_limit_of_one_has_no_steps():
    assert limit_steps_ns(1, ramp_s=5.0).tolist() == [0]


# Recorded schedules.


def test_a_schedule_is_replayed_from_0_with_its_gaps():
    replay = replay_schedule([100.0, 300.0, 250.5])
    assert replay.rows.tolist() == [0, 2, 1]
    assert replay.due_ns.tolist() == [100_000_000, 250_500_000, 300_000_000]


def test_the_start_offset_leaves_out_what_lies_before_it_and_is_the_start():
    replay = replay_schedule([0, 100, 300, 400], start_offset_ms=100, end_offset_ms=300)
    assert (replay.rows.tolist(), replay.due_ns.tolist()) == ([1, 2], [0, 200_000_000])


def test_auto_offset_starts_with_the_first_request_and_a_speedup_divides_gaps():
    replay = replay_schedule([5000, 5400], auto_offset=True, speedup=2.0)
    assert replay.due_ns.tolist() == [0, 200_000_000]


def test_requests_of_one_timestamp_keep_their_order():
    assert replay_schedule([7] * 500 + [3] * 500).rows.tolist() == [*range(500, 1000), *range(500)]


@pytest.mark.parametrize(
    ("stamps", "given", "message"),
    [
        ([1, 2], {"start_offset_ms": 5}, "no request between 5 and inf"),
        ([1], {"speedup": 0}, "speed-up"),
        ([-1.0], {}, "negative"),
        ([0, float("nan")], {}, "timestamp 1 of the schedule is not finite"),
    ],
)
def test_a_schedule_that_cannot_be_replayed_is_refused(stamps, given, message):
    with pytest.raises(ConfigurationError, match=message):
        replay_schedule(stamps, **given)


# Cancellation.


@pytest.mark.parametrize(
    ("count", "first", "share", "chosen"),
    [(100, 0, 0.25, 25), (100, 40, 0.25, 15), (7, 0, 1, 7), (9, 9, 1, 0), (10, 0, 0, 0)],
)
def test_exactly_the_share_is_cancelled_and_nothing_of_the_warm_up(count, first, share, chosen):
    delays = cancel_delays_ns(count, share=share, delay_s=0.5, seed=3, first=first)
    assert np.count_nonzero(delays != NEVER) == chosen
    assert (delays[:first] == NEVER).all()
    assert set(delays[delays != NEVER].tolist()) <= {500_000_000}


def test_which_are_cancelled_is_up_to_the_seed():
    first, again, other = (cancel_delays_ns(200, share=0.5, delay_s=0, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_share_in_percent_is_refused():
    with pytest.raises(ConfigurationError, match="0 to 1, got 25"):
        cancel_delays_ns(10, share=25, delay_s=0, seed=0)


# Users.


@pytest.mark.parametrize(("users", "turns"), [(1, [3]), (15, [20]), (8, [4]), (10, [1]), (7, [5, 1, 2])])
def test_each_user_sends_every_turn_gap_from_the_start_on(users, turns):
    schedule = user_schedule(turns, users=users, rate=4.0, duration_s=100.0)
    assert np.array_equal(schedule.due_ns, np.arange(400) * S // 4)
    for user in range(users):
        mine = schedule.conversation[user::users]
        turn = schedule.turn[user::users]
        same = np.diff(mine) == 0
        assert (np.diff(turn)[same] == 1).all()
        assert (turn[1:][~same] == 0).all()
        for at in np.flatnonzero(~same):
            assert turn[at] == turns[mine[at] % len(turns)] - 1


def test_at_the_start_the_turns_of_a_conversation_are_met_equally_often():
    """A crowd that began together would send 40 first turns, then 40 second ones, and so on."""
    schedule = user_schedule([8], users=40, rate=1.0, count=400)
    for wave in range(10):
        of_wave = schedule.turn[wave * 40 : wave * 40 + 40]
        assert np.bincount(of_wave, minlength=8).tolist() == [5] * 8


def test_users_who_send_after_one_another_are_far_apart_in_their_conversations():
    schedule = user_schedule([20], users=15, rate=1.0, count=15)
    assert np.abs(np.diff(schedule.turn)).min() >= 5


def test_new_users_come_evenly_and_not_in_waves():
    schedule = user_schedule([20], users=15, rate=1.0, count=15 * 20)
    begins = np.flatnonzero(schedule.turn == 0)
    assert len(begins) == 15
    assert np.diff(begins).max() <= 3 * 20


def test_each_turn_follows_the_one_before_it():
    schedule = user_schedule([3], users=4, rate=1.0, count=40)
    for i in range(40):
        after = schedule.after[schedule.after_offsets[i] : schedule.after_offsets[i + 1]].tolist()
        begun = np.flatnonzero(schedule.conversation[:i] == schedule.conversation[i])
        assert after == ([begun[-1]] if len(begun) else [])


def test_places_of_users_are_all_met():
    for users in range(1, 60):
        schedule = user_schedule([users], users=users, rate=1.0, count=users)
        assert sorted(schedule.turn.tolist()) == list(range(users))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"users": 0}, "users and rate"),
        ({"rate": 0.0}, "users and rate"),
        ({"turns": [2, 0]}, "at least one turn"),
        ({"count": None}, "needs an end"),
    ],
)
def test_a_crowd_that_cannot_be_is_refused(given, message):
    with pytest.raises(ConfigurationError, match=message):
        user_schedule(**{"turns": [1], "users": 1, "rate": 1.0, "count": 1} | given)
