"""What ``auto`` makes of a plan."""

from __future__ import annotations

import os

import numpy as np
import pytest

from pytest_aiperf.engine.plan import LoadPlan
from pytest_aiperf.services.worker_count import MESSAGES_PER_S, REQUESTS_PER_S, free_cpus, workers_for

URL = "http://model.example/v1"


def plan_of(**given):
    due_s = given.pop("due_s", None)
    if due_s is not None:
        given["due_ns"] = (np.asarray(due_s) * 1e9).astype(np.int64)
    return LoadPlan(url=URL, bodies=[b""] * (1 if due_s is None else len(due_s)), **given)


def workers(plan, *, messages=0.0, latency_s=1.0, cpus=64):
    return workers_for(plan, messages_per_request=messages, latency_s=latency_s, cpus=cpus)


def test_a_model_that_answers_slowly_needs_one_process():
    assert workers(plan_of(concurrency=512), messages=128, latency_s=5.0) == 1


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_closed_loop_needs_more_the_more_requests_or_messages_a_second_it_makes(times):
    assert workers(plan_of(concurrency=REQUESTS_PER_S * times)) == times
    assert workers(plan_of(concurrency=times * 1000), messages=MESSAGES_PER_S / 1000 * 0.9) == times


def test_requests_and_messages_add_up():
    plan = plan_of(concurrency=int(REQUESTS_PER_S * 0.6))
    assert workers(plan) == 1
    assert workers(plan, messages=0.6 * MESSAGES_PER_S / plan.concurrency) == 2


def test_an_open_loop_counts_its_busiest_second():
    quiet = np.arange(1000) / 10
    assert workers(plan_of(due_s=quiet), messages=MESSAGES_PER_S / 50) == 1
    burst = 50 + np.arange(100) / 1000
    assert workers(plan_of(due_s=np.sort([*quiet, *burst])), messages=MESSAGES_PER_S / 50) == 3


def test_a_limit_of_an_open_loop_counts_where_it_is_the_lower_one():
    due_s = np.arange(3000) / 1500
    assert workers(plan_of(due_s=due_s), messages=MESSAGES_PER_S / 1000) == 2
    assert workers(plan_of(due_s=due_s, concurrency=90), messages=MESSAGES_PER_S / 1000, latency_s=0.1) == 1


def test_there_are_never_more_than_there_are_cpus_and_never_none():
    plan = plan_of(concurrency=REQUESTS_PER_S * 10)
    assert workers(plan, cpus=3) == 3
    assert workers(plan, cpus=1) == 1
    assert workers(plan_of(concurrency=1), latency_s=100.0) == 1


def test_a_server_on_this_machine_keeps_a_cpu_for_itself(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 5, 7}, raising=False)
    assert free_cpus([URL]) == 4
    for local in ("http://127.0.0.1:8000/v1", "http://localhost/v1", "http://[::1]:8000"):
        assert free_cpus([URL, local]) == 3
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0}, raising=False)
    assert free_cpus(["http://localhost/v1"]) == 1
