"""Answers are held against expected ones, each by its own rule, and a load that expects nothing does not notice."""

from __future__ import annotations

import json
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_server import BODY, STORY, answering, stream, token, whole

from pytest_aiperf.common.conversation import Expected
from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.common.expected_answers import check_expected
from pytest_aiperf.common.records import ABSENT, Outcome
from pytest_aiperf.endpoints.base_endpoint import ModelEndpointInfo
from pytest_aiperf.endpoints.openai_chat import ChatEndpoint
from pytest_aiperf.engine import LoadPlan, grading
from pytest_aiperf.engine.answer import AnswerReader
from pytest_aiperf.engine.dealing import deal
from pytest_aiperf.engine.graded_answers import new_answer_reader
from pytest_aiperf.engine.grading import MOST_LETTERS, choice_of, is_right
from pytest_aiperf.engine.transport import Exchange

ENDLESS = Expected(answer="(a+)+$", grader="regex")


def exact(answer):
    return Expected(answer=answer)


def regex(answer):
    return Expected(answer=answer, grader="regex")


def choice(answer):
    return Expected(answer=answer, grader="choice")


# Graders.


@pytest.mark.parametrize("text", ["a b", "  a   b\n", "a\tb", "a\n\nb"])
def test_an_exact_answer_may_differ_in_white_space(text):
    assert is_right(text, exact(" a b"))


@pytest.mark.parametrize("text", ["", "ab", "A b", "a b.", "the answer is a b"])
def test_an_exact_answer_may_differ_in_nothing_else(text):
    assert not is_right(text, exact("a b"))


@pytest.mark.parametrize(
    ("text", "pattern", "right"),
    [
        ("It is 42 km.", r"\b42\b", True),
        ("It is 421 km.", r"\b42\b", False),
        ("first\nlast", "^last", False),
        ("first\nlast", "(?m)^last$", True),
        ("PARIS", "(?i)paris", True),
        ("", "x*", True),
    ],
)
def test_a_regular_expression_is_searched_for(text, pattern, right):
    assert is_right(text, regex(pattern)) is right


@pytest.mark.parametrize(
    "text",
    [
        "B",
        "b",
        " (b). ",
        "**B**",
        "B. Paris",
        "B) Paris",
        "(B) Paris",
        "B: Paris",
        "B, because it is the capital",
        "B\nBecause it is the capital",
        "B - Paris",
        "The answer is B.",
        "the answer is b",
        "The answer is (B) Paris",
        "The answer is: **(B)** Paris",
        "Answer: B",
        "Answer:\nB",
        "Correct answer: Option B",
        "The correct option is **B**.",
        "A is wrong, and C is too. The answer is B.",
        "The answer is A. No, wait: the answer is B.",
        "\\boxed{B}",
        "So we get $\\boxed{\\text{B}}$.",
        "I'd go with B.",
        "I think (B) is right",
    ],
)
def test_the_letter_that_an_answer_gives(text):
    assert choice_of(text) == "B"
    assert is_right(text, choice("b"))
    assert not is_right(text, choice("C"))


@pytest.mark.parametrize(
    "text",
    ["", "Paris", "A man walks in", "We choose between A, B and C.", "The answer is a man", "not B", "42"],
)
def test_an_answer_that_gives_no_letter_is_wrong(text):
    assert choice_of(text) is None
    assert not is_right(text, choice("A"))


@settings(deadline=None)
@given(st.text(alphabet="AB b.()\n\\boxed{answer is:}*'", max_size=60))
def test_a_choice_is_one_of_the_letters_of_its_text_whatever_that_is(text):
    letter = choice_of(text)
    assert letter is None or letter in text.upper()


