"""Which loader a data file is for, and files that cannot be read at all."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from data_writing import load, load_rows, write_rows

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.dataset.loader_choice import loader_for
from pytest_aiperf.plugin import plugins

MESSAGES = [{"role": "user", "content": "Hello"}]


@pytest.mark.parametrize("kind", [name for name in plugins.names("dataset_loader") if name != "random_pool"])
def test_a_file_is_told_by_the_row_that_the_messages_show_for_it(kind: str, tmp_path: Path) -> None:
    loader = plugins.get_class("dataset_loader", kind)
    row = loader.example.replace('"image": "cat.png", ', "")
    path = write_rows(tmp_path / "data.json", row)
    assert loader_for(path) is loader
    if kind != "dag_jsonl":  # its row speaks of another one
        assert len(load(path, kind=kind)) == 1


def test_the_rows_that_the_page_on_data_files_shows_are_told_as_the_shape_it_says(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "datasets.md").read_text()
    shown = dict(re.findall(r"^\| \[`(\w+)`\]\(#[\w-]+\) \| `(.*)` \|$", page, re.MULTILINE))
    assert set(shown) == set(plugins.names("dataset_loader"))
    for kind, row in shown.items():
        assert loader_for(write_rows(tmp_path / "data.json", row)) is plugins.get_class(
            "dataset_loader", kind
        )
    (graph,) = [block for block in re.findall(r"```json\n(.*?)```", page, re.DOTALL) if "spawns" in block]
    (root,) = load_rows(tmp_path, graph)
    assert [each.conversation.id for each in root.branches] == ["a", "b"]


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ({"timestamp": 0}, "MooncakeTraceLoader"),
        ({"timestamp": 12.5, "output_length": 3}, "MooncakeTraceLoader"),
        ({"messages": MESSAGES, "timestamp": 3}, "MooncakeTraceLoader"),
        ({"payload": {"prompt": "x"}}, "MooncakeTraceLoader"),
        ({"messages": MESSAGES, "max_tokens": 3}, "RawPayloadLoader"),
        ({"text": "x", "timestamp": 3, "session_id": "a"}, "SingleTurnLoader"),
        ({"type": "random_pool", "text": "x"}, "RandomPoolLoader"),
        ({"session_id": "a", "turns": [{"text": "x"}]}, "MultiTurnLoader"),
        ({"session_id": "a", "turns": [{"messages": MESSAGES}]}, "DagJsonlLoader"),
    ],
)
def test_shapes_are_told_apart_by_their_keys(row: dict[str, Any], kind: str, tmp_path: Path) -> None:
    assert loader_for(write_rows(tmp_path / "data.jsonl", row)).__name__ == kind


def test_lists_and_pretty_printed_files_are_told_by_their_first_element(tmp_path: Path) -> None:
    shared = tmp_path / "shared.json"
    shared.write_text(json.dumps([{"id": 1, "conversations": []}], indent=2))
    inputs = tmp_path / "inputs.json"
    inputs.write_text(json.dumps({"data": [{"session_id": "a", "payloads": [{"a": 1}]}]}, indent=2))
    assert [loader_for(each).__name__ for each in (shared, inputs)] == ["ShareGptLoader", "InputsJsonLoader"]


def test_a_folder_is_told_by_the_first_row_of_its_first_file(tmp_path: Path) -> None:
    for name, row in (("pools", {"text": "x"}), ("bodies", {"messages": MESSAGES})):
        (tmp_path / name).mkdir()
        write_rows(tmp_path / name / "a.jsonl", row)
    found = [loader_for(tmp_path / name).__name__ for name in ("pools", "bodies")]
    assert found == ["RandomPoolLoader", "RawPayloadLoader"]


def test_a_file_of_no_known_shape_is_refused_with_all_shapes_there_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load_rows(tmp_path, {"question": "?"})
    message = str(refused.value)
    assert "its first row is {'question': '?'}. Say which it is by custom_dataset_type" in message
    assert all(f"\n  {name}: {{" in message for name in plugins.names("dataset_loader"))


def test_a_file_of_two_shapes_is_refused_with_the_two(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigurationError, match="may be of several shapes: mooncake_trace, raw_payload;"
    ) as refused:
        load_rows(tmp_path, {"messages": MESSAGES})
    assert "single_turn" not in str(refused.value)
    assert load_rows(tmp_path, {"messages": MESSAGES}, kind="raw-payload")[0].turns[0].raw_payload


def test_a_registered_loader_of_a_third_party_is_found_and_named(tmp_path: Path) -> None:
    previous = plugins.register(
        "dataset_loader", "mine", "pytest_aiperf.dataset.loaders.sharegpt:ShareGptLoader"
    )
    try:
        with pytest.raises(ConfigurationError, match="several shapes: sharegpt, mine"):
            load_rows(tmp_path, {"conversations": []})
    finally:
        plugins.register("dataset_loader", "mine", previous)
    with pytest.raises(ConfigurationError, match=r"unknown dataset_loader 'mime'"):
        load_rows(tmp_path, {"conversations": []}, kind="mime")


@pytest.mark.parametrize("text", ["", "\n  \n"])
@pytest.mark.parametrize("kind", [None, *plugins.names("dataset_loader")])
def test_an_empty_file_is_refused(text: str, kind: str | None, tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=r"data\.jsonl(, line 1)?: (is empty|holds no|begins with)"):
        load(path, kind=kind)


@pytest.mark.parametrize("kind", [None, "single_turn", "dag_jsonl", "raw_payload", "random_pool"])
def test_what_is_no_plain_file_is_refused_and_never_waited_for(kind: str | None, tmp_path: Path) -> None:
    """J2, J4, J5: a data file is opened as templates are; a fifo without a writer does not block."""
    os.mkfifo(tmp_path / "fifo")
    real = write_rows(tmp_path / "real.jsonl", {"text": "x"})
    (tmp_path / "link").symlink_to(real)
    (tmp_path / "linked").symlink_to(tmp_path)
    for name, why in {
        "fifo": "not a regular file",
        "link": "is a symbolic link; give the path that it points to",
        "linked/real.jsonl": "is a symbolic link",
        "nothing": "there is no such file",
    }.items():
        with pytest.raises(ConfigurationError, match=f"{name}: cannot be read: .*{why}"):
            load(tmp_path / name, kind=kind)


def test_a_folder_is_not_looked_for_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    write_rows(tmp_path / "folder" / "a.jsonl", {"text": "x"})
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    with pytest.raises(ConfigurationError, match="symbolic link"):
        load(tmp_path / "link", kind="random_pool")
    with pytest.raises(ConfigurationError, match="not a regular file"):
        load(tmp_path / "folder", kind="single_turn")


def test_a_folder_without_data_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(
        ConfigurationError, match=r"has no data file; should hold files whose names end with \.json"
    ):
        load(tmp_path)


def test_a_tilde_is_the_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write_rows(tmp_path / "data.jsonl", {"text": "x"})
    assert len(load(Path("~/data.jsonl"))) == 1


def test_a_file_that_changes_after_its_check_is_not_read_on(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "data.jsonl", {"text": "x"}, {"text": "y"})
    conversations = load(path)
    with path.open("a") as file:
        file.write("{}\n")
    with pytest.raises(ConfigurationError, match="was changed after it was checked"):
        conversations[0]


def test_conversations_are_a_sequence(tmp_path: Path) -> None:
    found = load_rows(tmp_path, *({"text": str(number)} for number in range(5)))
    assert [each.turns[0].text for each in found] == list("01234")
    assert [each.turns[0].text for each in found[1:4:2]] == ["1", "3"]
    assert found[-1].turns[0].text == "4"
    with pytest.raises(IndexError):
        found[5]
