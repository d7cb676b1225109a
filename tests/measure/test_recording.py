"""What `--aiperf-update` stores: each category against each state of the baseline."""

from __future__ import annotations

import pytest
from scripted_load import Server

from pytest_aiperf.baseline import store
from pytest_aiperf.baseline.history import judged_sessions

SERVERS = {"same": Server(), "slower": Server().slower(1.5), "faster": Server().slower(0.6)}
TABLE = {
    # state:           (missing,    regressed,  improved,   all)
    "no baseline": ("recorded", None, None, "recorded"),
    "same": (None, None, None, "appended"),
    "slower": (None, "accepted", None, "new level"),
    "faster": (None, None, "accepted", "new level"),
    "not comparable": (None, None, None, "recorded"),
}
CATEGORIES = ("missing", "regressed", "improved", "all")
CASES = [
    (state, c, stored) for state, row in TABLE.items() for c, stored in zip(CATEGORIES, row, strict=True)
]
VERDICTS = {
    "no baseline": "no_baseline",
    "same": "pass",
    "slower": "regressed",
    "faster": "pass",
    "not comparable": "not_comparable",
}


@pytest.mark.parametrize(("state", "category", "stored"), CASES)
def test_each_category_stores_in_the_states_that_it_names_and_in_no_other(bench, state, category, stored):
    if state != "no baseline":
        bench.record()
    before = bench.path.read_text() if bench.path.exists() else None
    options = {"concurrency": 4} if state == "not comparable" else {}
    measurement = bench.measure(SERVERS.get(state, Server()), update=(category,), **options)
    assert measurement.stored_as == stored
    assert (measurement.to_store is None) == (stored is None)
    assert measurement.verdict == ("measured" if stored else VERDICTS[state])
    if stored is None:
        assert (bench.path.read_text() if bench.path.exists() else None) == before


@pytest.mark.parametrize("state", TABLE)
def test_without_an_update_nothing_is_ever_stored(bench, state):
    if state != "no baseline":
        bench.record()
    options = {"concurrency": 4} if state == "not comparable" else {}
    measurement = bench.measure(SERVERS.get(state, Server()), **options)
    assert (measurement.to_store, measurement.stored_as) == (None, None)
    assert measurement.verdict == VERDICTS[state]


def test_several_categories_together_store_what_any_of_them_names(bench):
    bench.record()
    assert bench.measure(SERVERS["faster"], update=("regressed", "improved")).stored_as == "accepted"


def test_one_more_session_of_the_same_level_is_appended_behind_the_anchor(bench):
    first = bench.record().to_store
    second = bench.record().to_store
    assert second.anchor == first.anchor
    assert len(judged_sessions(second)) == 2


def test_an_accepted_slowdown_is_the_new_level_against_which_it_then_passes(bench):
    bench.record()
    moved = bench.measure(SERVERS["slower"], update=("regressed",)).to_store
    assert len(moved.sessions) == 2
    assert len(judged_sessions(moved)) == 1
    assert bench.measure(SERVERS["slower"]).verdict == "pass"


@pytest.mark.parametrize("category", ["regressed", "all"])
def test_stalls_at_an_accepted_level_are_counted_against_that_level(bench, category):
    """Against the old threshold every request would be a stall: no stall could ever show again."""
    bench.record()
    slow = Server().slower(2.0)
    moved = bench.measure(slow, update=(category,)).to_store
    anchor = judged_sessions(moved)[0]
    assert [run.stalls.count for run in anchor.runs] == [0] * len(anchor.runs)
    later = bench.measure(Server(stalled=0.2).slower(2.0))
    assert {c.metric for c in later.judgement.comparisons if c.verdict == "regressed"} == {"stall_share"}


def test_later_sessions_count_stalls_against_the_threshold_of_the_anchor(bench):
    bench.record()
    stored = bench.record(Server(stalled=0.1)).to_store
    thresholds = {run.stalls.threshold_ms for s in judged_sessions(stored) for run in s.runs}
    assert len(thresholds) == 1


def test_an_invalid_measurement_is_never_stored(bench):
    for update in (("missing",), ("all",)):
        measurement = bench.measure(Server(failed=0.3), update=update)
        assert measurement.verdict == "invalid"
        assert measurement.to_store is None


@pytest.mark.parametrize("category", ["regressed", "all"])
def test_a_failing_server_is_no_level_that_can_be_accepted(bench, category):
    bench.record()
    measurement = bench.measure(Server(failed=0.3), update=(category,))
    assert measurement.verdict == "invalid"
    assert measurement.to_store is None


def test_answers_of_another_length_are_recorded_only_when_all_is_asked_for(bench):
    bench.record()
    assert bench.measure(Server(osl=8), update=("regressed",)).verdict == "invalid"
    assert bench.measure(Server(osl=8), update=("all",)).verdict == "measured"


def test_the_stored_session_says_where_it_comes_from(bench):
    session = bench.record(Server(usage=False)).to_store.sessions[0]
    assert session.environment.client.startswith("pytest-aiperf ")
    assert session.environment.osl_source == "content_messages"
    assert session.recorded.at.endswith("Z")
    assert len(session.runs) == 5


def test_what_is_stored_reads_back(bench):
    stored = bench.record().to_store
    assert store.dump(store.load(bench.path)) == store.dump(stored)


def test_nothing_is_stored_where_no_baseline_is_kept(bench):
    assert bench.measure(baseline=False, update=("all",)).to_store is None
