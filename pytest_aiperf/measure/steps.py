"""A conversation and its branches, taken apart into requests: which there are, and which follows which.

The order is one in which every request comes after all that it follows: a branch stands behind the turn it begins
after, before its parent goes on. Trees of any depth are walked with a stack of our own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any, Final, NamedTuple, NoReturn

from pytest_aiperf.common.conversation import Branch, Conversation, Turn
from pytest_aiperf.common.errors import ConfigurationError

ANSWER_ROLE: Final = "assistant"


class Step(NamedTuple):
    """One request of a tree of conversations."""

    turn: Turn
    place: int
    """Index of the turn in its conversation."""
    conversation: Conversation
    member: int
    """Which conversation of the tree, from 0."""
    number: int
    """Requests that its own conversation has before it."""
    after: tuple[int, ...]
    """Steps of the tree that it follows."""
    before: Step | None
    """The request whose history it goes on from: a fork's first one from its parent's."""
    answers: tuple[Turn, ...]
    """Answers of the data since then; of a first request what stands before it."""
    system: str | None


def steps_of(conversation: Conversation) -> Sequence[Step]:
    """Return the requests of a conversation and all its branches.

    Raises:
        ConfigurationError: a conversation of the tree has no request.
    """
    return _Walk(conversation).steps if conversation.branches else _in_line(conversation)


def turns_up_to(step: Step, answer_to: Callable[[Turn], Turn]) -> list[Turn]:
    """Return what the request holds: the turns before it with their answers, and last its own.

    Args:
        step: the request.
        answer_to: makes the answer to a turn where the data has none.
    """
    found = [step.turn]
    if not step.conversation.with_history:
        return found
    while step.before is not None or step.answers:
        if step.answers:
            found.extend(reversed(step.answers))
        elif step.before is not None and not _answered(step.before.turn, step.turn):
            found.append(answer_to(step.before.turn))
        if step.before is None:
            break
        step = step.before
        found.append(step.turn)
    found.reverse()
    return found


def _answered(turn: Turn, following: Turn) -> bool:
    """Whether messages of the data hold the answer between two turns, at the end of one or the start of the other."""
    beside = [*(turn.raw_messages or ())[-1:], *(following.raw_messages or ())[:1]]
    return any(message.get("role") == ANSWER_ROLE for message in beside)


def _in_line(conversation: Conversation) -> Sequence[Step]:
    """Take a conversation without branches apart, as nearly all are: several times as fast as a walk."""
    steps: list[Step] = []
    before: Step | None = None
    answers: tuple[Turn, ...] = ()
    for place, turn in enumerate(conversation.turns):
        if turn.role == ANSWER_ROLE:
            answers = (*answers, turn)
            continue
        number = len(steps)
        after = (number - 1,) if number else ()
        before = Step(turn, place, conversation, 0, number, after, before, answers, conversation.system)
        steps.append(before)
        answers = ()
    if not steps:
        _refuse_silent(conversation)
    return steps


def _refuse_silent(conversation: Conversation) -> NoReturn:
    raise ConfigurationError(f"conversation {conversation.id!r} asks nothing: it has no user's turn")


@dataclass(slots=True, kw_only=True)
class _Frame:
    """A conversation that is being walked."""

    conversation: Conversation
    member: int
    system: str | None
    before: Step | None = None
    answers: tuple[Turn, ...] = ()
    after: tuple[int, ...] = ()
    """What its next request follows."""
    parent: _Frame | None = None
    branch: Branch | None = None
    """Of the parent, by which it came."""
    place: int = -1
    """The turn whose branches come next; -1: those that begin with the conversation."""
    number: int = 0
    fork_ends: list[int] = field(default_factory=list)
    """Ends of the forks in which it goes on behind its last request so far."""
    branches: dict[int, list[Branch]] = field(init=False)
    """By the turn that they begin after."""
    joined: dict[int, list[int]] = field(default_factory=dict)
    """By turn: the ends of the branches that it waits for."""

    def __post_init__(self) -> None:
        self.branches = {}
        for branch in self.conversation.branches:
            self.branches.setdefault(branch.after_turn, []).append(branch)

    def answers_so_far(self) -> tuple[Turn, ...]:
        """Return the data's answers to the turn where it stands, also those that it has not come to yet."""
        if self.answers:
            return self.answers
        rest = self.conversation.turns[self.place + 1 :]
        return tuple(takewhile(lambda turn: turn.role == ANSWER_ROLE, rest))

    def pop_joined(self) -> Iterator[int]:
        """Return the ends that the turn where it stands waits for."""
        for turn in [turn for turn in self.joined if turn <= self.place]:
            yield from self.joined.pop(turn)


class _Walk:
    def __init__(self, root: Conversation) -> None:
        self.steps: list[Step] = []
        self._members = 0
        self._stack: list[_Frame] = []
        self._enter(root, system=root.system)
        while self._stack:
            self._go_on(self._stack[-1])

    def _enter(self, conversation: Conversation, **given: Any) -> None:
        if all(turn.role == ANSWER_ROLE for turn in conversation.turns):
            _refuse_silent(conversation)
        self._stack.append(_Frame(conversation=conversation, member=self._members, **given))
        self._members += 1

    def _go_on(self, frame: _Frame) -> None:
        """Enter the next branch of where the conversation stands, or take its next turn, or leave it."""
        waiting = frame.branches.get(frame.place)
        if waiting:
            self._branch_off(frame, waiting.pop(0))
        elif frame.place + 1 < len(frame.conversation.turns):
            frame.place += 1
            self._take(frame, frame.conversation.turns[frame.place])
        else:
            self._leave(frame)

    def _take(self, frame: _Frame, turn: Turn) -> None:
        if turn.role == ANSWER_ROLE:
            frame.answers = (*frame.answers, turn)
            return
        step = Step(
            turn=turn,
            place=frame.place,
            conversation=frame.conversation,
            member=frame.member,
            number=frame.number,
            after=tuple(dict.fromkeys((*frame.after, *frame.pop_joined()))),
            before=frame.before,
            answers=frame.answers,
            system=frame.system,
        )
        frame.after, frame.fork_ends = (len(self.steps),), []
        frame.before, frame.answers = step, ()
        frame.number += 1
        self.steps.append(step)

    def _branch_off(self, frame: _Frame, branch: Branch) -> None:
        child = branch.conversation
        given: dict[str, Any] = {
            "system": child.system,
            "after": frame.after,
            "parent": frame,
            "branch": branch,
        }
        if branch.inherits:
            given |= {"before": frame.before, "answers": frame.answers_so_far()}
            if child.system is None:
                given["system"] = frame.system
        self._enter(child, **given)

    def _leave(self, frame: _Frame) -> None:
        self._stack.pop()
        parent, branch = frame.parent, frame.branch
        if parent is None or branch is None:
            return
        ends = frame.fork_ends or frame.after
        if branch.joins_turn is not None:
            parent.joined.setdefault(branch.joins_turn, []).extend(ends)
        elif branch.inherits:
            parent.fork_ends.extend(ends)
