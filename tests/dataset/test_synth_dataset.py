"""Conversations that are made up (systems.md U16, K3)."""

from __future__ import annotations

import math
import random
import statistics
from collections import Counter

import pytest

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.config.input_config import InputConfig
from pytest_aiperf.dataset.corpus import WORDS
from pytest_aiperf.dataset.synthesis import FixedLengthPrompts, synthetic_prompts
from pytest_aiperf.dataset.synthetic_dataset import synthetic_dataset

EVERYTHING = {
    "isl": 12,
    "isl_stddev": 4,
    "osl_stddev": 3,
    "prompt_batch_size": 2,
    "prefix_prompt_pool_size": 3,
    "prefix_prompt_length": 5,
    "user_context_prompt_length": 6,
    "shared_system_prompt_length": 7,
    "turns": 3,
    "session_turns_stddev": 1,
    "turn_delay_ms": 100,
    "session_turn_delay_stddev": 20,
    "image_width_mean": 20,
    "image_height_mean": 20,
    "image_width_stddev": 5,
    "audio_length_mean": 0.02,
    "audio_length_stddev": 0.01,
    "video_duration": 0.5,
    "video_width": 32,
    "video_height": 32,
}
CONFIGURATIONS = {
    "plain": {"isl": 12},
    "spread": {"isl": 12, "isl_stddev": 6},
    "mix": {"seq_dist": "1,9:50;3|2,9:50"},
    "batch": {"isl": 3, "prompt_batch_size": 3},
    "everything": EVERYTHING,
}


def made(count=20, *, stream="prompts", rankings=False, **options):
    return synthetic_dataset(InputConfig(**options), count=count, stream=stream, rankings=rankings)


def texts(dataset):
    return [text for one in dataset for turn in one.turns for text in (turn.text, *turn.texts)]


def words(text):
    return len(text.split(" "))


def test_the_texts_of_a_plain_load_are_what_they_always_were():
    assert texts(made(30, isl=8)) == synthetic_prompts(30, isl=8, seed=1)
    assert texts(made(2, isl=4)) == ["Pa group question wall", "Pb plan day school"]


def test_what_is_not_text_leaves_the_texts_as_they_are():
    plain = texts(made(isl=8))
    assert (
        texts(made(isl=8, osl_stddev=5, system_prompt="Be brief.", image_width_mean=8, image_height_mean=8))
        == plain
    )
    behind = texts(made(isl=8, prefix_prompt_pool_size=2, prefix_prompt_length=5))
    assert [text.split(" ", 5)[5] for text in behind] == plain


@pytest.mark.parametrize("isl", [1, 7, 5000, 40_000])
def test_a_prompt_of_fixed_length_is_the_same_in_whichever_order_they_are_made(isl):
    in_order = synthetic_prompts(24, isl=isl, seed=5)
    order = list(range(24))
    random.Random(1).shuffle(order)
    prompts = FixedLengthPrompts(isl=isl, seed=5, stream="prompts")
    assert {index: prompts.prompt(index) for index in order} == dict(enumerate(in_order))
    assert FixedLengthPrompts(isl=isl, seed=5, stream="prompts").prompt(23) == in_order[23]


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_k3_a_conversation_is_the_same_whenever_and_among_however_many_it_is_made(name):
    """K3: nothing depends on what was drawn before, by us or by anybody."""
    dataset = made(12, **CONFIGURATIONS[name])
    expected = list(dataset)
    random.seed(4711)
    order = list(range(12))
    random.shuffle(order)
    assert {i: dataset[i] for i in order} == dict(enumerate(expected))
    assert made(500, **CONFIGURATIONS[name])[11] == expected[11]
    assert dataset[-1] == expected[-1]
    assert dataset[2:7:2] == expected[2:7:2]
    with pytest.raises(IndexError):
        dataset[12]


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_another_seed_makes_others(name):
    one, other = (texts(made(seed=seed, **CONFIGURATIONS[name])) for seed in (1, 2))
    assert one != other


@pytest.mark.parametrize("rankings", [False, True])
@pytest.mark.parametrize("name", ["plain", "spread", "mix", "batch"])
def test_no_two_texts_of_a_load_begin_alike(name, rankings):
    beginnings = [text.split()[0] for text in texts(made(300, rankings=rankings, **CONFIGURATIONS[name]))]
    assert len(set(beginnings)) == len(beginnings)


