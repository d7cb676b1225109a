"""What the files of requests, conversations and pools become."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from data_writing import load, load_rows, turns_of, write_rows

from pytest_aiperf.common.conversation import Conversation, Expected, Turn
from pytest_aiperf.common.errors import ConfigurationError

PNG = b"\x89PNG\r\n\x1a\n"
URL = "https://example.org/cat.png"


def test_a_row_of_single_turn_is_a_request(tmp_path: Path) -> None:
    row = {
        "text": "Hello",
        "image": URL,
        "timestamp": 12.5,
        "model": "m",
        "output_length": 7,
        "extra": {"top_k": 1},
        "type": "single_turn",
        "role": None,
    }
    found = load_rows(tmp_path, row)
    turn = Turn(
        text="Hello", images=(URL,), timestamp_ms=12.5, model="m", max_tokens=7, extra_body={"top_k": 1}
    )
    assert list(found) == [Conversation(id="row-0", turns=(turn,), with_history=False)]


def test_lengths_that_rows_lack_are_those_of_the_settings(tmp_path: Path) -> None:
    rows = [{"text": "a"}, {"text": "b", "max_tokens": 3}]
    assert [turn.max_tokens for turn in turns_of(load_rows(tmp_path, *rows, osl=9))] == [9, 3]
    assert [turn.max_tokens for turn in turns_of(load_rows(tmp_path, *rows))] == [None, 3]


def test_rows_of_one_session_follow_each_other_and_share_no_history(tmp_path: Path) -> None:
    rows = [
        {"text": "a", "session_id": "s"},
        {"text": "b"},
        {"text": "c", "session_id": "t", "delay": 5},
        {"text": "d", "session_id": "s", "delay": 250},
    ]
    found = load_rows(tmp_path, *rows)
    assert [(each.id, [turn.text for turn in each.turns]) for each in found] == [
        ("s", ["a", "d"]),
        ("row-1", ["b"]),
        ("t", ["c"]),
    ]
    assert found[0].turns[1].delay_ms == 250
    assert not any(each.with_history for each in found)


@pytest.mark.parametrize(
    ("row", "text", "texts"),
    [
        ({"texts": ["a", "b", "c"]}, "a", ("b", "c")),
        ({"texts": [{"name": "x", "contents": ["a", "b"]}, {"contents": ["c"]}]}, "a", ("b", "c")),
        (
            {"texts": [{"name": "passages", "contents": ["a", "b"]}, {"name": "query", "contents": ["q"]}]},
            "q",
            ("a", "b"),
        ),
        ({"text": "", "texts": ["a"]}, "a", ()),
        ({"images": [URL]}, "", ()),
    ],
)
def test_several_texts_are_one_and_further_ones(
    row: Any, text: str, texts: tuple[str, ...], tmp_path: Path
) -> None:
    turn = load_rows(tmp_path, row)[0].turns[0]
    assert (turn.text, tuple(turn.texts)) == (text, texts)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("Paris", Expected(answer="Paris")),
        ({"answer": "B", "grader": "choice"}, Expected(answer="B", grader="choice")),
        (None, None),
    ],
)
@pytest.mark.parametrize("kind", ["single_turn", "multi_turn", "mooncake_trace", "dag_jsonl", "random_pool"])
def test_an_expected_answer_goes_with_its_turn(given: Any, expected: Any, kind: str, tmp_path: Path) -> None:
    turn: dict[str, Any] = {"text": "Capital of France?", "expected": given}
    message = {"messages": [{"role": "user", "content": "?"}], "expected": given}
    row = {
        "multi_turn": {"turns": [turn]},
        "mooncake_trace": {"text_input": "?", "expected": given},
        "dag_jsonl": {"session_id": "a", "turns": [message]},
    }.get(kind, turn)
    assert load_rows(tmp_path, row, kind=kind)[0].turns[0].expected == expected


def test_media_of_this_machine_become_data_urls_and_addresses_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir(), there.mkdir()
    (here / "cat.png").write_bytes(PNG)
    (there / "say.WAV").write_bytes(b"RIFF")
    (there / "cat.png").write_bytes(b"another")
    monkeypatch.chdir(there)
    row = {
        "images": ["cat.png", str(here / "cat.png"), URL, "data:image/png;base64,AA=="],
        "audios": ["say.WAV", "wav,AAAA", "mp3,BBBB"],
        "video": "http://example.org/v.mp4",
    }
    turn = load_rows(here, row)[0].turns[0]
    cat = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    assert list(turn.images) == [cat, cat, URL, "data:image/png;base64,AA=="]
    assert list(turn.audios) == [
        "data:audio/wav;base64,UklGRg==",
        "data:audio/wav;base64,AAAA",
        "data:audio/mpeg;base64,BBBB",
    ]
    assert list(turn.videos) == ["http://example.org/v.mp4"]


def test_media_that_cannot_be_sent_are_told_before_any_request(tmp_path: Path) -> None:
    """J: a data file from anywhere has media read, through the checks that all files pass, and nothing else."""
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "real.png").write_bytes(PNG)
    (tmp_path / "link.png").symlink_to(tmp_path / "real.png")
    (tmp_path / "empty.png").write_bytes(b"")
    images = [
        "secret.txt",
        "link.png",
        "empty.png",
        "none.png",
        "file:///etc/passwd",
        "ftp://x/a.png",
        "a.pgn",
    ]
    with pytest.raises(ConfigurationError) as refused:
        load_rows(tmp_path, {"images": images}, {"turns": []}, {"audio": "real.png"}, kind="single_turn")
    told = str(refused.value)
    for what in (
        "line 1, images: 'secret.txt' is no image file; should end with .png, .jpg",
        "line 1, images: 'link.png' cannot be read: ",
        "line 1, images: 'empty.png' has 0 bytes; should be 1 to ",
        "line 1, images: 'none.png' cannot be read: there is no ",
        "line 1, images: 'file:///etc/passwd' is no address that a server can be given; should be http(s)://",
        "line 1, images: 'ftp://x/a.png' is no address",
        "line 1, images: 'a.pgn' is no image file (did you mean '.png'?); should end with",
        "line 3, audio: 'real.png' is no audio file",
    ):
        assert what in told


def test_a_row_of_multi_turn_is_a_conversation(tmp_path: Path) -> None:
    turns = [
        {"role": "system", "text": "Be brief."},
        {"text": "Hello"},
        {"role": "assistant", "text": "Hi"},
        {"text": "And now?", "delay": 500, "output_length": 3},
        {"role": "assistant", "text": "Now?"},
    ]
    found = load_rows(tmp_path, {"session_id": "s", "turns": turns}, osl=8)
    assert list(found) == [
        Conversation(
            id="s",
            system="Be brief.",
            turns=(
                Turn(text="Hello", max_tokens=8),
                Turn(text="Hi", role="assistant"),
                Turn(text="And now?", delay_ms=500, max_tokens=3),
            ),
        )
    ]


def test_rows_of_multi_turn_of_one_session_are_one_conversation(tmp_path: Path) -> None:
    rows = [
        {"session_id": name, "turns": [{"text": text}]} for name, text in (("a", "1"), ("b", "2"), ("a", "3"))
    ]
    found = load_rows(tmp_path, *rows)
    assert [[turn.text for turn in each.turns] for each in found] == [["1", "3"], ["2"]]
    rows[2]["turns"] = [{"role": "system", "text": "x"}, {"text": "y"}]
    with pytest.raises(
        ConfigurationError, match="line 1 and 3: a further row of the session has a system prompt"
    ):
        load_rows(tmp_path, *rows)


def test_a_pool_is_drawn_from_with_replacement_and_by_its_seed(tmp_path: Path) -> None:
    rows = [{"text": str(number), "image": f"{URL}?{number}"} for number in range(5)]

    def drawn(seed: int) -> list[str]:
        found = turns_of(load_rows(tmp_path, *rows, kind="random_pool", seed=seed, entries=40))
        assert all(
            turn.images[0].endswith(f"?{turn.text}") for turn in found
        )  # what stands in a row stays together
        return [turn.text for turn in found]

    assert len(drawn(1)) == 40
    assert set(drawn(1)) == set("01234")
    assert drawn(1) == drawn(1) != drawn(2)


def test_each_file_of_a_folder_is_a_pool_and_names_its_texts(tmp_path: Path) -> None:
    folder = tmp_path / "pools"
    folder.mkdir()
    write_rows(folder / "passages.jsonl", {"texts": ["p1", "p2"]})
    write_rows(folder / "queries.jsonl", {"text": "q1"}, {"text": "q2"})
    (folder / "pictures.jsonl").write_text(json.dumps({"image": "cat.png"}))
    (folder / "cat.png").write_bytes(PNG)
    (folder / "notes.txt").write_text("not data")
    found = turns_of(load(folder, entries=30))
    assert {turn.text for turn in found} == {"q1", "q2"}
    assert {tuple(turn.texts) for turn in found} == {("p1", "p2")}
    assert all(turn.images[0].startswith("data:image/png;base64,") for turn in found)


def test_a_body_a_line_is_sent_as_it_is(tmp_path: Path) -> None:
    bodies: list[dict[str, Any]] = [
        {"messages": [{"role": "user", "content": "a"}], "b": 1.0},
        {"input": ["x"]},
    ]
    found = load_rows(tmp_path, *bodies, kind="raw_payload", osl=5)
    assert [turn.raw_payload for turn in turns_of(found)] == bodies
    assert [turn.max_tokens for turn in turns_of(found)] == [None, None]


def test_a_folder_of_bodies_has_a_conversation_a_file(tmp_path: Path) -> None:
    body: dict[str, Any] = {"messages": [{"role": "user", "content": "a"}]}
    folder = tmp_path / "bodies"
    folder.mkdir()
    write_rows(folder / "b.jsonl", body, {**body, "n": 2})
    (folder / "a.json").write_text(json.dumps(body, indent=2))
    found = load(folder)
    assert [(each.id, len(each.turns), each.with_history) for each in found] == [
        ("a", 1, False),
        ("b", 2, False),
    ]
    write_rows(folder / "c.jsonl", body, "{1")
    (folder / "d.jsonl").write_text("")
    with pytest.raises(ConfigurationError, match=r"(?s)c\.jsonl, line 2: not JSON.*d\.jsonl: holds no body"):
        load(folder)


def test_inputs_json_of_aiperf_is_read(tmp_path: Path) -> None:
    path = tmp_path / "inputs.json"
    data = [{"session_id": name, "payloads": [{"prompt": name, "n": n} for n in range(2)]} for name in "ab"]
    path.write_text(json.dumps({"data": data}, indent=2))
    found = load(path)
    assert [(each.id, [turn.raw_payload for turn in each.turns]) for each in found] == [
        (each["session_id"], each["payloads"]) for each in data
    ]
    path.write_text(json.dumps({"data": [*data, data[0]]}, indent=None))
    with pytest.raises(ConfigurationError, match="the same session_id; should be another for each"):
        load(path)
    path.write_text(json.dumps({"version": 1, "data": data}))
    with pytest.raises(ConfigurationError, match=r'line 1: begins with .*; should begin with {"data": \['):
        load(path, kind="inputs_json")


@pytest.mark.parametrize("as_list", [True, False])
def test_shared_conversations_are_asked_again_with_their_answers_as_history(
    as_list: bool, tmp_path: Path
) -> None:
    said = [
        {"from": "system", "value": "Be brief."},
        {"from": "gpt", "value": "Ask me."},
        {"from": "human", "value": "Hello"},
        {"from": "gpt", "value": "x" * 41},
        {"from": "human", "value": "And?", "markdown": None},
        {"from": "gpt", "value": "Bye"},
        {"from": "human", "value": "More?"},
    ]
    rows = [
        {"id": "a", "conversations": said},
        {"id": "none", "conversations": [{"from": "gpt", "value": "Hi"}]},
    ]
    path = tmp_path / "shared.json"
    path.write_text(json.dumps(rows, indent=1)) if as_list else write_rows(path, *rows)
    assert list(load(path, osl=5)) == [
        Conversation(
            id="a",
            system="Be brief.",
            turns=(
                Turn(text="Hello", max_tokens=11),
                Turn(text="x" * 41, role="assistant"),
                Turn(text="And?", max_tokens=1),
                Turn(text="Bye", role="assistant"),
                Turn(text="More?", max_tokens=5),
            ),
        )
    ]


def test_a_list_is_cut_into_its_elements_wherever_it_is_read_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pytest_aiperf.dataset.record_file._CHUNK", 7)
    path = tmp_path / "data.json"
    rows = [{"text": f'[{{"\\ é {n} ' + "\N{SNOWMAN}" * n} for n in range(20)]
    path.write_text("\ufeff" + json.dumps(rows, indent=1, ensure_ascii=False))
    assert [turn.text for turn in turns_of(load(path))] == [row["text"] for row in rows]
