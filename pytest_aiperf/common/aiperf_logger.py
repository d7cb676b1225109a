"""PYTEST_DONT_REWRITE. Logging in which a text that is dear to make is made only when somebody reads it.

The loggers are the standard library's: what sets them up, catches them and shows them works as ever.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from pytest_aiperf.common.errors import ConfigurationError, did_you_mean

LEVELS: Final = ("debug", "info", "warning", "error", "critical")
_OUR_FRAMES: Final = 3
"""From the standard library's method to the caller: `_log`, and `debug` or one of its like."""

Text = str | Callable[[], str]


def level_of(name: str) -> int:
    """Return the number of a level.

    Raises:
        ConfigurationError: there is no such level.
    """
    found = name.strip().lower()
    if found not in LEVELS:
        raise ConfigurationError(
            f"log level {name!r}{did_you_mean(found, LEVELS)}: write one of {', '.join(LEVELS)}"
        )
    return int(logging.getLevelNamesMapping()[found.upper()])


class AIPerfLogger:
    """A named logger. A text is a str, or a function that returns it and is called only when it is shown."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def debug(self, text: Text, *arguments: object) -> None:
        """Log for who looks for a defect."""
        self._log(logging.DEBUG, text, arguments)

    def info(self, text: Text, *arguments: object) -> None:
        """Log what goes on."""
        self._log(logging.INFO, text, arguments)

    def warning(self, text: Text, *arguments: object) -> None:
        """Log what the user should know."""
        self._log(logging.WARNING, text, arguments)

    def error(self, text: Text, *arguments: object) -> None:
        """Log what went wrong."""
        self._log(logging.ERROR, text, arguments)

    def exception(self, text: Text, *arguments: object) -> None:
        """Log what went wrong, with the exception that is being handled."""
        self._log(logging.ERROR, text, arguments, traceback=True)

    def _log(self, level: int, text: Text, arguments: tuple[object, ...], *, traceback: bool = False) -> None:
        if not self._logger.isEnabledFor(level):
            return
        if callable(text):
            try:
                text = text()
            except Exception as error:  # a text that cannot be made must not end what it tells of
                text = f"(the text of this record could not be made: {error!r})"
            arguments = ()
        self._logger.log(level, text, *arguments, exc_info=traceback, stacklevel=_OUR_FRAMES)


class AIPerfLoggerMixin:
    """Gives a class the methods of a logger that is named after it."""

    @property
    def log(self) -> AIPerfLogger:
        """The logger of this object's class."""
        return AIPerfLogger(f"{type(self).__module__}.{type(self).__name__}")
