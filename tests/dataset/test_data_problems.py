"""What is told of malformed data files."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
from data_writing import load, load_rows, write_rows

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.dataset.record_file import decoded

GRAPH_TURN = {"messages": [{"role": "user", "content": "x"}]}


def problems_of(folder: Path, *rows: Any, kind: str = "single_turn") -> list[str]:
    """Return what is told of these rows, a problem each, without the path."""
    with pytest.raises(ConfigurationError) as refused:
        load_rows(folder, *rows, kind=kind)
    return str(refused.value).replace(f"{folder}/data.jsonl, ", "").splitlines()


@pytest.mark.parametrize(
    ("row", "kind", "told"),
    [
        ('{"text": "a"', "single_turn", "line 1: not JSON: unexpected end of data"),
        ('{"text": "a", "delay": NaN}', "single_turn", "line 1: NaN is no number in JSON; give a finite one"),
        ('{"text": "a", "delay": -Infinity}', "single_turn", "line 1: -Infinity is no number in JSON"),
        ('{"text": "a", "delay": 1e999}', "single_turn", "line 1: not JSON: number is infinity"),
        (
            '{"text": "a", "delay": 1e300}',
            "single_turn",
            "line 1, delay: 1e+300; should be less than or equal to",
        ),
        (
            {"text": "a", "delay": -1},
            "single_turn",
            "line 1, delay: -1; should be greater than or equal to 0",
        ),
        ("[" * 2000, "raw_payload", "line 1: nested too deeply"),
        ('{"a":' * 2000, "raw_payload", "line 1: not JSON: depth limit exceeded"),
        ("[1, 2]", "single_turn", "line 1: 1 is no object; should be {...}"),
        ({"text": 3}, "single_turn", "line 1, text: 3; should be a valid string"),
        (
            {"text": "a", "output_length": "64"},
            "single_turn",
            "line 1, output_length: '64'; should be a valid integer",
        ),
        (
            {"text": "a", "output_length": True},
            "single_turn",
            "line 1, output_length: True; should be a valid integer",
        ),
        (
            {"text": "a", "output_length": 0},
            "single_turn",
            "line 1, output_length: 0; should be greater than or equal",
        ),
        (
            {"text": "a", "texts": ["b"]},
            "single_turn",
            "line 1: 'text' and 'texts' together; give one of them",
        ),
        (
            {"text": "a", "max_tokens": 1, "output_length": 2},
            "single_turn",
            "line 1: 'max_tokens' and 'output_length'",
        ),
        (
            {"text": "a", "timestamp": 1, "delay": 2},
            "single_turn",
            "line 1: 'timestamp' and 'delay' together",
        ),
        ({"text": ""}, "single_turn", "line 1: says nothing; should have one of text, texts, image(s)"),
        ({"text": "a", "role": "assistant"}, "single_turn", "line 1, role: 'assistant'; should be 'user'"),
        (
            {"text": "a", "role": "robot"},
            "single_turn",
            "line 1, role: 'robot'; should be 'user', 'assistant' or",
        ),
        ({"text": "a", "extra": [1]}, "single_turn", "line 1, extra: list [1]; should be a valid dictionary"),
        (
            {"text": "a", "expected": {"answer": "b", "grader": "fuzzy"}},
            "single_turn",
            "line 1, expected.grader: ",
        ),
        ({"text": "a", "expected": {"answr": "b"}}, "single_turn", "line 1, expected.answer: is missing"),
        (
            {"text": "a", "ouput_length": 3},
            "single_turn",
            "line 1, ouput_length: unknown key (did you mean 'outp",
        ),
        ({"turns": []}, "multi_turn", "line 1, turns: list []: list should have at least 1 item"),
        (
            {"turns": [{"text": "a"}, {"txt": "b"}]},
            "multi_turn",
            "line 1, turns[1].txt: unknown key (did you mean 't",
        ),
        (
            {"turns": [{"text": "a"}, {"text": "b", "delays": 1}]},
            "multi_turn",
            "line 1, turns[1].delays: unknown key",
        ),
        (
            {"turns": [{"text": "a", "role": "assistant"}]},
            "multi_turn",
            "line 1, turns: no request; one turn should",
        ),
        (
            {"turns": [{"text": "a"}, {"text": "b", "role": "system"}]},
            "multi_turn",
            "line 1, turns[1].role: 'system'",
        ),
        (
            {"input_length": 3, "text_input": "a"},
            "mooncake_trace",
            "line 1: input_length and text_input together",
        ),
        ({"hash_ids": [1]}, "mooncake_trace", "line 1: 'hash_ids' without 'input_length'; give both"),
        (
            {"input_length": 512, "hash_ids": [1, 2]},
            "mooncake_trace",
            "line 1, hash_ids: 2 blocks of 512 tokens do",
        ),
        (
            {"messages": [{"content": "a"}]},
            "mooncake_trace",
            'line 1, messages[0]: a message without a "role"',
        ),
        ({"chat_id": 1}, "bailian_trace", "line 1, timestamp: is missing"),
        ({"session_id": "a", "turns": [{}]}, "dag_jsonl", "line 1, turns[0].messages: is missing"),
        ({"session_id": "a", "turns": []}, "dag_jsonl", "line 1: 'turns' is empty; should have a turn"),
        ("3", "raw_payload", "line 1: 3 is no body; should be an object {...}"),
        ({"conversations": [{"from": "human"}]}, "sharegpt", "line 1, conversations[0].value: is missing"),
    ],
)
def test_a_problem_is_told_with_its_line_its_key_and_what_would_be_right(
    row: Any, kind: str, told: str, tmp_path: Path
) -> None:
    assert problems_of(tmp_path, row, kind=kind)[0].startswith(told)


def test_all_problems_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    """P1, P4: before any request, and not one after the other."""
    rows = [{"text": "a", "delay": "x", "output_lenght": 1}, {"text": "fine"}, "nonsense", {"text": 1}]
    found = problems_of(tmp_path, *rows)
    assert [each.split(":")[0] for each in found] == [
        "line 1, output_lenght",
        "line 1, delay",
        "line 3",
        "line 4, text",
    ]


def test_no_more_than_twenty_problems_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P4: up to 20, and the rest of the file is not looked at."""
    looked_at = []
    monkeypatch.setattr(
        "pytest_aiperf.dataset.row_loader.decoded",
        lambda *given: looked_at.append(given[1]) or decoded(*given),
    )
    found = problems_of(tmp_path, *["nonsense"] * 50)
    assert len(found) == 21
    assert found[19].startswith("line 20: ")
    assert found[20] == "… these are the first 20; mend them and look again"
    assert looked_at[-1] == "line 20"