@pytest.mark.parametrize("name", CONFIGURATIONS)
@pytest.mark.parametrize("other", ["warm-up", "probes", "trace", "p"])
def test_u16_streams_of_different_names_have_no_text_in_common(name, other):
    """U16: warm-up prompts are never measured ones, however short they are."""
    options = (
        CONFIGURATIONS[name] | {"isl": 1} if "seq_dist" not in CONFIGURATIONS[name] else CONFIGURATIONS[name]
    )
    assert set(texts(made(60, **options))).isdisjoint(texts(made(60, stream=other, **options)))


def test_ids_name_stream_and_number():
    assert [one.id for one in made(2, stream="warm-up")] == ["warm-up-0", "warm-up-1"]


def test_there_are_no_more_different_conversations_than_were_asked_for():
    assert len(made(20, num_dataset_entries=7)) == 7
    assert len(made(20, num_dataset_entries=70)) == len(made(20)) == 20
    assert list(made(20, num_dataset_entries=7)) == list(made(20))[:7]


def test_lengths_spread_as_they_were_asked_to():
    dataset = made(4000, isl=200, isl_stddev=30, osl=50, osl_stddev=10)
    isl, osl = [words(text) for text in texts(dataset)], [one.turns[0].max_tokens for one in dataset]
    assert statistics.fmean(isl) == pytest.approx(200, abs=4 * 30 / math.sqrt(4000))
    assert statistics.stdev(isl) == pytest.approx(30, rel=0.05)
    assert statistics.fmean(osl) == pytest.approx(50, abs=4 * 10 / math.sqrt(4000))
    assert statistics.stdev(osl) == pytest.approx(10, rel=0.05)
    assert abs(statistics.correlation(isl, osl)) < 4 / math.sqrt(4000)


def test_the_words_are_drawn_evenly():
    counts = Counter(word for text in texts(made(2000, isl=101, isl_stddev=5)) for word in text.split()[1:])
    expected = counts.total() / len(WORDS)
    chi_squared = sum((counts[word] - expected) ** 2 / expected for word in WORDS)
    freedom = len(WORDS) - 1
    assert counts.keys() == set(WORDS)
    assert abs(chi_squared - freedom) < 4 * math.sqrt(2 * freedom)


def test_a_mix_gives_prompts_and_answers_of_its_pairs():
    dataset = made(2000, seq_dist="5,50:40;9,90:60")
    pairs = Counter((words(one.turns[0].text), one.turns[0].max_tokens) for one in dataset)
    assert pairs.keys() == {(5, 50), (9, 90)}
    assert pairs[5, 50] == pytest.approx(800, abs=4 * math.sqrt(2000 * 0.24))


def test_conversations_have_turns_and_pauses_that_spread():
    dataset = made(
        2000, isl=2, turns=5, session_turns_stddev=1, turn_delay_ms=200, session_turn_delay_stddev=20
    )
    turns = [len(one.turns) for one in dataset]
    pauses = [turn.delay_ms for one in dataset for turn in one.turns[1:]]
    assert statistics.fmean(turns) == pytest.approx(5, abs=4 / math.sqrt(2000))
    assert statistics.stdev(turns) == pytest.approx(math.sqrt(1 + 1 / 12), rel=0.07)
    assert statistics.fmean(pauses) == pytest.approx(200, abs=4 * 20 / math.sqrt(len(pauses)))
    assert statistics.stdev(pauses) == pytest.approx(20, rel=0.05)
    assert all(one.turns[0].delay_ms is None for one in dataset)
    assert {turn.role for one in dataset for turn in one.turns} == {"user"}


def test_the_delay_ratio_is_in_the_pauses_and_none_is_negative():
    options = {"isl": 2, "turns": 3, "turn_delay_ms": 10, "session_turn_delay_stddev": 20}
    pauses = [turn.delay_ms for one in made(200, **options) for turn in one.turns[1:]]
    halved = [
        turn.delay_ms for one in made(200, session_delay_ratio=0.5, **options) for turn in one.turns[1:]
    ]
    assert min(pauses) == 0
    assert halved == [pause / 2 for pause in pauses]


def test_every_turn_has_a_length_of_its_own():
    (one,) = made(1, isl=50, isl_stddev=20, osl_stddev=9, turns=30)
    assert len({words(turn.text) for turn in one.turns}) > 10
    assert len({turn.max_tokens for turn in one.turns}) > 5


def test_a_batch_has_so_many_texts_of_the_length():
    for one in made(isl=6, prompt_batch_size=4):
        assert len(one.turns[0].texts) == 3
        assert {words(text) for text in texts([one])} == {6}


