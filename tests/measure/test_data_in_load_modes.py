"""What of the data each load mode sends, in which order, and when."""

from __future__ import annotations

import json
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.config.cli_config import CLIConfig
from pytest_aiperf.config.converter import to_aiperf_config
from pytest_aiperf.measure.load_key import load_key
from pytest_aiperf.measure.schedule import build_schedule
from pytest_aiperf.measure.workload import build_workload

FEW = {"warmup_request_count": 2, "request_count": 6}
CONSTANT = {"request_rate": 10, "arrival_pattern": "constant"}


@pytest.fixture
def write(tmp_path):
    def write(rows, name="data.jsonl"):
        path = tmp_path / name
        path.write_text("\n".join(map(json.dumps, rows)))
        return str(path)

    return write


@pytest.fixture
def talks(write):
    """Conversations of one, two, three requests and so on; texts say whose and which."""

    def talks(*lengths):
        rows = [
            {
                "session_id": f"c{i}",
                "turns": [{"text": f"c{i}t{j}", "delay": 10 * j or None} for j in range(n)],
            }
            for i, n in enumerate(lengths)
        ]
        return write(rows)

    return talks


def config_of(path=None, **options):
    return to_aiperf_config(
        CLIConfig(**({"isl": 4, "osl": 3, "input_file": path} | FEW | options)), url="http://h"
    )


def sent(path=None, **options):
    """The last message of each request in the order of the plan, with its workload."""
    workload = build_workload(config_of(path, **options), model="m")
    return [json.loads(body)["messages"][-1]["content"] for body in workload.bodies], workload


def followed(workload):
    """What each request follows."""
    linked = workload.schedule.conversations
    ends = linked.after_offsets.tolist()
    return [linked.after[a:b].tolist() for a, b in pairwise(ends)]


def test_a_closed_loop_takes_conversations_whole(talks):
    texts, workload = sent(talks(1, 3, 2, 1, 2, 1, 1), concurrency=1)
    # The warm-up is the last two; what follows is from the beginning, a drain of one conversation included.
    assert texts == ["c6t0", "c5t0", "c0t0", "c1t0", "c1t1", "c1t2", "c2t0", "c2t1", "c3t0", "c4t0", "c4t1"]
    linked = workload.schedule.conversations
    assert linked.conversation.tolist() == [0, 1, 2, 3, 3, 3, 4, 4, 5, 6, 6]
    assert followed(workload) == [[], [], [], [], [3], [4], [], [6], [], [], [9]]
    assert linked.delay_ns.tolist() == [0, 0, 0, 0, 10**7, 2 * 10**7, 0, 10**7, 0, 0, 10**7]
    assert (workload.warm_up, workload.measured) == (2, 6)


@pytest.mark.parametrize("slots", [1, 2, 7])
def test_while_the_measured_requests_run_every_slot_finds_something_to_send(talks, slots):
    """The last conversation begins before the last measured request ends, however the slots' turns fall."""
    lengths = (1, 5, 2, 4, 1, 3, 1, 1, 2, 1, 5, 1, 1, 1, 3, 2, 1, 1, 1, 1, 4, 1)
    _, workload = sent(talks(*lengths), concurrency=slots)
    sizes = np.bincount(workload.schedule.conversations.conversation)
    open_at_the_end = np.sort(sizes)[-slots:].sum()
    assert workload.schedule.count - open_at_the_end >= workload.warm_up + workload.measured


def test_requests_alone_keep_the_drain_of_single_requests(talks):
    texts, workload = sent(talks(*[1] * 40), concurrency=4)
    assert len(texts) == 2 + 6 + 3
    assert workload.schedule.conversations is None


def test_warm_up_requests_are_not_those_that_are_measured(talks):
    """U16: a file is drawn from its other end for the warm-up."""
    for options in ({"concurrency": 2}, CONSTANT, {"user_centric_rate": 10, "num_users": 2}):
        texts, workload = sent(talks(*[1] * 12), **options)
        assert set(texts[:2]) == {"c11t0", "c10t0"}, options
        assert len(set(texts)) == len(texts), options
        assert workload.warm_up == 2