def test_malformed_is_a_value_error_and_unsupported_is_not_implemented(tmp_path: Path) -> None:
    """P3: and both are errors of configuration, which every surface knows to show."""
    with pytest.raises(ValueError, match="line 1") as malformed:
        load_rows(tmp_path, "nonsense", kind="single_turn")
    with pytest.raises(NotImplementedError) as unsupported:
        load_rows(
            tmp_path, {"session_id": "a", "images": ["data:,"], "image_uuids": ["1"]}, kind="single_turn"
        )
    for error in (malformed.value, unsupported.value):
        assert isinstance(error, ConfigurationError)
    assert not isinstance(malformed.value, NotImplementedError)


def test_what_is_not_supported_is_told_by_conversation_and_turn(tmp_path: Path) -> None:
    """P2: `conversation '<id>' turn <n>: <reason>`, and where that is in the file."""
    row = {"session_id": "s", "turns": [{"text": "a"}, {"images": ["data:,"], "image_uuids": ["1"]}]}
    found = problems_of(tmp_path, row, kind="multi_turn")[0]
    assert found.startswith(
        "conversation 's' turn 1: ids of a server's image cache (image_uuids, uuids) are not"
    )
    assert found.endswith("(line 1, turns[1])")
    said = {"conversations": [{"from": "human", "value": "a"}, {"from": "tool", "value": "b"}]}
    assert problems_of(tmp_path, said, kind="sharegpt")[0].startswith(
        "conversation 'row-0' turn 1: the speaker 'tool' is not supported; known are human, user, gpt"
    )


