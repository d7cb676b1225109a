"""How lengths spread: against the definitions of their distributions, on large samples with fixed seeds."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest

from pytest_aiperf.config.input_config import InputConfig
from pytest_aiperf.dataset.length_mix import length_mix
from pytest_aiperf.dataset.lengths import Spread
from pytest_aiperf.dataset.streams import Streams

COUNT = 40_000


def drawn(spread, seed=1):
    streams = Streams(seed, "test")
    return [spread.whole(streams) for _ in range(COUNT)]


def standard_errors(values, mean, stddev):
    """How many standard errors the mean and the variance of a sample lie from these."""
    apart = np.array(values) - np.mean(values)
    variance, fourth = np.mean(apart**2), np.mean(apart**4)
    error, error_of_variance = np.sqrt(variance / len(values)), np.sqrt((fourth - variance**2) / len(values))
    return (np.mean(values) - mean) / error, (variance - stddev**2) / error_of_variance


@pytest.mark.parametrize("shape", ["normal", "lognormal"])
@pytest.mark.parametrize(("mean", "stddev"), [(512, 100), (128, 30), (4000, 400)])
def test_lengths_have_the_mean_and_the_deviation_that_were_asked_for(shape, mean, stddev):
    values = drawn(Spread(name="isl", mean=mean, stddev=stddev, shape=shape))
    rounding = math.sqrt(stddev**2 + 1 / 12)
    assert all(abs(z) < 4 for z in standard_errors(values, mean, rounding))


def test_a_normal_length_is_symmetric_and_a_lognormal_one_has_a_long_tail():
    normal = drawn(Spread(name="isl", mean=500, stddev=200))
    lognormal = drawn(Spread(name="isl", mean=500, stddev=200, shape="lognormal"))
    assert statistics.median(normal) == pytest.approx(500, abs=6)
    assert statistics.median(lognormal) == pytest.approx(500 / math.sqrt(1 + 0.4**2), abs=6)
    assert statistics.fmean(v > 1100 for v in lognormal) == pytest.approx(
        1
        - statistics.NormalDist(math.log(500) - math.log(1.16) / 2, math.sqrt(math.log(1.16))).cdf(
            math.log(1100)
        ),
        rel=0.15,
    )


def test_a_normal_length_is_cut_at_one_and_its_mean_is_then_that_of_the_cut_distribution():
    values = drawn(Spread(name="isl", mean=10, stddev=20))
    unit, cut = statistics.NormalDist(), (10 - 1) / 20
    mean = 1 + 20 * (cut * unit.cdf(cut) + unit.pdf(cut))
    assert min(values) == 1
    assert statistics.fmean(values) == pytest.approx(mean, abs=4 * 20 / math.sqrt(COUNT) + 0.02)


def test_a_length_without_a_deviation_is_the_mean_and_draws_nothing():
    streams = Streams(1, "test")
    assert {Spread(name="isl", mean=77).whole(streams) for _ in range(10)} == {77}
    assert streams["isl"].random() == Streams(1, "test")["isl"].random()


@pytest.mark.parametrize("shape", ["normal", "lognormal"])
def test_no_length_is_more_than_the_most_however_wide_it_spreads(shape):
    values = drawn(Spread(name="isl", mean=1, stddev=10_000_000, shape=shape, most=5000))
    assert 1 <= min(values) <= max(values) <= 5000


def test_lengths_do_not_change_from_one_version_to_the_next():
    streams = Streams(1, "test")
    spread = Spread(name="isl", mean=512, stddev=100)
    assert [spread.whole(streams) for _ in range(6)] == [385, 582, 444, 728, 603, 404]


def test_a_mix_draws_each_pair_by_its_share_and_its_lengths_around_the_pair():
    mix = length_mix(InputConfig(seq_dist="100,10:25;1000|50,200|20:75;7,7:0"))
    streams = Streams(1, "test")
    pairs = [mix.draw(streams) for _ in range(COUNT)]
    long = [pair for pair in pairs if pair.isl.mean == 1000]
    share = len(long) / COUNT
    assert share == pytest.approx(0.75, abs=4 * math.sqrt(0.75 * 0.25 / COUNT))
    assert {pair.isl.mean for pair in pairs} == {100, 1000}
    assert {pair.osl.mean for pair in long} == {200}
    values = [pair.isl.whole(streams) for pair in long]
    assert all(abs(z) < 4 for z in standard_errors(values, 1000, math.sqrt(50**2 + 1 / 12)))


@pytest.mark.parametrize(
    ("options", "isl"),
    [
        ({"isl": 9}, 9),
        ({"isl": 9, "isl_stddev": 1}, None),
        ({"seq_dist": "8,1:30;8,2:70"}, 8),
        ({"seq_dist": "8,1:30;9,2:70"}, None),
        ({"seq_dist": "8,1:100;9,2:0"}, 8),
    ],
)
def test_it_is_known_whether_all_prompts_have_one_length(options, isl):
    assert length_mix(InputConfig(**options)).only_isl == isl


def test_purposes_do_not_shift_each_other():
    alone, beside = Streams(1, "test"), Streams(1, "test")
    beside["other"].random()
    assert alone["isl"].random() == beside["isl"].random() != Streams(2, "test")["isl"].random()
