"""PYTEST_DONT_REWRITE. Reads answers of which some are graded.

A class of its own, so that a load without expected answers does not even pay for asking whether there is one. A graded
stream is decoded whole, though it was folded to be counted: its text is in the messages that folding leaves out.
"""

from __future__ import annotations

from typing import Any, Final

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.common.expected_answers import check_expected
from pytest_aiperf.common.records import Outcome
from pytest_aiperf.endpoints.base_endpoint import BaseEndpoint
from pytest_aiperf.engine.answer import DONE, Answer, AnswerReader
from pytest_aiperf.engine.grading import is_right
from pytest_aiperf.engine.plan import LoadPlan
from pytest_aiperf.engine.sse import read_messages
from pytest_aiperf.engine.transport import Exchange

_MISSHAPEN: Final = (AttributeError, TypeError, LookupError)
"""What looking into decoded JSON raises where it is not what the API says."""


def new_answer_reader(plan: LoadPlan, endpoint: BaseEndpoint) -> AnswerReader:
    """Return what reads the answers of a plan.

    Raises:
        ConfigurationError: an answer cannot be graded by what is expected, or the endpoint's answers are not text.
    """
    if plan.expected is None or not any(plan.expected):
        return AnswerReader(plan, endpoint)
    return GradedAnswers(plan, endpoint)


class GradedAnswers(AnswerReader):
    """Grades the good answers to the requests of which something is expected."""

    def __init__(self, plan: LoadPlan, endpoint: BaseEndpoint) -> None:
        super().__init__(plan, endpoint)
        if type(endpoint).text_of is BaseEndpoint.text_of:
            raise ConfigurationError(
                f"answers of the endpoint type {plan.endpoint_type!r} are not text, so they cannot be graded: take the "
                "expected answers out of the data, or choose another endpoint type"
            )
        self._expected = plan.expected or ()
        for number, one in enumerate(self._expected):
            problem = None if one is None else check_expected(one)
            if problem is not None:
                raise ConfigurationError(f"request {number}: {problem}")

    def read(self, exchange: Exchange) -> Answer:
        """Return what came of this exchange, graded. Never raises for what a server sent."""
        answer = super().read(exchange)
        expected = self._expected[exchange.index % len(self._expected)]
        if expected is None or answer.outcome is not Outcome.OK:
            return answer
        try:
            text = self._endpoint.text_of(self._messages(exchange))
        except _MISSHAPEN:
            return answer._replace(correct=0)
        return answer._replace(correct=int(is_right(text, expected)))

    def _messages(self, exchange: Exchange) -> list[Any]:
        if not self._streaming:
            return [self._body_of(exchange)]
        data = [payload for payload in read_messages(exchange.parts).data if payload != DONE]
        return self._load_all(data)[0]
