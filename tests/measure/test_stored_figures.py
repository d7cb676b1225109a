"""What a run stores of itself reads back: no figure that was really measured is taken for one that was edited."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hand_made import batch_of, run_of
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from pytest_aiperf.baseline import history, store
from pytest_aiperf.baseline.schema import BaselineKey, Environment, Recorded, Session
from pytest_aiperf.common.errors import BaselineError
from pytest_aiperf.common.records import Outcome

KEY = BaselineKey(test="t", workload="w", load={})
LATENCIES_MS = st.one_of(
    st.lists(st.sampled_from([0.0, 1e-6, 0.25, 100.0, 100.000001, 3e5]), min_size=1, max_size=80),
    st.lists(st.floats(0, 1e6), min_size=1, max_size=80),
    st.builds(lambda value, n: [value] * n, st.floats(0, 1e4), st.integers(1, 250)),
)


def stored_run(latencies_ms, failed):
    """The text of a baseline of one run: so many requests in turn, some of which failed."""
    n = len(latencies_ms)
    t0 = np.concatenate(([0.0], np.cumsum(latencies_ms)[:-1] + np.arange(1, n)))
    outcome = np.where(np.arange(n) % 7 < failed, Outcome.ERROR, Outcome.OK)
    data = run_of(batch_of(t0, latencies_ms, outcome=outcome))
    session = Session(
        id="s",
        runs=(data.summary,),
        environment=Environment(client="c"),
        recorded=Recorded(at="2026-11-23T00:31:00Z"),
    )
    return data.summary, store.dump(history.first(KEY, session))


@settings(deadline=None, max_examples=150)
@given(LATENCIES_MS, st.integers(0, 3))
@example([0.0] * 40, 0)
@example([100.0] * 30, 3)
@example(list(np.exp(np.random.default_rng(1).normal(5, 0.3, 1500))), 0)  # long enough for a p99
@example(list(np.exp(np.random.default_rng(2).normal(5, 0.3, 1500))), 1)
def test_every_run_reads_back_as_it_was_written(latencies_ms, failed):
    summary, text = stored_run(latencies_ms, failed)
    assume(summary.n_ok)
    found = store.parse(text, source="f").sessions[0].runs[0]
    assert store.dump(store.parse(text, source="f")) == text
    assert (found.n_ok, found.n_err) == (summary.n_ok, summary.n_err)
    assert set(found.metrics) == set(summary.metrics)


def test_a_run_that_was_made_this_way_and_then_edited_does_not_read_back():
    summary, text = stored_run(list(np.exp(np.random.default_rng(1).normal(5, 0.3, 200))), 0)
    for tag in ("time_to_first_token", "request_latency"):
        document = json.loads(text)
        document["sessions"][0]["runs"][0]["metrics"][tag]["p95"] *= 1.03
        with pytest.raises(BaselineError, match=rf"at sessions\.0\.runs\.0\.metrics\.{tag}\.p95: p95 is"):
            store.parse(json.dumps(document), source="f")
    assert summary.metrics["request_latency"].p95
