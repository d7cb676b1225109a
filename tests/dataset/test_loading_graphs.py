"""What files of branching conversations become."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from data_writing import load_rows

from pytest_aiperf.common.conversation import Branch, Conversation, Turn
from pytest_aiperf.common.errors import ConfigurationError


def said(text: str = "x", **further: Any) -> dict[str, Any]:
    """Return a turn of a graph."""
    return {"messages": [{"role": "user", "content": text}], **further}


def row(name: str, *turns: dict[str, Any], **further: Any) -> dict[str, Any]:
    """Return a conversation of a graph."""
    return {"session_id": name, "turns": list(turns) or [said()], **further}


def refusal(folder: Path, *rows: Any) -> list[str]:
    with pytest.raises(ConfigurationError) as refused:
        load_rows(folder, *rows, kind="dag_jsonl")
    return str(refused.value).replace(f"{folder}/data.jsonl, ", "").splitlines()


def test_forks_spawns_and_joins_hang_on_their_root(tmp_path: Path) -> None:
    turns = [
        said("0", spawns=["s1", "s2"], forks=[{"child": "bg", "background": True}]),
        said("1", spawns=[{"children": ["late"], "join_at": 3}]),
        said("2", delay=50, max_tokens=4, model="m", tools=[{"type": "function"}], extra={"seed": 1}),
        said("3", forks=["end"], spawns=["free"]),
    ]
    rows = [row(name) for name in ("s1", "s2", "bg", "late", "end", "early")]
    free = row("free", context_mode="message_array_with_responses")
    (root,) = load_rows(tmp_path, *rows, row("root", *turns, pre_session_spawns=["early"]), free, osl=9)
    hangs = [
        (each.conversation.id, each.after_turn, each.inherits, each.joins_turn) for each in root.branches
    ]
    assert hangs == [
        ("early", -1, False, None),
        ("bg", 0, True, None),
        ("s1", 0, False, 1),
        ("s2", 0, False, 1),
        ("late", 1, False, 3),
        ("end", 3, True, None),
        ("free", 3, False, None),
    ]
    assert root.id == "root"
    assert root.turns[2] == Turn(
        raw_messages=[{"role": "user", "content": "2"}],
        raw_tools=[{"type": "function"}],
        max_tokens=4,
        model="m",
        extra_body={"seed": 1},
        delay_ms=50,
    )
    assert [turn.max_tokens for turn in root.turns] == [9, 9, 4, 9]
    assert [each.conversation.with_history for each in root.branches] == [True] * 6 + [False]


def test_a_conversation_that_two_spawn_hangs_on_both_and_roots_keep_their_order(tmp_path: Path) -> None:
    rows = [row("z", said(spawns=["child"])), row("child"), row("a", said(spawns=["child"])), row("alone")]
    found = load_rows(tmp_path, *rows)
    child = Conversation(id="child", turns=(Turn(raw_messages=said()["messages"]),))
    hangs = Branch(conversation=child, after_turn=0, inherits=False)
    assert [(each.id, each.branches) for each in found] == [("z", (hangs,)), ("a", (hangs,)), ("alone", ())]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (
            [row("a", said(spawns=["b"])), row("b", said(forks=["a"]))],
            "conversation 'b' turn 0: branches lead back",
        ),
        (
            [row("a", said(forks=["b"])), row("c", said(forks=["b"])), row("b")],
            "conversation 'c' turn 0: forks 'b'",
        ),
        (
            [row("a", said(spawns=["bb"])), row("b")],
            "conversation 'a' turn 0: branches to 'bb', which is not there",
        ),
        (
            [row("a", said(spawns=[{"children": ["b"], "join_at": 0}])), row("b")],
            "conversation 'a' turn 0: join_at 0;",
        ),
        (
            [row("a", said(spawns=[{"children": ["b"], "join_at": 1}])), row("b")],
            "conversation 'a' turn 0: join_at 1;",
        ),
        (
            [row("a", said(forks=["b"]), said()), row("b")],
            "conversation 'a' turn 0: a fork before the last turn ends",
        ),
        (
            [row("a", said(spawns=["b"])), row("b", pre_session_spawns=["c"]), row("c")],
            "conversation 'b' turn 0: 'b:",
        ),
        ([row("a"), row("a")], "line 2, session_id: 'a' stands in a line before; should be its own"),
        (
            [row("a", said(spawns=["b", "b"])), row("b")],
            "line 1, turns[0]: spawns name 'b' twice; should once",
        ),
        (
            [row("a", said(forks=["b"])), row("b", context_mode="message_array_with_responses")],
            "conversation 'a' turn 0: forks 'b', whose context_mode takes no history; spawn it",
        ),
        (
            [{"session_id": "a", "orchestrator": True, "spawns": ["b"]}, row("b")],
            "conversation 'a' turn 0: 'orchestrator' is not supported; give the requests as turns",
        ),
        (
            [row("a", context_mode="deltas_with_responses")],
            "conversation 'a' turn 0: context_mode 'deltas_with_responses' is not supported",
        ),
    ],
)
def test_a_graph_that_breaks_a_rule_is_refused_before_any_request(
    rows: list[Any], told: str, tmp_path: Path
) -> None:
    """P1, P2: with the conversation and the turn, and the line in the file."""
    found = refusal(tmp_path, *rows)
    assert found[0].startswith(told)
    assert "line " in found[0]


def test_what_is_not_supported_in_a_graph_is_not_implemented(tmp_path: Path) -> None:
    """P3."""
    with pytest.raises(NotImplementedError):
        load_rows(tmp_path, row("a", rounds=3), kind="dag_jsonl")


def test_a_child_whose_row_is_broken_is_not_told_as_missing(tmp_path: Path) -> None:
    """P4: all problems, and none that is only the shadow of another."""
    found = refusal(tmp_path, row("a", said(spawns=["b"])), {"session_id": "b", "turns": [{}]})
    assert len(found) == 1
    assert found[0].startswith("line 2, turns[0].messages: is missing")


def test_a_deep_graph_is_read_without_a_call_in_a_call(tmp_path: Path) -> None:
    """P5."""
    depth = 5_000
    rows = [row(f"c{n}", said(spawns=[f"c{n + 1}"])) for n in range(depth)]
    (found,) = load_rows(tmp_path, *rows, row(f"c{depth}"))
    for n in range(depth):
        assert found.id == f"c{n}"
        found = found.branches[0].conversation


def test_a_graph_of_few_lines_that_grows_beyond_all_bounds_is_refused(tmp_path: Path) -> None:
    rows = [row(f"c{n}", said(spawns=[f"c{n + 1}"]), said(spawns=[f"c{n + 1}"])) for n in range(60)]
    assert refusal(tmp_path, *rows, row("c60"))[0].startswith(
        "line 1: conversation 'c0' grows to 10000000 requests; should be 1000000 at most"
    )