def test_made_up_warm_up_requests_are_not_those_that_are_measured():
    """U16: the warm-up has a random stream of its own."""
    for options in ({"concurrency": 2}, CONSTANT, {"user_centric_rate": 10, "num_users": 2}):
        texts, _ = sent(**options)
        assert [text[0] for text in texts[:3]] == ["W", "W", "P"], options
        assert len(set(texts)) == len(texts), options


def test_a_file_without_enough_for_both_is_used_whole_and_then_again(talks):
    texts, _ = sent(talks(1, 1, 1, 1, 1))
    assert texts == ["c4t0", "c3t0", "c0t0", "c1t0", "c2t0", "c3t0", "c4t0", "c0t0"]


def test_a_file_smaller_than_the_warm_up_is_used_too(talks):
    texts, _ = sent(talks(1), warmup_request_count=3)
    assert texts == ["c0t0"] * 9


def test_the_sampler_says_the_order(talks):
    path = talks(*[1] * 30)
    for name in ("shuffle", "random"):
        texts, _ = sent(path, dataset_sampling_strategy=name)
        assert texts[:2] == ["c29t0", "c28t0"]
        assert texts[2:] == sent(path, dataset_sampling_strategy=name)[0][2:]
        assert texts[2:] != sent(path, dataset_sampling_strategy=name, seed=5)[0][2:]
        assert texts[2:] != [f"c{i}t0" for i in range(6)]
    assert sent(path, dataset_sampling_strategy="shuffle")[0] != texts


def test_no_sampler_draws_what_is_held_back_for_the_warm_up(talks):
    """U16: as long as the rest of the file lasts."""
    path = talks(*[1] * 8)
    for name in ("sequential", "shuffle"):
        texts, _ = sent(path, dataset_sampling_strategy=name)
        assert sorted(texts) == [f"c{i}t0" for i in range(8)]
    texts, _ = sent(path, dataset_sampling_strategy="random")
    assert not {"c6t0", "c7t0"} & set(texts[2:])


def test_so_many_different_conversations_are_made_up_as_the_user_says():
    texts, _ = sent(num_dataset_entries=3)
    assert len(set(texts[2:])) == 3
    assert texts[2:5] == texts[5:8]


def test_a_duration_uses_each_conversation_of_a_file_once_before_all_come_again(talks):
    texts, workload = sent(talks(1, 2, 1, 1), request_count=None, benchmark_duration=5)
    assert sorted(texts) == ["c0t0", "c1t0", "c1t1", "c2t0", "c3t0"]
    assert workload.measured is None


def test_arrivals_of_a_request_rate_begin_conversations(talks):
    texts, workload = sent(talks(3, 1, 2, 1, 1, 1), **CONSTANT)
    assert texts == ["c5t0", "c4t0", "c0t0", "c0t1", "c0t2", "c1t0", "c2t0", "c2t1"]
    # 10 requests/s in conversations of 8/5: 6.25 conversations/s.
    assert workload.schedule.due_ns.tolist() == [round(n * 1.6e8) for n in (1, 2, 3, 3, 3, 4, 5, 5)]
    assert followed(workload) == [[], [], [], [2], [3], [], [], [6]]


def test_a_duration_ends_a_request_rate_over_conversations(talks):
    _, workload = sent(talks(*[1, 3] * 50), **CONSTANT, request_count=None, benchmark_duration=4)
    due_s = workload.schedule.due_ns / 1e9
    assert due_s[-1] <= 4
    assert workload.schedule.count == pytest.approx(40, abs=3)


