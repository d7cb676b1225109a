"""Which requests a run has, when they are sent, and what they say (engine.md 3)."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.config.cli_config import CLIConfig
from pytest_aiperf.config.converter import to_aiperf_config
from pytest_aiperf.engine.plan import NEVER
from pytest_aiperf.measure.schedule import POOL_REQUESTS, build_schedule
from pytest_aiperf.measure.workload import build_bodies, build_workload

SMALL = {"isl": 4, "osl": 3, "request_count": 30}


def config_of(**options):
    return to_aiperf_config(CLIConfig(**(SMALL | options)), url="http://h")


def schedule_of(**options):
    return build_schedule(config_of(**options))


def workload_of(**options):
    return build_workload(config_of(**options), model="m")


def questions(body):
    return [m["content"] for m in json.loads(body)["messages"] if m["role"] == "user"]


def test_the_closed_loop_has_no_times_and_a_drain_on_top():
    schedule = schedule_of(concurrency=4)
    assert schedule.due_ns is None
    assert (schedule.warm_up, schedule.measured, schedule.count) == (20, 30, 20 + 30 + 3)


def test_the_open_loop_sends_its_warm_up_first_and_nothing_on_top():
    schedule = schedule_of(request_rate=10, arrival_pattern="constant")
    assert (schedule.warm_up, schedule.measured, schedule.count) == (20, 30, 50)
    assert schedule.due_ns.tolist() == [round((i + 1) * 1e8) for i in range(50)]


def test_a_limit_of_the_open_loop_lengthens_its_warm_up():
    assert schedule_of(request_rate=10, concurrency=40).warm_up == 80


def test_the_user_says_how_long_the_warm_up_is():
    assert schedule_of(concurrency=40, warmup_request_count=0).warm_up == 0
    assert schedule_of(request_rate=10, warmup_request_count=7).count == 37


def test_the_ramp_of_a_request_rate_is_warm_up():
    schedule = schedule_of(request_rate=100, request_rate_ramp_duration=2, arrival_pattern="constant")
    assert schedule.warm_up == 99  # half of 2 s at 100 requests/s; the hundredth comes at the end of the ramp
    assert schedule.due_ns[schedule.warm_up] == 2e9
    assert schedule.measured == 30


def test_a_duration_decides_how_many_requests_the_open_loop_has():
    schedule = schedule_of(
        request_rate=50, arrival_pattern="constant", benchmark_duration=3, request_count=None
    )
    assert (schedule.count, schedule.measured) == (150, 130)
    assert schedule.due_ns[-1] == 3e9


def test_a_count_and_a_duration_end_the_load_whichever_comes_first():
    load = {"request_rate": 50, "arrival_pattern": "constant"}
    assert schedule_of(**load, benchmark_duration=3).count == 50
    assert schedule_of(**load, benchmark_duration=0.8).count == 40


def test_a_load_that_is_all_warm_up_is_refused():
    with pytest.raises(
        ConfigurationError, match=r"the load has \d+ requests, and the first 20 are warm-up: nothing"
    ):
        schedule_of(request_rate=10, benchmark_duration=1, request_count=None)


def test_a_closed_loop_of_some_duration_has_prompts_for_a_while():
    least, most = POOL_REQUESTS
    assert schedule_of(benchmark_duration=5, request_count=None).measured is None
    assert schedule_of(benchmark_duration=5, request_count=None).count == 20 + most
    assert schedule_of(benchmark_duration=5, request_count=None, isl=1_000_000).count == 20 + least


def test_the_seed_moves_times_and_prompts():
    one, same, other = (workload_of(request_rate=10, seed=seed) for seed in (1, 1, 2))
    assert one.digest == same.digest != other.digest
    assert (one.schedule.due_ns != other.schedule.due_ns).any()


def test_some_requests_are_cancelled_and_none_of_the_warm_up():
    schedule = schedule_of(
        concurrency=2, request_cancellation_rate=20, request_cancellation_delay="250ms", request_count=99
    )
    cancelled = np.flatnonzero(schedule.cancel_after_ns != NEVER)
    assert len(cancelled) == 20  # of 99 + 1 for the drain
    assert cancelled.min() >= 20
    assert set(schedule.cancel_after_ns[cancelled]) == {250_000_000}


def test_later_turns_carry_the_earlier_ones_and_follow_their_answers():
    workload = workload_of(session_turns_mean=3, session_turn_delay_mean=40)
    linked = workload.schedule.conversations
    assert linked.conversation[:6].tolist() == [0, 0, 0, 1, 1, 1]
    first, second, third = (questions(body) for body in workload.bodies[:3])
    assert second[:1] == first
    assert third[:2] == second
    assert [m["role"] for m in json.loads(workload.bodies[2])["messages"]] == [
        "user",
        "assistant",
        "user",
        "assistant",
        "user",
    ]
    assert [*zip(linked.after_offsets[1:6].tolist(), linked.delay_ns[:5].tolist(), strict=True)] == [
        (0, 0),
        (1, 40_000_000),
        (2, 40_000_000),
        (2, 0),
        (3, 40_000_000),
    ]
    assert linked.after[:4].tolist() == [0, 1, 3, 4]
    assert len(workload.bodies) % 3 == 0


def test_a_request_rate_counts_every_turn():
    schedule = schedule_of(
        request_rate=30,
        arrival_pattern="constant",
        session_turns_mean=3,
        benchmark_duration=10,
        request_count=None,
    )
    assert schedule.count == 300
    assert schedule.due_ns[:4].tolist() == [10**8, 10**8, 10**8, 2 * 10**8]


def test_users_take_turns_and_begin_in_the_middle_of_their_conversations():
    workload = workload_of(user_centric_rate=10, num_users=5, session_turns_mean=4)
    linked = workload.schedule.conversations
    assert workload.schedule.due_ns[:3].tolist() == [0, 10**8, 2 * 10**8]
    assert len(set(linked.turn[:5].tolist())) > 1
    for body, turn in zip(workload.bodies, linked.turn.tolist(), strict=True):
        assert len(questions(body)) == turn + 1


def test_a_fixed_schedule_is_replayed_with_its_lengths(tmp_path):
    path = tmp_path / "trace.jsonl"
    rows = [{"timestamp": 500 + 100 * i, "input_length": 2 + i % 2, "output_length": 7} for i in range(40)]
    rows[3] = {"timestamp": 800}
    path.write_text("\n\n".join(map(json.dumps, reversed(rows))) + "\n")
    workload = workload_of(
        fixed_schedule=str(path),
        fixed_schedule_auto_offset=True,
        fixed_schedule_speedup=2,
        warmup_request_count=5,
        request_count=None,
    )
    assert workload.schedule.due_ns[:3].tolist() == [0, 50_000_000, 100_000_000]
    assert (workload.warm_up, workload.measured, workload.asked_osl) == (5, 35, None)
    asked = [
        (len(questions(body)[0].split()), json.loads(body)["max_tokens"]) for body in workload.bodies[:5]
    ]
    assert asked == [(2, 7), (3, 7), (2, 7), (4, 3), (2, 7)]


def test_offsets_cut_a_fixed_schedule(tmp_path):
    path = tmp_path / "trace.jsonl"
    path.write_text("".join(f'{{"timestamp": {100 * i}}}\n' for i in range(50)))
    schedule = schedule_of(
        fixed_schedule=str(path),
        fixed_schedule_start_offset=1000,
        fixed_schedule_end_offset=1500,
        warmup_request_count=1,
        request_count=4,
    )
    assert schedule.due_ns.tolist() == [0, 10**8, 2 * 10**8, 3 * 10**8, 4 * 10**8]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be read: there is no such file"),
        ("", "is empty"),
        ('{"timestamp": 1}\n{', r"trace.jsonl, line 2: not JSON"),
        ("[1]", "has none of the known shapes; its first row is 1"),
        ('{"time": 1}', r"none of the known shapes.*(.|\n)*mooncake_trace: \{\"timestamp\""),
        ('{"timestamp": "1"}', "line 1, timestamp: '1'; should be a valid number"),
        ('{"timestamp": -1}', "line 1, timestamp: -1; should be greater than or equal to 0"),
        ('{"timestamp": 1, "input_length": 0}', "input_length: 0; should be greater than or equal to 1"),
        ('{"timestamp": 1, "output_length": 1.5}', "output_length: 1.5; should be a valid integer"),
        ('{"text": "when?"}', "conversation 'row-0' has no timestamp, and a fixed schedule needs one"),
        ('{"timestamp": 1}', "has 1 requests, and the first 20 are warm-up"),
    ],
)
def test_what_is_wrong_with_the_file_of_a_schedule_is_told_with_its_line(tmp_path, text, message):
    path = tmp_path / "trace.jsonl"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigurationError, match=message):
        schedule_of(fixed_schedule=str(path))


def test_every_run_may_have_prompts_of_its_own():
    config = config_of()
    workload = build_workload(config, model="m")
    one, other = (
        build_bodies(config, workload.schedule, model="m", beginning=word) for word in ("abc-", "xyz-")
    )
    assert all(questions(body)[0].startswith("abc-") for body in one)
    assert not set(one) & set(other)
    assert [len(questions(b)[0].split()) for b in one] == [4] * len(one)
    assert [len(b) for b in one] == [len(b) for b in other]