def test_prefixes_are_drawn_evenly_from_a_pool_that_warm_up_and_measured_requests_share():
    options = {"isl": 3, "prefix_prompt_pool_size": 4, "prefix_prompt_length": 6}
    prefixes = Counter(" ".join(text.split(" ")[:6]) for text in texts(made(2000, **options)))
    warm_up = {" ".join(text.split(" ")[:6]) for text in texts(made(100, stream="warm-up", **options))}
    assert len(prefixes) == 4
    assert warm_up == prefixes.keys()
    assert all(abs(count - 500) < 4 * math.sqrt(2000 * 0.25 * 0.75) for count in prefixes.values())
    assert {words(text) for text in texts(made(**options))} == {9}


def test_only_the_first_turn_has_a_prefix_and_a_context():
    (one,) = made(
        1, isl=3, prefix_prompt_pool_size=1, prefix_prompt_length=6, user_context_prompt_length=5, turns=2
    )
    assert [words(turn.text) for turn in one.turns] == [14, 3]


def test_each_conversation_has_a_context_of_its_own():
    contexts = [text.split(" ")[:5] for text in texts(made(50, isl=3, user_context_prompt_length=5))]
    assert len({tuple(context) for context in contexts}) == 50
    assert len({context[0] for context in contexts}) == 50


def test_the_shared_system_prompt_is_one_for_all_and_for_the_warm_up():
    options = {"shared_system_prompt_length": 40}
    systems = {one.system for stream in ("prompts", "warm-up") for one in made(stream=stream, **options)}
    (system,) = systems
    assert words(system) == 40
    assert {one.system for one in made(seed=2, **options)} != systems


def test_a_given_system_prompt_is_taken_as_it_is(tmp_path):
    (tmp_path / "system.txt").write_text("Sei kurz: äöü.\n", encoding="utf-8")
    assert made(system_prompt=" Be brief. ")[0].system == " Be brief. "
    assert made(system_prompt_file=str(tmp_path / "system.txt"))[0].system == "Sei kurz: äöü.\n"
    assert made()[0].system is None


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.txt", "there is no such file"),
        ("latin.txt", "is not UTF-8: .* at byte 3; save it as UTF-8"),
        ("empty.txt", "it is empty"),
        ("link.txt", "is a symbolic link"),
        ("", "it is not a regular file"),
    ],
)
def test_a_system_prompt_file_that_cannot_be_read_is_told_with_the_reason(tmp_path, name, message):
    (tmp_path / "latin.txt").write_bytes(b"Gr\xfc\xdfe")
    (tmp_path / "empty.txt").write_bytes(b"")
    (tmp_path / "link.txt").symlink_to(tmp_path / "latin.txt")
    message = message.replace("byte 3", "byte 2")
    with pytest.raises(ConfigurationError, match=f"system_prompt_file .*{message}"):
        made(system_prompt_file=str(tmp_path / name))


def test_a_ranking_has_a_query_and_passages_of_their_lengths():
    for one in made(rankings=True, isl=5):
        (turn,) = one.turns
        assert words(turn.text) == 5
        assert [words(passage) for passage in turn.texts] == [5] * 10
        assert turn.max_tokens is None


def test_rankings_spread_as_they_were_asked_to():
    dataset = made(
        1500,
        rankings=True,
        rankings_passages_mean=6,
        rankings_passages_stddev=1,
        rankings_passages_prompt_token_mean=40,
        rankings_passages_prompt_token_stddev=5,
        rankings_query_prompt_token_mean=20,
        rankings_query_prompt_token_stddev=3,
    )
    turns = [one.turns[0] for one in dataset]
    figures = {
        "passages": ([len(turn.texts) for turn in turns], 6, 1),
        "passage": ([words(text) for turn in turns for text in turn.texts], 40, 5),
        "query": ([words(turn.text) for turn in turns], 20, 3),
    }
    for name, (values, mean, stddev) in figures.items():
        assert statistics.fmean(values) == pytest.approx(mean, abs=4 * stddev / math.sqrt(len(values))), name
        assert statistics.stdev(values) == pytest.approx(math.sqrt(stddev**2 + 1 / 12), rel=0.08), name


def test_conversations_do_not_change_from_one_version_to_the_next():
    """Stored baselines rest on them, as on the plain prompts."""
    (one,) = made(
        1,
        isl=4,
        isl_stddev=1,
        osl_stddev=9,
        turns=2,
        turn_delay_ms=10,
        session_turn_delay_stddev=3,
        prefix_prompt_pool_size=2,
        prefix_prompt_length=3,
        user_context_prompt_length=3,
        shared_system_prompt_length=3,
    )
    turns = [(turn.text, turn.max_tokens, turn.delay_ms) for turn in one.turns]
    assert one.system == "System matter culture"
    assert turns == [
        ("Xb attention industry Pa character love Pa change situation morning", 77, None),
        ("Pa1 way girl sign program", 68, pytest.approx(13.959043196356767)),
    ]
