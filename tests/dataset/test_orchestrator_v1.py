"""What a graph of conversations may ask for, rule by rule."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_aiperf.common.validators.orchestrator_v1 import (
    FORK,
    SPAWN,
    SPAWN_JOIN,
    BranchInfo,
    ConversationMetadata,
    TurnMetadata,
    TurnPrerequisite,
    faults_for_orchestrator_v1,
    validate_for_orchestrator_v1,
)


def branch(branch_id: str, *children: str, mode: str = SPAWN, before_session: bool = False) -> BranchInfo:
    return BranchInfo(
        branch_id=branch_id, child_conversation_ids=children, mode=mode, before_session=before_session
    )


def turn(*branch_ids: str, waits: tuple[str, ...] = (), kind: str = SPAWN_JOIN) -> TurnMetadata:
    waiting = tuple(TurnPrerequisite(kind=kind, branch_id=each) for each in waits)
    return TurnMetadata(branch_ids=branch_ids, prerequisites=waiting)


def conversation(
    name: str, turns: list[TurnMetadata] | None = None, *branches: BranchInfo
) -> ConversationMetadata:
    return ConversationMetadata(conversation_id=name, turns=turns or [turn()], branches=branches)


LEAF = conversation("b")


def test_a_graph_that_keeps_the_rules_is_let_through() -> None:
    root = conversation(
        "a",
        [turn("early", "s"), turn(), turn("f", waits=("s",))],
        branch("early", "c", before_session=True),
        branch("s", "b", "d"),
        branch("f", "e", mode=FORK),
    )
    validate_for_orchestrator_v1([root, *(conversation(name) for name in "bcde")])


MALFORMED: dict[str, list[ConversationMetadata]] = {
    "conversation 'a' turn 0: branches lead back to it: a -> a": [
        conversation("a", [turn("s")], branch("s", "a"))
    ],
    "conversation 'b' turn 1: branches lead back to it: a -> b -> a": [
        conversation("a", [turn("s")], branch("s", "b")),
        conversation("b", [turn(), turn("f")], branch("f", "a", mode=FORK)),
    ],
    "conversation 'a' turn 0: its id stands 2 times; should stand once": [
        conversation("a"),
        conversation("a"),
    ],
    "conversation 'a' turn 0: 2 branches have the id 's'; should have one each": [
        conversation("a", [turn("s")], branch("s", "b"), branch("s", "b")),
        LEAF,
    ],
    "conversation 'a' turn 1: declares branch 's' 2 times; should once": [
        conversation("a", [turn(), turn("s", "s")], branch("s", "b")),
        LEAF,
    ],
    "conversation 'a' turn 0: there is no branch 'spam' (did you mean 'spawn'?)": [
        conversation("a", [turn("spam")], branch("spawn", "b")),
        LEAF,
    ],
    "conversation 'a' turn 0: branches to 'c', which is not there": [
        conversation("a", [turn("s")], branch("s", "c")),
        LEAF,
    ],
    "conversation 'a' turn 1: waits for branch 'x', which no turn declares": [
        conversation("a", [turn("s"), turn(waits=("x",))], branch("s", "b")),
        LEAF,
    ],
    "conversation 'a' turn 0: waits for branch 's' of turn 1; should be of an earlier turn": [
        conversation("a", [turn(waits=("s",)), turn("s")], branch("s", "b")),
        LEAF,
    ],
    "conversation 'a' turn 1: waits for branch 's' of turn 1; should be of an earlier turn": [
        conversation("a", [turn(), turn("s", waits=("s",))], branch("s", "b")),
        LEAF,
    ],
    "conversation 'a' turn 1: waits for branch 's' 2 times; should once": [
        conversation("a", [turn("s"), turn(waits=("s", "s"))], branch("s", "b")),
        LEAF,
    ],
    "conversation 'a' turn 1: waits for 's'; nothing waits for a branch before the session": [
        conversation("a", [turn("s"), turn(waits=("s",))], branch("s", "b", before_session=True)),
        LEAF,
    ],
}
UNSUPPORTED: dict[str, list[ConversationMetadata]] = {
    "conversation 'a' turn 0: branches of mode 'RACE' are not supported; FORK and SPAWN are": [
        conversation("a", [turn("s")], branch("s", "b", mode="RACE")),
        LEAF,
    ],
    "conversation 'a' turn 1: prerequisites of kind 'TIMER' are not supported; SPAWN_JOIN is": [
        conversation("a", [turn("s"), turn(waits=("s",), kind="TIMER")], branch("s", "b")),
        LEAF,
    ],
    "conversation 'c' turn 0: forks 'b', as conversation 'a' turn 1 does; a FORK child should have one parent": [
        conversation("a", [turn(), turn("f")], branch("f", "b", mode=FORK)),
        conversation("c", [turn("f")], branch("f", "b", mode=FORK)),
        LEAF,
    ],
    "conversation 'a' turn 0: 'f': a branch before the session should be SPAWN, and belong to turn 0 of a root": [
        conversation("a", [turn("f")], branch("f", "b", mode=FORK, before_session=True)),
        LEAF,
    ],
    "conversation 'a' turn 1: 's': a branch before the session should be SPAWN, and belong to turn 0 of a root": [
        conversation("a", [turn(), turn("s")], branch("s", "b", before_session=True)),
        LEAF,
    ],
    "conversation 'b' turn 0: 's': a branch before the session should be SPAWN, and belong to turn 0 of a root": [
        conversation("a", [turn("s")], branch("s", "b")),
        conversation("b", [turn("s")], branch("s", "c", before_session=True)),
        conversation("c"),
    ],
}


@pytest.mark.parametrize(("told", "graph"), MALFORMED.items())
def test_a_malformed_graph_is_a_value_error(told: str, graph: list[ConversationMetadata]) -> None:
    """P2, P3: it begins with the conversation and the turn."""
    with pytest.raises(ValueError) as refused:
        validate_for_orchestrator_v1(graph)
    assert str(refused.value) == told


@pytest.mark.parametrize(("told", "graph"), UNSUPPORTED.items())
def test_what_is_not_built_is_not_implemented(told: str, graph: list[ConversationMetadata]) -> None:
    """P2, P3: well formed, and still refused."""
    with pytest.raises(NotImplementedError) as refused:
        validate_for_orchestrator_v1(graph)
    assert str(refused.value) == told


def test_all_faults_are_told_at_once_up_to_twenty() -> None:
    """P4."""
    graph: list[Any] = [
        conversation(f"c{n}", [turn("s")], branch("s", f"x{n}", mode="RACE")) for n in range(30)
    ]
    assert len(list(faults_for_orchestrator_v1(graph))) == 60
    with pytest.raises(ValueError) as refused:
        validate_for_orchestrator_v1(graph)
    assert len(str(refused.value).splitlines()) == 20


def test_a_circle_is_found_at_the_end_of_a_graph_of_any_depth() -> None:
    """P5: no recursion limit."""
    depth = 100_000
    chain = [
        conversation(f"c{n}", [turn("s")], branch("s", f"c{(n + 1) % depth or 7}")) for n in range(depth)
    ]
    with pytest.raises(ValueError, match=f"c7 -> c8 -> .* -> … -> c{depth - 1} -> c7$"):
        validate_for_orchestrator_v1(chain)
