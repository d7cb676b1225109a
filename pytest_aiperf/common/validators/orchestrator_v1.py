"""What a graph of conversations may ask for: branches that fork or spawn, and turns that wait for spawned ones.

The rules: the graph has no circle; branches FORK or SPAWN; a turn's only prerequisite is a SPAWN_JOIN, of a branch of
an earlier turn; ids are unique; a FORK child has one parent; branches before a session are SPAWN, on turn 0 of a root.
Nothing here calls itself, so a graph may be as deep as it likes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, NamedTuple

from pytest_aiperf.common.errors import did_you_mean

FORK: Final = "FORK"
SPAWN: Final = "SPAWN"
SPAWN_JOIN: Final = "SPAWN_JOIN"
MOST: Final = 20
_SHOWN_IDS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchInfo:
    """Conversations that begin where a turn of another one has ended."""

    branch_id: str
    child_conversation_ids: tuple[str, ...]
    mode: str
    """`FORK` goes on from the parent's history, `SPAWN` has none."""
    before_session: bool = False
    """It begins with its parent, not after a turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnPrerequisite:
    """What a turn waits for."""

    kind: str
    """`SPAWN_JOIN`: the end of a branch."""
    branch_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnMetadata:
    """What of a turn is a matter of the graph."""

    branch_ids: tuple[str, ...] = ()
    prerequisites: tuple[TurnPrerequisite, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationMetadata:
    """What of a conversation is a matter of the graph."""

    conversation_id: str
    turns: Sequence[TurnMetadata]
    branches: Sequence[BranchInfo] = ()


class Fault(NamedTuple):
    """What is wrong, and where."""

    conversation: str
    turn: int
    reason: str
    malformed: bool = True
    """Nobody could run it. Else it has a meaning, and is not built."""

    @property
    def text(self) -> str:
        """Of messages."""
        return f"conversation {self.conversation!r} turn {self.turn}: {self.reason}"


def validate_for_orchestrator_v1(conversations: Sequence[ConversationMetadata]) -> None:
    """Refuse a graph of conversations that cannot be run.

    Raises:
        ValueError: it is malformed: all faults at once, up to 20, a line each.
        NotImplementedError: it is well formed and asks for what is not built.
    """
    faults = list(islice(faults_for_orchestrator_v1(conversations), MOST))
    if faults:
        error = ValueError if any(fault.malformed for fault in faults) else NotImplementedError
        raise error("\n".join(fault.text for fault in faults))


def faults_for_orchestrator_v1(conversations: Sequence[ConversationMetadata]) -> Iterator[Fault]:
    """Yield all faults of a graph of conversations."""
    yield from _unique_ids(conversations)
    by_id = {each.conversation_id: each for each in conversations}
    children = {
        child for each in conversations for branch in each.branches for child in branch.child_conversation_ids
    }
    for each in conversations:
        turn_of = _declaring_turns(each)
        yield from _branch_faults(each, turn_of, by_id, is_root=each.conversation_id not in children)
        early = {branch.branch_id for branch in each.branches if branch.before_session}
        for index, turn in enumerate(each.turns):
            if turn.prerequisites:
                yield from _prerequisite_faults(
                    turn.prerequisites, (each.conversation_id, index), turn_of, early
                )
    yield from _fork_parents(conversations)
    yield from _circles(by_id)


def _declaring_turns(conversation: ConversationMetadata) -> dict[str, int]:
    """Return the first turn that declares each branch."""
    found: dict[str, int] = {}
    for index, turn in enumerate(conversation.turns):
        for branch_id in turn.branch_ids:
            found.setdefault(branch_id, index)
    return found


def _repeated(names: Sequence[str]) -> Iterable[tuple[str, int]]:
    """Return the names that stand more than once, each with how often."""
    if len(names) < 2 or len(set(names)) == len(names):
        return ()
    return [(name, count) for name, count in Counter(names).items() if count > 1]


def _unique_ids(conversations: Sequence[ConversationMetadata]) -> Iterator[Fault]:
    for name, count in _repeated([each.conversation_id for each in conversations]):
        yield Fault(name, 0, f"its id stands {count} times; should stand once")
    for each in conversations:
        branch_ids = [branch.branch_id for branch in each.branches]
        for branch_id, count in _repeated(branch_ids):
            what = f"{count} branches have the id {branch_id!r}; should have one each"
            yield Fault(each.conversation_id, 0, what)
        known = frozenset(branch_ids)
        for index, turn in enumerate(each.turns):
            for branch_id, count in _repeated(turn.branch_ids):
                what = f"declares branch {branch_id!r} {count} times; should once"
                yield Fault(each.conversation_id, index, what)
            for branch_id in frozenset(turn.branch_ids) - known:
                what = f"there is no branch {branch_id!r}{did_you_mean(branch_id, known)}"
                yield Fault(each.conversation_id, index, what)


def _branch_faults(
    parent: ConversationMetadata,
    turn_of: Mapping[str, int],
    by_id: Mapping[str, ConversationMetadata],
    *,
    is_root: bool,
) -> Iterator[Fault]:
    for branch in parent.branches:
        turn = turn_of.get(branch.branch_id)
        at = parent.conversation_id, turn or 0
        if branch.mode not in (FORK, SPAWN):
            yield Fault(
                *at,
                f"branches of mode {branch.mode!r} are not supported; FORK and SPAWN are",
                malformed=False,
            )
        for child in branch.child_conversation_ids:
            if child not in by_id:
                hint = did_you_mean(child, islice(by_id, 1000))
                yield Fault(*at, f"branches to {child!r}, which is not there{hint}")
        if branch.before_session and (branch.mode == FORK or turn != 0 or not is_root):
            what = "a branch before the session should be SPAWN, and belong to turn 0 of a root"
            yield Fault(*at, f"{branch.branch_id!r}: {what}", malformed=False)


def _prerequisite_faults(
    prerequisites: Sequence[TurnPrerequisite],
    at: tuple[str, int],
    turn_of: Mapping[str, int],
    before_session: Container[str],
) -> Iterator[Fault]:
    for branch_id, count in _repeated([each.branch_id for each in prerequisites]):
        yield Fault(*at, f"waits for branch {branch_id!r} {count} times; should once")
    for each in prerequisites:
        if each.kind != SPAWN_JOIN:
            yield Fault(
                *at, f"prerequisites of kind {each.kind!r} are not supported; SPAWN_JOIN is", malformed=False
            )
        elif each.branch_id in before_session:
            yield Fault(*at, f"waits for {each.branch_id!r}; nothing waits for a branch before the session")
        elif each.branch_id not in turn_of:
            yield Fault(*at, f"waits for branch {each.branch_id!r}, which no turn declares")
        elif turn_of[each.branch_id] >= at[1]:
            declared = turn_of[each.branch_id]
            yield Fault(
                *at, f"waits for branch {each.branch_id!r} of turn {declared}; should be of an earlier turn"
            )


def _fork_parents(conversations: Iterable[ConversationMetadata]) -> Iterator[Fault]:
    parents: dict[str, tuple[str, int]] = {}
    for each in conversations:
        turn_of = _declaring_turns(each)
        for branch in each.branches:
            for child in branch.child_conversation_ids if branch.mode == FORK else ():
                turn = turn_of.get(branch.branch_id, 0)
                first = parents.setdefault(child, (each.conversation_id, turn))
                if first != (each.conversation_id, turn):
                    what = f"forks {child!r}, as conversation {first[0]!r} turn {first[1]} does"
                    yield Fault(
                        each.conversation_id,
                        turn,
                        f"{what}; a FORK child should have one parent",
                        malformed=False,
                    )


def _circles(by_id: Mapping[str, ConversationMetadata]) -> Iterator[Fault]:
    """Yield the turns whose branches lead back to their own conversation, in a walk with a stack of its own."""
    done: set[str] = set()
    for start in by_id:
        path = [start] if start not in done else []
        on_path = set(path)
        links = [_links(by_id[name]) for name in path]
        while path:
            name = path[-1]
            child, turn = next(links[-1], ("", -1))
            if turn < 0:
                done.add(name)
                on_path.remove(path.pop())
                links.pop()
            elif child in on_path:
                yield Fault(name, turn, f"branches lead back to it: {_circle(path, child)}")
            elif child not in done and child in by_id:
                path.append(child)
                on_path.add(child)
                links.append(_links(by_id[child]))


def _links(conversation: ConversationMetadata) -> Iterator[tuple[str, int]]:
    turn_of = _declaring_turns(conversation)
    for branch in conversation.branches:
        for child in branch.child_conversation_ids:
            yield child, turn_of.get(branch.branch_id, 0)


def _circle(path: list[str], back_to: str) -> str:
    names = [*path[path.index(back_to) :], back_to]
    if len(names) > _SHOWN_IDS:
        names = [*names[: _SHOWN_IDS - 2], "…", names[-2], names[-1]]
    return " -> ".join(names)