@pytest.mark.parametrize("piece", ["answer ", "answer:", "(", " ", "\\boxed{", "A ", "answer is option "])
def test_a_long_answer_takes_no_time_to_speak_of(piece):
    """Milliseconds; were one of the patterns quadratic, minutes."""
    began = time.process_time()
    choice_of(piece * (MOST_LETTERS // len(piece)))
    assert time.process_time() - began < 10


def test_of_a_very_long_answer_the_end_counts():
    assert is_right("A. " * MOST_LETTERS + "The answer is B.", choice("B"))


def test_a_regular_expression_that_never_ends_is_ended(monkeypatch):
    """The text is short, so that no limit on it would help."""
    monkeypatch.setattr(grading, "SEARCH_LIMIT_S", 0.05)
    with pytest.raises(
        ConfigurationError, match=r"'\(a\+\)\+\$' took more than 0.05 s .* answer of 41 letters"
    ):
        is_right("a" * 40 + "!", ENDLESS)
    assert is_right("aaa", ENDLESS)


def test_grading_outside_the_main_thread_needs_no_signal():
    found = []
    thread = threading.Thread(target=lambda: found.append(is_right("42", regex("4."))))
    thread.start()
    thread.join(10)
    assert found == [True]


# What cannot be graded by.


@pytest.mark.parametrize(
    ("expected", "problem"),
    [
        (regex("(a"), "the expected regular expression '(a' is none: missing ), unterminated subpattern at"),
        (regex("a" * 10_001), "has 10001 letters; at most 10000"),
        (regex("(a{9999999999})"), "is too large"),
        (choice("BC"), "the expected choice 'BC' is not a letter; write one, as in 'B'"),
        (choice("1"), "is not a letter"),
        (choice("(B)"), "is not a letter"),
        (exact(""), "is empty"),
        (exact("  "), "is empty"),
        (exact(7), "is int, not text; write it in quotes"),
        (Expected(answer="a", grader="fuzzy"), "unknown grader 'fuzzy'; write one of exact, regex, choice"),
    ],
)
def test_what_is_wrong_with_an_expected_answer(expected, problem):
    assert problem in check_expected(expected)


@pytest.mark.parametrize("expected", [exact("a"), regex("a|b"), choice("b"), choice("Z"), regex("[[a]")])
def test_nothing_is_wrong_with_these(expected):
    """The last one brings a warning of Python's, which may be an error where pytest runs."""
    assert check_expected(expected) is None


# Answers that are graded.


def plan_of(*expected, **fields):
    given = {"url": "http://h/", "bodies": [BODY] * len(expected), "concurrency": 1} | fields
    return LoadPlan(expected=list(expected), **given)


def story(*tokens, done=True):
    parts = [token(text) for text in tokens]
    return [*parts, token("", '"stop"'), *([b"data: [DONE]\n\n"] if done else [])]


def exchange_of(parts, *, index=0, status=200):
    exchange = Exchange(index, 0, b"")
    exchange.status, exchange.t_hdr, exchange.t_end = status, 1, 10_000
    exchange.parts, exchange.stamps = list(parts), [100 + i for i in range(len(parts))]
    return exchange


@pytest.mark.parametrize("expected", [exact("The answer is B."), regex(r"is [AB]\."), choice("B")])
@pytest.mark.parametrize("long", [True, False], ids=["folded", "not-folded"])
def test_a_streamed_answer_is_graded_by_all_of_its_text(expected, long):
    """Folding leaves out what is between the first and the last token: the text has it all the same."""
    right = story("The", " an", "swer", " is", " B", ".") if long else story("The answer is", " B.")
    wrong = story("The", " an", "swer", " is", " C", "!") if long else story("The answer is", " C!")
    reader = new_answer_reader(plan_of(expected), ChatEndpoint())
    for _ in range(2):  # the second time by the shape of the first
        assert reader.read(exchange_of(right)).correct == 1
        assert reader.read(exchange_of(wrong)).correct == 0


def test_grading_changes_nothing_else_of_an_answer():
    parts = story("The", " an", "swer", " is", " B", ".")
    plain = AnswerReader(plan_of(None), ChatEndpoint()).read(exchange_of(parts))
    graded = new_answer_reader(plan_of(choice("B")), ChatEndpoint()).read(exchange_of(parts))
    assert plain.correct == ABSENT
    assert graded == plain._replace(correct=1)


def test_a_failed_answer_and_one_of_which_nothing_is_expected_are_not_graded():
    reader = new_answer_reader(plan_of(choice("B"), None), ChatEndpoint())
    assert reader.read(exchange_of([b"busy"], status=503)).correct == ABSENT
    assert reader.read(exchange_of([token("B")])).outcome is Outcome.TRUNCATED
    assert reader.read(exchange_of([token("B")])).correct == ABSENT
    assert reader.read(exchange_of(story("B"), index=1)).correct == ABSENT
    assert reader.read(exchange_of(story("B"), index=2)).correct == 1  # bodies are used again, from the first


def test_a_load_that_expects_nothing_is_read_by_the_plain_reader():
    for expected in (None, [None]):
        plan = LoadPlan(url="http://h/", bodies=[BODY], concurrency=1, expected=expected)
        assert type(new_answer_reader(plan, ChatEndpoint())) is AnswerReader


def test_a_text_that_is_not_what_the_api_says_is_a_wrong_answer():
    class Odd(ChatEndpoint):
        def text_of(self, messages):
            return messages[0]["no such key"]

    assert new_answer_reader(plan_of(choice("B")), Odd()).read(exchange_of(story("B"))).correct == 0


def test_an_endpoint_without_text_cannot_be_graded():
    from pytest_aiperf.endpoints.video_generation import VideoGenerationEndpoint

    with pytest.raises(ConfigurationError, match="'video_generation' are not text, so they cannot be graded"):
        new_answer_reader(
            plan_of(exact("a"), endpoint_type="video_generation"),
            VideoGenerationEndpoint(ModelEndpointInfo()),
        )


def test_a_bad_expectation_is_told_before_any_request(serve, load):
    server = serve(answering(stream(STORY)))
    with pytest.raises(ConfigurationError, match="request 1: the expected choice 'BC' is not a letter"):
        load(server, 2, expected=[exact("abc"), choice("BC")])
    assert not server.requests


def test_a_run_has_a_column_of_right_and_wrong_answers(serve, load):
    server = serve(answering(stream(STORY)))
    batch = load(server, 4, expected=[exact("abc"), exact("abd"), None, regex("b")])
    assert batch.correct.dtype == np.int8
    by_request = batch.correct[np.argsort(batch.request_index)]
    assert by_request.tolist() == [1, 0, ABSENT, 1]


def test_answers_that_are_not_streamed_are_graded_too(serve, load):
    body = {"choices": [{"message": {"role": "assistant", "content": "Berlin"}, "finish_reason": "stop"}]}
    server = serve(answering(whole(json.dumps(body).encode())))
    batch = load(server, 2, streaming=False, expected=[exact("Berlin"), exact("Paris")])
    assert sorted(batch.correct.tolist()) == [0, 1]


def test_a_load_without_expected_answers_has_none_graded(serve, load):
    assert load(serve(answering(stream(STORY))), 2).correct.tolist() == [ABSENT, ABSENT]


# The plan.


def test_expected_answers_survive_being_carried_over():
    plan = plan_of(exact("ä\n"), None, regex("a|b"), choice("B"))
    header, buffers = plan.to_buffers()
    again = LoadPlan.from_buffers(json.loads(json.dumps(header)), [bytes(b) for b in buffers])
    assert again.expected == plan.expected
    assert (
        LoadPlan.from_buffers(*LoadPlan(url="http://h/", bodies=[b""], concurrency=1).to_buffers()).expected
        is None
    )


def test_as_many_answers_as_requests_are_expected():
    with pytest.raises(ConfigurationError, match="expected has 1 entries for 2 requests"):
        plan_of(None, bodies=[BODY, BODY])


def test_each_process_gets_the_answers_to_its_own_requests():
    plan = plan_of(*[exact(str(i)) for i in range(9)], concurrency=3)
    shares = deal(plan, 3)
    assert len(shares) == 3
    for share in shares:
        assert [one.answer for one in share.expected] == [str(i) for i in share.numbers.tolist()]
