"""Does the gate, as a whole, see what it should see, and nothing else?

A gate that never fails passes every test of a healthy server, and nobody notices. So faults are planted, and each has
to be found under its own name and in its own direction, in real measurements: processes, sockets, files, verdict.

A gate that always says "pass" or "inconclusive" fails every planted fault; one that always says "regressed" fails where
nothing or an improvement was planted, which has to be a pass and not merely nothing bad. No gate that always says the
same passes `test_of_two_servers_the_slower_one_is_blamed_whichever_is_asked_about`, and
`test_every_judged_metric_is_blamed_somewhere_and_spared_elsewhere` holds the table of faults to as much.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from control_bench import SESSIONS, ControlBench, control_bench
from planted import (
    BETTER,
    FASTER,
    JUDGED,
    JUDGED_WHOLE,
    MEDIAN_LATENCY,
    NONE_BEFORE,
    NOTHING,
    PAIRED,
    SLOWER,
    WHOLE,
    WORSE,
    Planted,
)

from pytest_aiperf.measure.measurement import Comparison, Measurement

TOLERANCE = {"ttft.p50": "20%", "itl.p50": "20%", "latency.p95": "25%", "request_throughput": "20%"}


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """Streamed answers; every kind of metric is judged."""
    folder = tmp_path_factory.mktemp("streamed")
    options = {"request_count": 240, "tolerance": TOLERANCE, "metrics": list(TOLERANCE)}
    with control_bench(folder, **options) as bench:
        yield bench


@pytest.fixture(scope="module")
def recorded(bench):
    """The same with a baseline of three sessions."""
    bench.record(SESSIONS)
    return bench


@pytest.fixture(scope="module")
def recorded_whole(tmp_path_factory):
    """Answers in one piece, the metric that is judged by default, and a baseline of two sessions."""
    folder = tmp_path_factory.mktemp("whole")
    options = {"request_count": 144, "streaming": False, "tolerance": {"latency.p50": "20%"}, "metrics": None}
    with control_bench(folder, **options) as bench:
        bench.record(2)
        yield bench


def cases(table: Mapping[str, Planted]):
    return pytest.mark.parametrize("planted", list(table.values()), ids=list(table))


def test_an_unchanged_server_passes(recorded: ControlBench):
    assert_found(recorded.check(), NOTHING, JUDGED)


@cases(WORSE)
def test_a_planted_fault_is_found_under_its_own_name(recorded: ControlBench, planted: Planted):
    assert_found(recorded.check(**planted.server), planted, JUDGED)


@cases(BETTER)
def test_an_improvement_is_no_regression(recorded: ControlBench, planted: Planted):
    measurement = recorded.check(**planted.server)
    assert_found(measurement, planted, JUDGED)
    assert measurement.judgement.improved


def test_of_two_servers_the_slower_one_is_blamed_whichever_is_asked_about(bench: ControlBench):
    """What decides is only which of them is the new one, so neither always "regressed" nor always "pass" will do."""
    for planted in (SLOWER, FASTER):
        assert_found(bench.compare(before=planted.before, now=planted.server), planted, JUDGED)


@cases(PAIRED)
def test_two_servers_alike_or_better_pass(bench: ControlBench, planted: Planted):
    assert_found(bench.compare(before=planted.before, now=planted.server), planted, JUDGED)


@cases(WHOLE)
def test_answers_in_one_piece_are_judged_by_their_latency(recorded_whole: ControlBench, planted: Planted):
    assert_found(recorded_whole.check(**planted.server), planted, JUDGED_WHOLE)


def test_every_judged_metric_is_blamed_somewhere_and_spared_elsewhere():
    for table, judged in ((WORSE, JUDGED), (WHOLE, frozenset({MEDIAN_LATENCY}))):
        assert frozenset().union(*(planted.worse for planted in table.values())) >= judged
        assert (
            frozenset().union(*(planted.spared(JUDGED_WHOLE | judged) for planted in table.values()))
            >= judged
        )
    assert all(planted.spared(JUDGED) for planted in WORSE.values())


def assert_found(measurement: Measurement, planted: Planted, judged: frozenset[str]) -> None:
    """Blamed is what was planted, nothing that it cannot touch, and by about as much as was planted."""
    comparisons = measurement.judgement.comparisons
    rows = {row.metric: row for row in comparisons if row.against == "baseline"}
    blamed = {row.metric for row in comparisons if row.verdict == "regressed"}
    shown = f"{measurement.verdict}: {measurement.judgement.reason}"
    assert rows.keys() == judged, shown
    assert blamed >= planted.worse.keys(), shown
    assert not blamed & planted.spared(judged), shown
    assert measurement.verdict == planted.verdict, shown
    assert {name: rows[name].improved for name in planted.better} == dict.fromkeys(planted.better, True), (
        shown
    )
    assert not any(rows[name].improved for name in planted.worse), shown
    for name, change in (planted.worse | planted.better).items():
        assert_moved(rows[name], change)


def assert_moved(row: Comparison, change: float) -> None:
    assert row.now is not None
    assert row.baseline is not None
    if change == NONE_BEFORE:
        assert row.baseline < row.now / 4, row
        return
    assert row.change is not None
    assert 0.5 < row.change / change < 1.5, row
