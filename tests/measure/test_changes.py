"""What is another than when the baseline was recorded."""

from __future__ import annotations

import pytest

from pytest_aiperf.baseline.schema import Baseline, BaselineKey, Environment, Recorded, Run, Session
from pytest_aiperf.measure.changes import changes
from pytest_aiperf.measure.measurement import Change

THEN = Environment(
    client="pytest-aiperf 0.1.0",
    python="3.12.4",
    server="vllm 0.24.1",
    driver="575.51.03",
    cuda="12.9",
    host="0123456789ab",
    transport="wire",
    timestamps="kernel",
    osl_source="usage",
)


def recorded(*environments):
    """A baseline of these sessions, all of one level."""
    run = Run(n_ok=1, n_err=0, window_s=1.0, metrics={})
    sessions = [
        Session(id=str(i), runs=(run,), environment=one, recorded=Recorded(at="2026-11-02T10:00:00Z"))
        for i, one in enumerate(environments)
    ]
    return Baseline(key=BaselineKey(test="t", workload="w", load={}), anchor="0", sessions=tuple(sessions))


def since(then, **now):
    return list(changes(recorded(then), THEN.model_copy(update=now)))


def test_nothing_changed_where_all_is_as_it_was():
    assert since(THEN) == []


@pytest.mark.parametrize(
    ("fact", "now", "before"),
    [
        ("server", "vllm 0.25.0", "vllm 0.24.1"),
        ("driver", "580.65.06", "575.51.03"),
        ("cuda", "13.0", "12.9"),
        ("client", "pytest-aiperf 0.2.0", "pytest-aiperf 0.1.0"),
        ("python", "3.13.1", "3.12.4"),
        ("transport", "aiohttp", "wire"),
        ("timestamps", "user", "kernel"),
        ("osl_source", "content_messages", "usage"),
    ],
)
def test_a_fact_that_is_another_is_a_change(fact, now, before):
    assert since(THEN, **{fact: now}) == [Change(name=fact, before=before, now=now)]


def test_another_host_is_called_another_machine_and_not_by_its_hash():
    assert since(THEN, host="ba9876543210") == [
        Change(name="host", before="the baseline's", now="another machine")
    ]


@pytest.mark.parametrize("fact", [name for name in Environment.model_fields if name != "client"])
def test_what_one_side_does_not_know_is_no_change(fact):
    """Sessions that were recorded before the fact was noted do not have it."""
    assert since(THEN, **{fact: None}) == []
    assert since(THEN.model_copy(update={fact: None})) == []


def test_all_changes_are_told_those_that_explain_most_first():
    other = dict.fromkeys(Environment.model_fields, "other")
    names = [change.name for change in since(THEN, **other)]
    assert names[:3] == ["server", "driver", "cuda"]
    assert set(names) == set(Environment.model_fields)


def test_the_newest_session_is_what_counts():
    old, new = THEN.model_copy(update={"server": "old"}), THEN
    assert [c.before for c in changes(recorded(new, old), THEN)] == ["old"]
    assert list(changes(recorded(old, new), THEN)) == []
