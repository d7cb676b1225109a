"""What traces become: prompts of the lengths that they tell, sharing the blocks that they share."""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
from data_writing import load_rows, turns_of

from pytest_aiperf.common.errors import ConfigurationError

MESSAGES = [{"role": "user", "content": "Hello"}]


def shared_words(first: str, second: str) -> int:
    """Return how many words two prompts have in common at their beginnings."""
    pairs = zip(first.split(), second.split(), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def prompts(folder: Path, *rows: Any, **settings: Any) -> list[str]:
    return [turn.text for turn in turns_of(load_rows(folder, *rows, **settings))]


def test_prompts_share_exactly_the_blocks_that_the_trace_says(tmp_path: Path) -> None:
    rows = [
        {"input_length": 1100, "hash_ids": [1, 2, 3]},
        {"input_length": 1300, "hash_ids": [1, 2, 4]},
        {"input_length": 1024, "hash_ids": [1, 5]},
        {"input_length": 700, "hash_ids": [9, 1]},
    ]
    first, second, third, last = prompts(tmp_path, *rows)
    assert [len(each.split()) for each in (first, second, third, last)] == [1100, 1300, 1024, 700]
    assert shared_words(first, second) == 1024
    assert shared_words(first, third) == 512
    assert shared_words(first, last) == 0
    assert last.split()[512:] == first.split()[:188]  # a hash id is the same words wherever it stands


def test_a_last_block_that_is_cut_short_begins_as_the_whole_one(tmp_path: Path) -> None:
    short, whole = prompts(
        tmp_path, {"input_length": 3, "hash_ids": [7]}, {"input_length": 512, "hash_ids": [7]}
    )
    assert shared_words(short, whole) == 3


def test_what_is_longer_than_its_blocks_goes_on_in_words_of_its_own(tmp_path: Path) -> None:
    row = {"input_length": 60, "hash_ids": [1, 2]}
    first, second = prompts(tmp_path, row, row, block_size=20)
    assert len(first.split()) == len(second.split()) == 60
    assert shared_words(first, second) == 40


def test_prompts_without_blocks_never_begin_alike(tmp_path: Path) -> None:
    found = prompts(tmp_path, *[{"input_length": 5}] * 50)
    assert len({each.split()[0] for each in found}) == 50


def test_the_same_seed_makes_the_same_trace(tmp_path: Path) -> None:
    rows = [{"input_length": 30, "hash_ids": [1]}, {"input_length": 30}]
    assert prompts(tmp_path, *rows, seed=3) == prompts(tmp_path, *rows, seed=3)
    first, second = prompts(tmp_path, *rows, seed=3), prompts(tmp_path, *rows, seed=4)
    assert all(shared_words(*pair) < 3 for pair in zip(first, second, strict=True))


def test_hash_ids_that_do_not_fit_the_length_are_refused_by_the_block_size(tmp_path: Path) -> None:
    row = {"input_length": 100, "hash_ids": [1, 2]}
    with pytest.raises(ConfigurationError, match="should be 513 or more, or isl_block_size another"):
        load_rows(tmp_path, row)
    assert len(prompts(tmp_path, row, block_size=64)[0].split()) == 100


def test_a_schedule_of_times_alone_is_a_trace(tmp_path: Path) -> None:
    rows = [{"timestamp": 0}, {"timestamp": 10.5, "input_length": 3}, {"timestamp": 20, "output_length": 4}]
    found = turns_of(load_rows(tmp_path, *rows, isl=6, osl=2))
    assert [turn.timestamp_ms for turn in found] == [0, 10.5, 20]
    assert [len(turn.text.split()) for turn in found] == [6, 3, 6]
    assert [turn.max_tokens for turn in found] == [2, 2, 4]


def test_rows_of_a_session_go_on_from_each_other_unless_they_are_whole(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"session_id": "made", "input_length": 5, "timestamp": 1},
        {"session_id": "said", "messages": MESSAGES, "tools": [{"type": "function"}]},
        {"session_id": "made", "text_input": "And?", "delay": 20},
        {"session_id": "body", "payload": {"prompt": "x"}},
        {"session_id": "said", "messages": MESSAGES},
    ]
    made, said, body = load_rows(tmp_path, *rows)
    assert (made.id, made.with_history, [turn.delay_ms for turn in made.turns]) == ("made", True, [None, 20])
    assert made.turns[1].text == "And?"
    assert (said.with_history, said.turns[0].raw_messages, said.turns[0].text) == (False, MESSAGES, "")
    assert said.turns[0].raw_tools == [{"type": "function"}]
    assert (body.with_history, body.turns[0].raw_payload) == (False, {"prompt": "x"})


def test_a_session_does_not_mix_lengths_and_messages(tmp_path: Path) -> None:
    rows = [
        {"session_id": "a", "input_length": 5},
        {"input_length": 5},
        {"session_id": "a", "messages": MESSAGES},
    ]
    with pytest.raises(
        ConfigurationError, match=r"line 1 and 3: one session with messages, payloads or lengths"
    ):
        load_rows(tmp_path, *rows)


def chat(chat_id: int, parent: int, turn: int, **further: Any) -> dict[str, Any]:
    """Return a row of Alibaba's traces."""
    row = {
        "chat_id": chat_id,
        "parent_chat_id": parent,
        "turn": turn,
        "timestamp": chat_id / 4,
        "type": "text",
    }
    return {**row, "input_length": 40, "output_length": chat_id, "hash_ids": [1, 2, 3], **further}


def test_chats_are_linked_by_their_parents_and_timed_in_seconds(tmp_path: Path) -> None:
    rows = [chat(10, -1, 1), chat(20, -1, 1), chat(12, 11, 3), chat(11, 10, 2), chat(30, 99, 4)]
    found = load_rows(tmp_path, *rows)
    assert [(each.id, [turn.max_tokens for turn in each.turns]) for each in found] == [
        ("10", [10, 11, 12]),
        ("20", [20]),
        ("30", [30]),
    ]
    assert [turn.timestamp_ms for turn in found[0].turns] == [2500, 2750, 3000]
    assert not found[0].with_history
    first, second = (turn.text for turn in found[0].turns[:2])
    assert len(first.split()) == 40
    assert shared_words(first, second) == 40


def test_a_chat_of_a_thousand_turns_is_one(tmp_path: Path) -> None:
    rows = [chat(number, number - 1, number, hash_ids=[]) for number in range(1, 1001)]
    rows[0]["parent_chat_id"] = -1
    found = load_rows(tmp_path, *rows)
    assert [len(each.turns) for each in found] == [1000]


def test_chats_whose_parents_go_round_are_refused(tmp_path: Path) -> None:
    rows = [chat(1, -1, 1), chat(2, 3, 1), chat(3, 2, 2), chat(4, 4, 1), chat(5, 3, 1), chat(1, -1, 1)]
    with pytest.raises(ConfigurationError) as refused:
        load_rows(tmp_path, *rows)
    told = [each.split(", ", 1)[1] for each in str(refused.value).splitlines()]
    assert told[0] == "line 6, chat_id: 1 is that of line 1 too"
    assert told[1:] == [
        f"line {line}, parent_chat_id: is its own ancestor; should lead to -1" for line in (2, 3, 4, 5)
    ]