def test_bytes_that_are_no_utf_8_are_told_by_their_line(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_bytes(b'{"text": "a"}\n{"text": "caf\xe9"}\n')
    with pytest.raises(
        ConfigurationError, match=r"line 2: not UTF-8 text: byte 0xe9 at 13; save the file as UTF-8"
    ):
        load(path)
    path.write_bytes('{"text": "a"}'.encode("utf-16"))
    with pytest.raises(ConfigurationError, match="line 1: not UTF-8 text: byte 0xff at 0"):
        load(path)


def test_a_byte_order_mark_and_blank_lines_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"text": "a"}\r\n\r\n{"text": "b"}')
    assert [each.turns[0].text for each in load(path)] == ["a", "b"]


def test_keys_that_mean_nothing_are_told_once_and_not_used(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="keys that are not used: line 1, category$") as told:
        found = load_rows(tmp_path, {"text": "a", "category": "math"}, {"text": "b", "category": "law"})
    assert len(found) == 2
    assert len(told) == 1


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ({"text": "a", "extra_body": {"top_k": 1}}, "single_turn"),
        ({"turns": [{"text": "a", "extra_body": {"top_k": 1}}]}, "multi_turn"),
        ({"input_length": 3, "extra_body": {"top_k": 1}}, "mooncake_trace"),
    ],
)
def test_extra_body_is_warned_about_and_not_sent(row: Any, kind: str, tmp_path: Path) -> None:
    """R4: the field of rows is `extra`."""
    with pytest.warns(UserWarning, match="extra_body .* go into 'extra'"):
        found = load_rows(tmp_path, row, kind=kind)
    assert found[0].turns[0].extra_body == {}


def test_extra_body_is_refused_in_the_turn_of_a_graph(tmp_path: Path) -> None:
    """R4: as every key that a DagTurn does not have."""
    row = {"session_id": "a", "turns": [{**GRAPH_TURN, "extra_body": {"top_k": 1}}]}
    assert problems_of(tmp_path, row, kind="dag_jsonl")[0].startswith(
        "line 1, turns[0].extra_body: unknown key (did you mean 'extra'?); there is: delay, expected, extra, forks"
    )


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ({"text": "a", "extra": {"top_k": 1}}, "single_turn"),
        ({"turns": [{"text": "a", "extra": {"top_k": 1}}]}, "multi_turn"),
        ({"input_length": 3, "extra": {"top_k": 1}}, "mooncake_trace"),
        ({"session_id": "a", "turns": [{**GRAPH_TURN, "extra": {"top_k": 1}}]}, "dag_jsonl"),
    ],
)
def test_extra_is_what_a_turn_adds_to_the_body(row: Any, kind: str, tmp_path: Path) -> None:
    """R4."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_rows(tmp_path, row, kind=kind)[0].turns[0].extra_body == {"top_k": 1}


def test_what_rows_say_cannot_fill_the_screen_or_take_it_over(tmp_path: Path) -> None:
    found = problems_of(
        tmp_path, {"text": "a", "delay": "x" * 10_000}, {"text": "a", "\x1b[2Jdelay\n": 1, "delays": 1}
    )
    assert all(len(each) < 300 and each.isprintable() for each in found)


def test_a_list_that_ends_too_early_or_goes_on_too_long_is_told(tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    good = json.dumps({"text": "a"})
    for text, told in {
        f"[{good},\n{good}": r"line 2: not JSON: '' after a record; should be ',' or '\]'",
        f"[{good}]\n]": r"line 2: not JSON: '\]\]' after a record",
        f"[{good},\n\n": "line 3: not JSON: Expecting value",
        f"[{good}\n{good}]": r"line 2: not JSON: '\{",
    }.items():
        path.write_text(text)
        with pytest.raises(ConfigurationError, match=told):
            load(path, kind="single_turn")


def test_rows_of_a_list_are_numbered_by_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    path.write_text(json.dumps([{"text": "a"}, {"text": 1}], indent=1))
    with pytest.raises(ConfigurationError, match="line 5, text: 1; should be a valid string"):
        load(path, kind="single_turn")


def test_nothing_is_said_of_a_good_file(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(load(write_rows(tmp_path / "data.jsonl", {"text": "a"}))) == 1