def test_the_warm_up_of_a_ramp_is_as_many_requests_as_its_conversations_have(talks):
    _, workload = sent(
        talks(*[1, 3] * 200),
        **CONSTANT | {"request_rate": 100},
        request_rate_ramp_duration=2,
        warmup_request_count=None,
    )
    first_measured = workload.schedule.due_ns[workload.warm_up]
    assert workload.schedule.due_ns[workload.warm_up - 1] < 2e9 <= first_measured


def test_users_play_conversations_of_different_lengths(talks):
    texts, workload = sent(
        talks(*[2, 4, 3, 1] * 10), user_centric_rate=10, num_users=3, request_count=30, warmup_request_count=4
    )
    linked = workload.schedule.conversations
    assert workload.schedule.due_ns.tolist() == [10**8 * i for i in range(34)]
    lengths = {f"c{i}": (2, 4, 3, 1)[i % 4] for i in range(40)}
    for body, text, turn in zip(workload.bodies, texts, linked.turn.tolist(), strict=True):
        name, own = text.split("t")
        assert int(own) == turn < lengths[name]
        asked = [m["content"] for m in json.loads(body)["messages"] if m["role"] == "user"]
        assert asked == [f"{name}t{i}" for i in range(turn + 1)]
    assert len(set(texts)) == len(texts)
    assert {linked.delay_ns[i] for i, turn in enumerate(linked.turn.tolist()) if turn == 1} == {10**7}


def test_a_fixed_schedule_sends_further_turns_after_their_delay(write):
    path = write(
        [
            {"session_id": "a", "timestamp": 100, "text_input": "a0", "output_length": 5},
            {"session_id": "b", "timestamp": 50, "text_input": "b0", "output_length": 6},
            {"session_id": "a", "delay": 300, "text_input": "a1"},
            {"session_id": "b", "timestamp": 400, "text_input": "b1"},
        ]
    )
    options = {"warmup_request_count": 0, "request_count": None, "fixed_schedule": path}
    texts, workload = sent(**options)
    assert texts == ["b0", "a0", "a1", "b1"]
    assert workload.schedule.due_ns.tolist() == [5 * 10**7, 10**8, 10**8, 4 * 10**8]
    assert followed(workload) == [[], [], [1], [0]]
    assert workload.schedule.conversations.delay_ns.tolist() == [0, 0, 3 * 10**8, 0]
    assert [json.loads(body)["max_tokens"] for body in workload.bodies] == [6, 5, 3, 3]
    assert workload.asked_osl is None
    _, faster = sent(**options, fixed_schedule_speedup=2, session_delay_ratio=0.5)
    assert faster.schedule.due_ns.tolist() == [25 * 10**6, 5 * 10**7, 5 * 10**7, 2 * 10**8]
    assert faster.schedule.conversations.delay_ns.max() == 75 * 10**6


def test_offsets_that_cut_a_session_leave_its_history(write):
    rows = [{"session_id": "a", "timestamp": t, "text_input": f"t{t}"} for t in (0, 100, 200, 300)]
    texts, workload = sent(
        fixed_schedule=write(rows),
        fixed_schedule_start_offset=100,
        fixed_schedule_end_offset=200,
        warmup_request_count=0,
        request_count=None,
    )
    assert texts == ["t100", "t200"]
    assert followed(workload) == [[], [0]]
    assert [m["content"] for m in json.loads(workload.bodies[1])["messages"][::2]] == ["t0", "t100", "t200"]


def test_a_duration_ends_a_fixed_schedule(write):
    rows = [{"timestamp": 100 * i} for i in range(20)]
    _, workload = sent(
        fixed_schedule=write(rows), benchmark_duration=1, warmup_request_count=0, request_count=None
    )
    assert workload.schedule.due_ns.tolist() == [10**8 * i for i in range(11)]


def dag(write):
    def turn(text, **links):
        return {"messages": [{"role": "user", "content": text}], **links}

    return write(
        [
            {
                "session_id": "p",
                "turns": [turn("p0", spawns=["s"], forks=[{"child": "f", "background": True}]), turn("p1")],
            },
            {"session_id": "s", "turns": [turn("s0")]},
            {"session_id": "f", "turns": [turn("f0"), turn("f1")]},
        ]
    )


