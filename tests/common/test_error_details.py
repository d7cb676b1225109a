"""Errors as data (systems.md G1 to G4)."""

from __future__ import annotations

import pytest

from pytest_aiperf.common.error_details import ErrorDetails
from pytest_aiperf.common.errors import EndpointError


def raised(make):
    try:
        make()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def test_equal_is_what_has_the_same_code_type_and_message():
    """G1."""
    one = ErrorDetails(code=500, type="E", message="m", cause="c", details={"a": 1})
    assert one == ErrorDetails(code=500, type="E", message="m")
    assert len({one, ErrorDetails(code=500, type="E", message="m")}) == 1
    for other in ({"code": 501}, {"type": "F"}, {"message": "n"}):
        assert one != ErrorDetails(**({"code": 500, "type": "E", "message": "m"} | other))
    assert one != "m"


def test_secrets_are_masked_in_the_message_and_in_the_cause(monkeypatch):
    """G2, G4."""
    monkeypatch.setenv("AIPERF_API_KEY", "sk-of-the-environment")

    def fail():
        try:
            raise OSError("refused for sk-of-the-environment and of-a-header")
        except OSError as error:
            raise EndpointError("Bearer abcdefgh: sk-of-the-environment") from error

    details = ErrorDetails.from_exception(raised(fail), headers={"x-key": "of-a-header"}, code=401)
    assert details.message == "Bearer ***: ***"
    assert details.cause == "refused for *** and ***"
    assert (details.code, details.type) == (401, "EndpointError")
    assert "sk-of" not in details.model_dump_json()


def test_the_chain_names_every_error_back_to_the_first():
    """G2."""

    def fail():
        try:
            try:
                raise KeyError("a")
            except KeyError:
                raise ValueError("b")  # noqa: B904 (its context is what is meant)
        except ValueError as error:
            raise EndpointError("c") from error

    assert ErrorDetails.from_exception(raised(fail)).cause_chain == (
        "EndpointError",
        "ValueError",
        "KeyError",
    )


def test_from_none_hides_what_was_before():
    def fail():
        try:
            raise KeyError("a")
        except KeyError:
            raise EndpointError("c") from None

    details = ErrorDetails.from_exception(raised(fail))
    assert (details.cause, details.cause_chain) == (None, ("EndpointError",))


def test_a_circle_of_causes_ends():
    """G2."""
    one, other = ValueError("one"), ValueError("other")
    one.__cause__, other.__cause__ = other, one
    assert ErrorDetails.from_exception(one).cause_chain == ("ValueError", "ValueError")


def test_a_long_message_is_cut_and_says_so():
    """G2."""
    details = ErrorDetails.from_exception(ValueError("x" * 10_000))
    assert len(details.message) == 4096
    assert details.message.endswith("…")


@pytest.mark.parametrize("error", [ValueError(), ValueError(""), TimeoutError()])
def test_an_error_without_text_has_a_message(error):
    """G3."""
    assert ErrorDetails.from_exception(error).message == type(error).__name__


def test_it_comes_back_from_json():
    """D5."""
    details = ErrorDetails.from_exception(EndpointError("m"), details={"port": 1})
    assert ErrorDetails.model_validate_json(details.model_dump_json()) == details
