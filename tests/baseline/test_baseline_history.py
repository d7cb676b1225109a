"""How a baseline grows: sessions are appended, ten are kept, the anchor stays."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from stored import KEY, baseline, session

from pytest_aiperf.baseline import history, store


def ids(stored):
    return [s.id for s in stored.sessions]


def grown(n):
    stored = history.first(KEY, session("s0"))
    for i in range(1, n):
        stored = history.append(stored, session(f"s{i}"))
    return stored


def test_the_first_session_is_the_anchor():
    stored = history.first(KEY, session("only"))
    assert stored.anchor == "only"
    assert ids(stored) == ["only"]


def test_a_session_is_appended_and_the_earlier_ones_stay():
    stored = grown(3)
    assert ids(stored) == ["s0", "s1", "s2"]
    assert stored.anchor == "s0"


def test_ten_are_kept_and_the_anchor_is_never_dropped():
    stored = grown(25)
    assert ids(stored) == ["s0", *(f"s{i}" for i in range(16, 25))]
    assert stored.anchor == "s0"


def test_a_new_level_starts_with_itself_and_keeps_the_past_as_history():
    moved = history.new_level(grown(3), KEY.model_copy(update={"model": "new"}), session("level"))
    assert moved.anchor == "level"
    assert ids(moved) == ["s0", "s1", "s2", "level"]
    assert [s.id for s in history.judged_sessions(moved)] == ["level"]
    assert moved.key.model == "new"


def test_after_a_new_level_the_sessions_before_it_go_first():
    stored = history.new_level(grown(10), KEY, session("level"))
    assert ids(stored) == [*(f"s{i}" for i in range(1, 10)), "level"]
    for i in range(12):
        stored = history.append(stored, session(f"later{i}"))
    assert ids(stored) == ["level", *(f"later{i}" for i in range(3, 12))]


def test_all_sessions_since_the_anchor_are_judged():
    assert [s.id for s in history.judged_sessions(grown(4))] == ["s0", "s1", "s2", "s3"]


@settings(deadline=None)
@given(st.lists(st.sampled_from(["append", "level"]), max_size=30))
def test_whatever_happens_the_file_stays_loadable_and_the_newest_session_is_in_it(steps):
    stored = baseline()
    for i, step in enumerate(steps):
        new = session(f"n{i}")
        stored = history.append(stored, new) if step == "append" else history.new_level(stored, KEY, new)
        assert len(stored.sessions) <= history.KEEP
        assert ids(stored)[-1] == f"n{i}"
        assert stored.anchor in ids(stored)
    assert ids(store.parse(store.dump(stored), source="f")) == ids(stored)


def test_the_baseline_that_was_given_is_not_changed():
    before = grown(2)
    history.append(before, session("new"))
    history.new_level(before, KEY, session("new"))
    assert ids(before) == ["s0", "s1"]
    assert before.anchor == "s0"
