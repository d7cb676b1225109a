"""Data files sent by the real engine to the embedded server: its log shows the order, its counts the history."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pytest_aiperf.common.records import Outcome
from pytest_aiperf.config.cli_config import CLIConfig
from pytest_aiperf.config.converter import to_aiperf_config
from pytest_aiperf.engine.request_bytes import request_number
from pytest_aiperf.measure.plan import load_plan
from pytest_aiperf.measure.target import find_target
from pytest_aiperf.measure.workload import build_workload
from pytest_aiperf.mock_server.options import MockOptions
from pytest_aiperf.services.load_process import LoadProcess
from pytest_aiperf.services.mock_service import MockServerProcess

MS = 1_000_000


@pytest.fixture(scope="module")
def services(tmp_path_factory):
    logs = tmp_path_factory.mktemp("logs")
    with (
        MockServerProcess(MockOptions(ttft_ms=2, itl_ms=1), log_dir=logs) as mock,
        LoadProcess(log_dir=logs) as load,
    ):
        yield mock, load


class Sent:
    """One run: its plan, and what the server and the engine say of each request, in the plan's order."""

    def __init__(self, plan, log, batch):
        self.plan, self.batch = plan, batch
        rows = {request_number(row["id"]): row for row in log}
        assert sorted(rows) == [*range(len(plan.bodies))]
        self.received_ns = [rows[i]["t_recv_ns"] for i in range(len(rows))]
        self.begun_ns = [rows[i]["sent_ns"][0] for i in range(len(rows))]
        """When the first token of the answer left; the engine knows of its end only later."""
        order = np.argsort(batch.request_index)
        self.words = batch.input_tokens[order].tolist()
        self.answered = batch.output_tokens[order].tolist()
        self.own = [json.loads(body)["messages"][-1]["content"] for body in plan.bodies]
        assert (batch.outcome == Outcome.OK).all()

    def follows(self, i):
        return self.plan.after[self.plan.after_offsets[i] : self.plan.after_offsets[i + 1]].tolist()

    def assert_each_came_after_what_it_follows(self):
        for i in range(len(self.plan.bodies)):
            for earlier in self.follows(i):
                pause_ns = int(self.plan.delay_ns[i])
                assert self.received_ns[i] > self.begun_ns[earlier] + pause_ns, (
                    self.own[i],
                    self.own[earlier],
                )


@pytest.fixture
def send(services, tmp_path):
    mock, load = services

    def send(rows, **options):
        path = tmp_path / "data.jsonl"
        path.write_text("\n".join(map(json.dumps, rows)))
        usual = {"model": "mock", "osl": 4, "warmup_request_count": 0}
        data = {"fixed_schedule": str(path)} if "timestamp" in rows[0] else {"input_file": str(path)}
        config = to_aiperf_config(CLIConfig(**(usual | data | options)), url=mock.url)
        plan = load_plan(config, find_target(config), build_workload(config, model="mock"))
        mock.clear_log()
        batch = load.run(plan)
        return Sent(plan, mock.log()["requests"], batch)

    return send


def test_a_multi_turn_file_is_sent_turn_by_turn_with_its_history(send):
    rows = [
        {
            "session_id": f"s{i}",
            "turns": [
                {"role": "system", "text": "be brief"},
                {"text": f"s{i} one two three"},
                {"role": "assistant", "text": "recorded answer"},
                {"text": "and then", "delay": 30, "max_tokens": 6},
                {"text": "last", "max_tokens": 2},
            ],
        }
        for i in range(6)
    ]
    run = send(rows, concurrency=3, request_count=9)
    run.assert_each_came_after_what_it_follows()
    # 2 of the system prompt, 4 asked; 2 answered, 2 asked; a made-up answer of the 6 that were asked for, 1 asked.
    assert run.words[:6] == [6, 10, 17] * 2
    assert run.answered[:6] == [4, 6, 2] * 2
    assert [len(run.follows(i)) for i in range(6)] == [0, 1, 1] * 2


def test_a_graph_is_sent_along_its_branches(send):
    def turn(text, **links):
        return {"messages": [{"role": "user", "content": text}], **links}

    rows = [
        {
            "session_id": "parent",
            "turns": [
                turn("parent zero", spawns=["spawned"], forks=[{"child": "forked", "background": True}]),
                turn("parent one"),
            ],
        },
        {"session_id": "spawned", "turns": [turn("spawned zero"), turn("spawned one")]},
        {"session_id": "forked", "turns": [turn("forked zero", forks=["deeper"])]},
        {"session_id": "deeper", "turns": [turn("deeper zero")]},
    ]
    run = send(rows, concurrency=4, request_count=6)
    run.assert_each_came_after_what_it_follows()
    words = dict(zip(run.own[:6], run.words[:6], strict=True))
    # Each asks 2 and gets 4; what is inherited comes before.
    assert words == {
        "parent zero": 2,
        "parent one": 8,
        "spawned zero": 2,
        "spawned one": 8,
        "forked zero": 8,
        "deeper zero": 14,
    }
    joined = {run.own[earlier] for earlier in run.follows(run.own.index("parent one"))}
    assert joined == {"parent zero", "spawned one"}


def test_a_mooncake_trace_is_replayed(send):
    rows = [
        {"timestamp": 40 * i, "input_length": 5 + i, "output_length": 3 + i % 2, "session_id": f"s{i % 3}"}
        for i in range(9)
    ]
    run = send(rows, fixed_schedule_speedup=2)
    run.assert_each_came_after_what_it_follows()
    assert run.answered == [3, 4] * 4 + [3]
    # A session's later requests hold what was said before: 5 and 3, then 8; and so on.
    assert run.words == [5, 6, 7, 5 + 3 + 8, 6 + 4 + 9, 7 + 3 + 10, 16 + 4 + 11, 19 + 3 + 12, 20 + 4 + 13]
    start_ns = run.batch.facts.start_ns
    early_ns = [start_ns + 20 * MS * i - at for i, at in enumerate(run.received_ns)]
    assert max(early_ns) < MS