def test_branches_are_conversations_of_their_own_that_follow_their_parent(write):
    texts, workload = sent(dag(write), warmup_request_count=0, request_count=5, concurrency=1)
    tree = texts[:5]
    assert sorted(tree) == ["f0", "f1", "p0", "p1", "s0"]
    follows = {
        text: {tree[i] for i in after} for text, after in zip(tree, followed(workload)[:5], strict=True)
    }
    assert follows == {"p0": set(), "s0": {"p0"}, "f0": {"p0"}, "f1": {"f0"}, "p1": {"p0", "s0"}}
    number = dict(zip(tree, workload.schedule.conversations.conversation.tolist(), strict=False))
    assert number["p0"] == number["p1"]
    assert number["f0"] == number["f1"]
    assert len(set(number.values())) == 3
    bodies = dict(zip(tree, workload.bodies, strict=False))
    asked = {
        text: [m["content"] for m in json.loads(body)["messages"] if m["role"] == "user"]
        for text, body in bodies.items()
    }
    assert (asked["s0"], asked["f1"], asked["p1"]) == (["s0"], ["p0", "f0", "f1"], ["p0", "p1"])


def test_trees_go_through_an_open_loop_and_not_through_users(write):
    path = dag(write)
    _, workload = sent(path, **CONSTANT, warmup_request_count=0, request_count=10)
    assert workload.schedule.due_ns.tolist() == [5 * 10**8] * 5 + [10**9] * 5
    with pytest.raises(ConfigurationError, match="conversation 'p' has branches, and a user of"):
        sent(path, user_centric_rate=5, num_users=2)


def test_another_file_is_another_load_and_another_folder_is_not(write, tmp_path):
    rows = [{"text": f"q{i}"} for i in range(20)]
    (tmp_path / "other").mkdir()
    here, there = write(rows), write(rows, "other/data.jsonl")
    one, same = (sent(path)[1].digest for path in (here, there))
    assert one == same
    assert load_key(config_of(here)) == load_key(config_of(there))
    assert load_key(config_of(here))["input_file"] == "data.jsonl"
    assert one != sent(write([{"text": f"r{i}"} for i in range(20)]))[1].digest


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fixed_schedule": "b"}, "fixed_schedule names the data file itself"),
        (
            {"input_file": None, "fixed_schedule": "b", "isl_stddev": 3},
            "fixed_schedule does not go with isl_stddev",
        ),
        (
            {"input_file": None, "fixed_schedule": "b", "dataset_sampling_strategy": "random"},
            "timestamps say the order",
        ),
        (
            {"input_file": None, "custom_dataset_type": "multi_turn"},
            "custom_dataset_type takes input_file or",
        ),
        (
            {"input_file": None, "accuracy_grader": "regex"},
            "accuracy_grader takes input_file or fixed_schedule",
        ),
        ({"input_file": None, "isl_block_size": 9}, "isl_block_size takes input_file or fixed_schedule"),
        (
            {"input_file": None, "session_delay_ratio": 2},
            "session_delay_ratio takes session_turn_delay_mean or",
        ),
        ({"input_file": None, "session_turn_delay_mean": 2}, "takes session_turns_mean of at least 2"),
    ],
)
def test_options_of_data_that_do_not_go_together_are_refused(options, message):
    with pytest.raises(ConfigurationError, match=message):
        config_of("a", **options)


def test_many_requests_of_a_file_are_not_held_twice(write):
    """Their texts are read when they are formatted, and dropped again."""
    path = write([{"text": f"{i} " + "x" * 4000} for i in range(2000)])
    config = config_of(path, request_count=1990)
    tracemalloc.start()
    schedule = build_schedule(config)
    workload = build_workload(config, model="m", schedule=schedule)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.5 * sum(map(len, workload.bodies))
