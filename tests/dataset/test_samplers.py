"""In which order conversations of the data are used."""

from __future__ import annotations

import statistics
from collections import Counter
from itertools import pairwise

import pytest

from pytest_aiperf.plugin import plugins

NAMES = ("sequential", "random", "shuffle")


def drawn(name, count, *, size=5, seed=1):
    sampler = plugins.get_class("sampler", name)(size, seed=seed)
    return [sampler.next_index() for _ in range(count)]


def test_one_after_the_other_and_from_the_start_again():
    assert drawn("sequential", 12) == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1]


def test_each_comes_once_a_round_and_every_round_has_another_order():
    order = drawn("shuffle", 2000, size=20)
    rounds = [order[at : at + 20] for at in range(0, 2000, 20)]
    assert all(sorted(one) == list(range(20)) for one in rounds)
    assert len(set(map(tuple, rounds))) == 100
    first = Counter(one[0] for one in [drawn("shuffle", 20, size=20, seed=seed) for seed in range(400)])
    assert len(first) == 20
    assert max(first.values()) < 45  # 20 expected


def test_any_one_comes_each_time_and_all_are_as_likely():
    order = drawn("random", 20_000, size=10)
    assert len(set(order[:10])) < 10
    expected = 2000
    chi_squared = sum((count - expected) ** 2 / expected for count in Counter(order).values())
    assert chi_squared < 27.9  # 99.9 % of nine degrees of freedom
    repeats = statistics.fmean(one == other for one, other in pairwise(order))
    assert repeats == pytest.approx(0.1, abs=0.01)


@pytest.mark.parametrize("name", NAMES)
def test_one_seed_gives_one_order_and_another_seed_another(name):
    assert drawn(name, 50, seed=3) == drawn(name, 50, seed=3)
    if name != "sequential":
        assert drawn(name, 50, seed=3) != drawn(name, 50, seed=4)


def test_the_orders_do_not_change_from_one_version_or_platform_to_the_next():
    assert drawn("random", 8) == [1, 1, 3, 4, 3, 0, 3, 1]
    assert drawn("shuffle", 10) == [1, 0, 3, 4, 2, 0, 3, 4, 2, 1]


@pytest.mark.parametrize("name", NAMES)
def test_one_conversation_comes_every_time(name):
    assert drawn(name, 4, size=1) == [0, 0, 0, 0]
