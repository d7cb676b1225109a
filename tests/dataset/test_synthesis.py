"""Synthetic prompts (systems.md U16)."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_aiperf.dataset.corpus import WORDS
from pytest_aiperf.dataset.synthesis import synthetic_prompts


def test_the_same_seed_gives_the_same_prompts():
    assert synthetic_prompts(20, isl=16, seed=3) == synthetic_prompts(20, isl=16, seed=3)
    assert synthetic_prompts(20, isl=16, seed=3) != synthetic_prompts(20, isl=16, seed=4)


@pytest.mark.parametrize("hash_seed", ["0", "4711"])
def test_the_same_seed_gives_the_same_prompts_in_another_process(hash_seed):
    code = "from pytest_aiperf.dataset.synthesis import synthetic_prompts; print(synthetic_prompts(5, isl=9, seed=2))"
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.strip() == repr(synthetic_prompts(5, isl=9, seed=2))


def test_prompts_do_not_change_from_one_version_to_the_next():
    """Stored baselines rest on them: another corpus or another way to draw makes every one incomparable."""
    assert synthetic_prompts(2, isl=4, seed=1) == ["Pa group question wall", "Pb plan day school"]


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(0, 60))
def test_a_prompt_has_exactly_so_many_words(isl, count):
    prompts = synthetic_prompts(count, isl=isl, seed=1)
    assert len(prompts) == count
    assert all(len(prompt.split(" ")) == isl and "" not in prompt.split(" ") for prompt in prompts)


def test_no_two_prompts_begin_alike():
    prompts = synthetic_prompts(2000, isl=3, seed=1)
    assert len({prompt.split()[0] for prompt in prompts}) == 2000


def test_warm_up_prompts_are_never_measured_ones_however_short():
    for isl in (1, 2, 64):
        warm_up = synthetic_prompts(300, isl=isl, seed=1, stream="warm-up")
        assert set(warm_up).isdisjoint(synthetic_prompts(3000, isl=isl, seed=1))


def test_more_prompts_begin_with_the_same_ones():
    assert synthetic_prompts(30, isl=8, seed=1)[:10] == synthetic_prompts(10, isl=8, seed=1)


def test_the_words_of_the_corpus_are_plain_and_distinct():
    assert len(set(WORDS)) == len(WORDS) >= 250
    assert all(word.isascii() and word.isalpha() and word.islower() for word in WORDS)
