"""Graphs of conversations, a conversation a line: turns fork, spawn, and wait for what was spawned.

What is returned are the roots, each with all that hangs on it. Of the graph only ids and branches are kept in memory;
what is said is read when a root is indexed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import orjson

from pytest_aiperf.common.conversation import Branch, Conversation, Turn
from pytest_aiperf.common.validators.orchestrator_v1 import FORK, SPAWN
from pytest_aiperf.dataset.base_loader import BaseDatasetLoader
from pytest_aiperf.dataset.conversations import Conversations
from pytest_aiperf.dataset.dag_graph import BEFORE, MOST_REQUESTS, Graph, Link, Node, ends_first
from pytest_aiperf.dataset.dag_rows import CONTEXT_MODES, ISOLATED, DagRow, DagTurn
from pytest_aiperf.dataset.problems import Problems, refusal
from pytest_aiperf.dataset.record_file import RecordFile
from pytest_aiperf.dataset.row_index import RowIndex
from pytest_aiperf.dataset.row_loader import checked_rows


class DagJsonlLoader(BaseDatasetLoader):
    """Conversations that branch."""

    example: ClassVar[str] = (
        '{"session_id": "a", "turns": [{"messages": [{"role": "user", "content": "Hello"}], "spawns": ["b"]}]}'
    )

    @classmethod
    def can_load(cls, path: Path, first: Mapping[str, Any] | None) -> bool:
        """Tell by turns that have messages, forks or spawns."""
        turns = (first or {}).get("turns")
        graph = {"messages", "forks", "spawns"}
        return (
            not path.is_dir()
            and isinstance(turns, list)
            and any(isinstance(turn, dict) and bool(graph & turn.keys()) for turn in turns)
        )

    def load(self) -> Sequence[Conversation]:
        """Check the graph and return its roots; see `BaseDatasetLoader.load`."""
        file, index, problems = RecordFile(self.settings.path), RowIndex(), Problems(self.settings.path)
        nodes = _checked_nodes(file, index, problems)
        if not nodes:
            problems.raise_if_any()
            raise refusal(file.path, f"holds no conversation; should hold rows like {self.example}")
        graph = Graph(nodes)
        if not problems.rows_lost:  # else many a child would be missing for no other reason
            _note_graph_faults(graph, nodes, index, problems)
        problems.raise_if_any()
        roots = graph.roots()
        return Conversations(len(roots), lambda at: self._tree(file, index, nodes, roots[at]))

    def _tree(self, file: RecordFile, index: RowIndex, nodes: Mapping[str, Node], root: str) -> Conversation:
        """Return a conversation with all that hangs on it, made from its ends: without a call in a call."""
        made: dict[str, Conversation] = {}
        for name in ends_first(nodes, [root]):
            node = nodes[name]
            row = DagRow.model_validate(orjson.loads(file.read(*index.place(node.row))))
            made[name] = Conversation(
                id=name,
                turns=tuple(_turn(turn, osl=self.settings.osl) for turn in row.turns),
                with_history=row.context_mode != ISOLATED,
                branches=tuple(
                    Branch(
                        conversation=made[link.child],
                        after_turn=link.after_turn,
                        inherits=link.mode == FORK,
                        joins_turn=link.joins_turn,
                    )
                    for link in node.links
                ),
            )
        return made[root]


def _checked_nodes(file: RecordFile, index: RowIndex, problems: Problems) -> dict[str, Node]:
    nodes: dict[str, Node] = {}
    for record, row in checked_rows(file, DagRow, problems):
        where, name = f"line {record.line}", row.session_id
        if name in nodes:
            problems.malformed(f"{where}, session_id", f"{name!r} stands in a line before; should be its own")
        _note_faults(row, where, problems)
        isolated = row.context_mode == ISOLATED
        node = Node(row=len(index), turns=len(row.turns), isolated=isolated, links=_links(row))
        nodes.setdefault(name, node)
        index.add(record)
    return nodes


def _note_graph_faults(graph: Graph, nodes: Mapping[str, Node], index: RowIndex, problems: Problems) -> None:
    for fault in graph.faults():
        where = f"line {index.lines[nodes[fault.conversation].row]}"
        problems.fault(where, fault.text, malformed=fault.malformed)
        if problems.full:
            break
    problems.raise_if_any()  # a graph with circles has no size
    for name, count in graph.too_large():
        where = f"line {index.lines[nodes[name].row]}"
        what = f"conversation {name!r} grows to {count} requests; should be {MOST_REQUESTS} at most"
        problems.malformed(where, what)


def _links(row: DagRow) -> tuple[Link, ...]:
    found = [Link(child=child, after_turn=BEFORE, mode=SPAWN) for child in row.pre_session_spawns]
    for index, turn in enumerate(row.turns):
        found += [Link(child=fork.child, after_turn=index, mode=FORK) for fork in turn.forks]
        for spawn in turn.spawns:
            joins = index + 1 if spawn.join_at is None else spawn.join_at
            joins_turn = joins if 0 <= joins < len(row.turns) else None
            found += [
                Link(child=child, after_turn=index, mode=SPAWN, joins_turn=joins_turn)
                for child in spawn.children
            ]
    return tuple(found)


def _note_faults(row: DagRow, where: str, problems: Problems) -> None:
    """Note what a row says that no other row can mend."""
    name = row.session_id
    for key in row.not_built():
        problems.unsupported(
            where, f"{key!r} is not supported; give the requests as turns", conversation=name, turn=0
        )
    if row.context_mode is not None and row.context_mode not in CONTEXT_MODES:
        what = f"context_mode {row.context_mode!r} is not supported; {' and '.join(CONTEXT_MODES)} are"
        problems.unsupported(where, what, conversation=name, turn=0)
    for index, turn in enumerate(row.turns):
        for spawn in turn.spawns:
            if spawn.join_at is not None and not index < spawn.join_at < len(row.turns):
                what = (
                    f"join_at {spawn.join_at}; should be a turn after it, {index + 1} to {len(row.turns) - 1}"
                )
                problems.fault(where, f"conversation {name!r} turn {index}: {what}", malformed=True)
        if index < len(row.turns) - 1 and any(not fork.background for fork in turn.forks):
            what = 'a fork before the last turn ends its parent; give it "background": true, or move it there'
            problems.fault(where, f"conversation {name!r} turn {index}: {what}", malformed=True)


def _turn(row: DagTurn, *, osl: int | None) -> Turn:
    return Turn(
        raw_messages=row.messages,
        raw_tools=row.tools,
        model=row.model,
        max_tokens=row.max_tokens or osl,
        extra_body=row.extra or {},
        delay_ms=row.delay,
        expected=row.expected.to_expected() if row.expected else None,
    )
