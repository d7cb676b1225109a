"""Conversations and their branches, taken apart into requests."""

from __future__ import annotations

import pytest

from pytest_aiperf.common.conversation import Branch, Conversation, Turn
from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.measure.steps import steps_of, turns_up_to


def conversation(name, *texts, branches=(), **given):
    """A text that begins with ``>`` is an answer of the data."""
    turns = tuple(Turn(text=t, role="assistant" if t.startswith(">") else "user") for t in texts)
    return Conversation(id=name, turns=turns, branches=tuple(branches), **given)


def fork(child, after_turn, joins_turn=None):
    return Branch(conversation=child, after_turn=after_turn, inherits=True, joins_turn=joins_turn)


def spawn(child, after_turn, joins_turn=None):
    return Branch(conversation=child, after_turn=after_turn, inherits=False, joins_turn=joins_turn)


def said(step):
    """What a request holds; made-up answers are dots."""
    return [turn.text for turn in turns_up_to(step, lambda turn: Turn(text="...", role="assistant"))]


def outline(tree):
    """Of each request its text and those that it follows."""
    steps = steps_of(tree)
    return [(step.turn.text, [steps[i].turn.text for i in step.after]) for step in steps]


def test_turns_follow_each_other_and_carry_what_was_said():
    steps = steps_of(conversation("a", "one", "two", "three"))
    assert [step.after for step in steps] == [(), (0,), (1,)]
    assert said(steps[2]) == ["one", "...", "two", "...", "three"]


def test_answers_of_the_data_are_the_history_and_no_requests():
    steps = steps_of(conversation("a", ">welcome", "one", ">first", ">and", "two", "three"))
    assert [step.turn.text for step in steps] == ["one", "two", "three"]
    assert said(steps[2]) == [">welcome", "one", ">first", ">and", "two", "...", "three"]
    assert [step.place for step in steps] == [1, 4, 5]


def test_a_conversation_without_history_only_keeps_its_order():
    steps = steps_of(conversation("a", "one", "two", with_history=False))
    assert [step.after for step in steps] == [(), (0,)]
    assert said(steps[1]) == ["two"]


def test_messages_of_the_data_that_hold_the_answer_get_none_beside_it():
    def turn(*roles):
        return Turn(text="/".join(roles), raw_messages=[{"role": role} for role in roles])

    behind = Conversation(id="a", turns=(turn("user", "assistant"), turn("user")))
    before = Conversation(id="a", turns=(turn("user"), turn("assistant", "user")))
    nowhere = Conversation(id="a", turns=(turn("user"), turn("user")))
    assert [len(said(steps_of(each)[1])) for each in (behind, before, nowhere)] == [2, 2, 3]


def test_a_conversation_in_which_nobody_asks_is_refused():
    for silent in (
        conversation("a", ">hello"),
        conversation("b", "x", branches=[spawn(conversation("a"), 0)]),
    ):
        with pytest.raises(ConfigurationError, match="conversation 'a' asks nothing"):
            steps_of(silent)


def test_a_fork_goes_on_from_its_parents_history_and_a_spawn_does_not():
    tree = conversation(
        "p",
        "one",
        "two",
        "three",
        system="be brief",
        branches=[fork(conversation("f", "left"), 1), spawn(conversation("s", "right", system="dig"), 1)],
    )
    steps = {step.turn.text: step for step in steps_of(tree)}
    assert said(steps["left"]) == ["one", "...", "two", "...", "left"]
    assert said(steps["right"]) == ["right"]
    assert [steps[name].system for name in ("three", "left", "right")] == ["be brief", "be brief", "dig"]
    assert outline(tree) == [
        ("one", []),
        ("two", ["one"]),
        ("left", ["two"]),
        ("right", ["two"]),
        ("three", ["two"]),
    ]
    assert [steps[name].member for name in ("one", "two", "three", "left", "right")] == [0, 0, 0, 1, 2]


def test_a_fork_inherits_the_datas_answer_to_the_turn_that_it_begins_after():
    tree = conversation("p", "one", ">first", "two", branches=[fork(conversation("f", "left"), 0)])
    assert said(steps_of(tree)[1]) == ["one", ">first", "left"]


def test_a_turn_that_joins_waits_for_the_ends_of_its_branches():
    tree = conversation(
        "p",
        "one",
        "two",
        "three",
        branches=[
            spawn(conversation("s", "s1", "s2"), 0, joins_turn=2),
            spawn(conversation("t", "t1"), 0, joins_turn=2),
            spawn(conversation("u", "u1"), 0),
        ],
    )
    assert dict(outline(tree))["three"] == ["two", "s2", "t1"]
    assert dict(outline(tree))["two"] == ["one"]


def test_a_branch_before_the_first_turn_follows_nothing():
    tree = conversation("p", "one", "two", branches=[spawn(conversation("s", "early"), -1, joins_turn=1)])
    assert outline(tree) == [("early", []), ("one", []), ("two", ["one", "early"])]


def test_a_branch_that_ends_in_forks_has_ended_when_those_have():
    inner = conversation(
        "s", "s1", branches=[fork(conversation("a", "a1"), 0), fork(conversation("b", "b1"), 0)]
    )
    tree = conversation("p", "one", "two", branches=[spawn(inner, 0, joins_turn=1)])
    assert dict(outline(tree))["two"] == ["one", "a1", "b1"]


def test_every_request_comes_after_what_it_follows():
    deep = conversation("d", "d1", "d2", "d3", branches=[fork(conversation("e", "e1"), 1, joins_turn=2)])
    tree = conversation("p", "one", "two", "three", branches=[spawn(deep, 0, joins_turn=2), fork(deep, 1)])
    steps = steps_of(tree)
    assert all(number < at for at, step in enumerate(steps) for number in step.after)
    assert len({step.member for step in steps}) == 5


def test_trees_may_be_deeper_than_the_interpreters_stack():
    """P5: no recursion limit."""
    tree = conversation("0", "last")
    for depth in range(1, 5000):
        tree = conversation(str(depth), "deeper", branches=[fork(tree, 0)])
    steps = steps_of(tree)
    assert len(said(steps[-1])) == 2 * 5000 - 1
