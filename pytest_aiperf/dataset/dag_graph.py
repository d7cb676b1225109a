"""A graph of conversations by their ids: what is kept of a file of them, without what they say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Final

from pytest_aiperf.common.validators.orchestrator_v1 import (
    FORK,
    SPAWN_JOIN,
    BranchInfo,
    ConversationMetadata,
    Fault,
    TurnMetadata,
    TurnPrerequisite,
    faults_for_orchestrator_v1,
)

MOST_REQUESTS: Final = 1_000_000
"""Of one root. A graph of a few lines can come to more requests than there are atoms."""
BEFORE: Final = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """From a turn to a conversation that begins after it."""

    child: str
    after_turn: int
    """-1: with the parent."""
    mode: str
    joins_turn: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """What is kept of a conversation."""

    row: int
    turns: int
    isolated: bool
    """It takes no history."""
    links: tuple[Link, ...]


class Graph:
    """Conversations by id, without what they say."""

    def __init__(self, nodes: Mapping[str, Node]) -> None:
        self._nodes = nodes

    def faults(self) -> Iterator[Fault]:
        """Yield what keeps it from being run."""
        yield from chain(faults_for_orchestrator_v1(self._metadata()), self._isolated_forks())

    def roots(self) -> list[str]:
        """Return the conversations that no other one leads to."""
        children = {link.child for node in self._nodes.values() for link in node.links}
        return [name for name in self._nodes if name not in children]

    def _metadata(self) -> list[ConversationMetadata]:
        """Return what the validator looks at."""
        return [_metadata_of(name, node) for name, node in self._nodes.items()]

    def _isolated_forks(self) -> Iterator[Fault]:
        """Yield forks of conversations that take no history: the one says that they do, the other that they do not."""
        for name, node in self._nodes.items():
            for link in node.links:
                child = self._nodes.get(link.child)
                if link.mode == FORK and child is not None and child.isolated:
                    what = f"forks {link.child!r}, whose context_mode takes no history; spawn it"
                    yield Fault(name, link.after_turn, what)

    def too_large(self) -> Iterator[tuple[str, int]]:
        """Yield roots that come to too many requests: a conversation that is spawned twice is sent twice."""
        requests: dict[str, int] = {}
        for name in ends_first(self._nodes, self._nodes):
            node = self._nodes[name]
            requests[name] = min(
                node.turns + sum(requests[link.child] for link in node.links), 10 * MOST_REQUESTS
            )
        for name in self.roots():
            if requests[name] > MOST_REQUESTS:
                yield name, requests[name]


def ends_first(nodes: Mapping[str, Node], starts: Iterable[str]) -> Iterator[str]:
    """Yield all that can be reached of a graph without circles, each after everything that it leads to."""
    seen: set[str] = set()
    for start in starts:
        stack = [(start, False)]
        while stack:
            name, is_ready = stack.pop()
            if is_ready:
                yield name
            elif name not in seen:
                seen.add(name)
                stack.append((name, True))
                stack.extend((link.child, False) for link in nodes[name].links)


def _metadata_of(name: str, node: Node) -> ConversationMetadata:
    begins: list[list[str]] = [[] for _ in range(max(node.turns, 1))]
    waits: list[list[TurnPrerequisite]] = [[] for _ in begins]
    branches = []
    for number, link in enumerate(node.links):
        branch_id = f"{name}:{link.after_turn}:{link.mode}{number}"
        early = link.after_turn == BEFORE
        branches.append(
            BranchInfo(
                branch_id=branch_id,
                child_conversation_ids=(link.child,),
                mode=link.mode,
                before_session=early,
            )
        )
        begins[max(link.after_turn, 0)].append(branch_id)
        if link.joins_turn is not None:
            waits[link.joins_turn].append(TurnPrerequisite(kind=SPAWN_JOIN, branch_id=branch_id))
    turns = [
        TurnMetadata(branch_ids=tuple(ids), prerequisites=tuple(waiting))
        for ids, waiting in zip(begins, waits, strict=True)
    ]
    return ConversationMetadata(conversation_id=name, turns=turns, branches=branches)
