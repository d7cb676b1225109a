"""Logging (systems.md H1 to H6)."""

from __future__ import annotations

import inspect
import logging

import pytest

from pytest_aiperf.common.aiperf_logger import LEVELS, AIPerfLogger, AIPerfLoggerMixin, level_of
from pytest_aiperf.common.errors import ConfigurationError

NAME = "pytest_aiperf.test"


@pytest.fixture
def log():
    return AIPerfLogger(NAME)


def test_a_callable_is_called_once_and_only_where_it_is_read(log, caplog):
    """H1."""
    calls = []

    def text():
        calls.append(1)
        return "dear"

    caplog.set_level("INFO", logger=NAME)
    log.debug(text)
    assert calls == []
    log.info(text)
    assert calls == [1]
    assert caplog.messages == ["dear"]


def test_a_record_has_the_place_of_the_caller(log, caplog):
    """H2."""
    log.warning("here")
    line = inspect.currentframe().f_lineno - 1
    (record,) = caplog.records
    assert (record.filename, record.lineno) == ("test_aiperf_logger.py", line)
    assert record.funcName == "test_a_record_has_the_place_of_the_caller"


@pytest.mark.parametrize("text", ["100 % of %s", "%d", "a % b"])
def test_a_percent_sign_without_arguments_is_shown_as_it_is(log, caplog, text):
    """H3."""
    log.warning(text)
    log.warning(lambda: text)
    assert caplog.messages == [text, text]


def test_arguments_are_put_in(log, caplog):
    log.error("%s of %d", "one", 3)
    assert caplog.messages == ["one of 3"]


def test_a_text_that_cannot_be_made_ends_nothing(log, caplog):
    """H4."""
    log.warning(lambda: str(1 / 0))
    assert "could not be made: ZeroDivisionError" in caplog.text


def test_an_exception_is_logged_with_its_traceback(log, caplog):
    try:
        raise ValueError("no luck")
    except ValueError:
        log.exception("it failed")
    assert "Traceback" in caplog.text
    assert "no luck" in caplog.text


def test_the_levels_are_those_of_the_standard_library():
    """H5."""
    assert [level_of(name) for name in LEVELS] == [10, 20, 30, 40, 50]
    assert level_of(" Debug ") == logging.DEBUG


def test_an_unknown_level_is_an_error():
    """H5."""
    with pytest.raises(
        ConfigurationError, match=r"'inof' \(did you mean 'info'\?\): write one of debug, info,"
    ):
        level_of("inof")


def test_a_class_has_a_logger_of_its_own_name(caplog):
    """H6: a standard logger, so that pytest catches it."""

    class Thing(AIPerfLoggerMixin):
        pass

    Thing().log.warning("seen")
    assert [record.name for record in caplog.records] == [f"{__name__}.Thing"]
