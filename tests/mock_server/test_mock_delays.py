from __future__ import annotations

import itertools
import statistics

import pytest

from pytest_aiperf.mock_server.delays import Delays
from pytest_aiperf.mock_server.mishaps import Mishaps
from pytest_aiperf.mock_server.options import MockOptions


def test_without_jitter_every_request_has_the_same_absolute_schedule():
    delays = Delays(MockOptions(ttft_ms=30, itl_ms=4))
    assert list(delays.offsets(0, 3)[:3]) == [30_000_000, 34_000_000, 38_000_000]
    assert list(delays.offsets(7, 5)[:5]) == [30_000_000, 34_000_000, 38_000_000, 42_000_000, 46_000_000]


def test_jitter_is_the_same_in_a_rerun_and_differs_between_requests_and_seeds():
    options = MockOptions(jitter=0.2)
    first = [list(Delays(options).offsets(n, 8)) for n in range(4)]
    assert first == [list(Delays(options).offsets(n, 8)) for n in range(4)]
    assert len({tuple(offsets) for offsets in first}) == 4
    assert list(Delays(MockOptions(jitter=0.2, seed=2)).offsets(0, 8)) != first[0]


def test_jitter_keeps_the_mean_and_has_the_relative_sd_asked_for():
    delays = Delays(MockOptions(ttft_ms=30, itl_ms=4, jitter=0.3))
    first = [delays.offsets(n, 2)[0] for n in range(20_000)]
    gaps = [b - a for a, b in (delays.offsets(n, 2) for n in range(20_000))]
    for values, mean in ((first, 30e6), (gaps, 4e6)):
        assert statistics.fmean(values) == pytest.approx(mean, rel=0.01)
        assert statistics.stdev(values) / mean == pytest.approx(0.3, rel=0.05)


def test_an_answer_may_be_longer_than_the_pool_of_jitter():
    offsets = Delays(MockOptions(itl_ms=1, jitter=0.1)).offsets(3, 100_000)
    assert len(offsets) == 100_000
    assert all(b >= a for a, b in itertools.pairwise(offsets))


@pytest.mark.parametrize("pct", [1.0, 20.0, 75.0])
def test_shares_are_met_and_independent_of_one_another(pct):
    mishaps = Mishaps(MockOptions(fault="reset", fault_pct=pct, stall_pct=pct, stall_ms=2, error_pct=50))
    n = 20_000
    errors = [mishaps.fault(i) == "http_500" for i in range(n)]
    faults = [mishaps.fault(i) == "reset" for i in range(n)]
    stalls = [mishaps.stall_ns(i) == 2_000_000 for i in range(n)]
    assert sum(errors) / n == pytest.approx(0.5, abs=0.015)
    assert sum(faults) / n == pytest.approx(pct / 200, abs=0.015)
    assert sum(stalls) / n == pytest.approx(pct / 100, abs=0.015)
    both = sum(e and s for e, s in zip(errors, stalls, strict=True)) / n
    assert both == pytest.approx(pct / 200, abs=0.015)


def test_a_share_of_a_hundred_percent_is_all_and_of_zero_is_none():
    every = Mishaps(MockOptions(error_pct=100))
    none = Mishaps(MockOptions(fault="reset", fault_pct=0))
    assert {every.fault(i) for i in range(1_000)} == {"http_500"}
    assert {none.fault(i) for i in range(1_000)} == {""}


def test_another_seed_chooses_other_requests():
    def chosen(seed):
        mishaps = Mishaps(MockOptions(error_pct=50, seed=seed))
        return [mishaps.fault(i) for i in range(100)]

    assert chosen(1) == chosen(1)
    assert chosen(1) != chosen(2)
