"""PYTEST_DONT_REWRITE. What a child process logs reaches the loggers of its parent, and with them pytest's report.

The child's own log file has it too: a record is dropped from the channel rather than waited for.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pytest_aiperf.services.channel import Channel

LOG: Final = "log"
ROOT: Final = "pytest_aiperf"
_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class _Masked(logging.Formatter):
    """Shows no secret."""

    def format(self, record: logging.LogRecord) -> str:
        from pytest_aiperf.services.failure import masked

        return masked(super().format(record))


class _ToParent(logging.Handler):
    """Sends records over the channel."""

    def __init__(self, channel: Channel) -> None:
        super().__init__()
        self._channel = channel
        self.setFormatter(_Masked("%(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        from pytest_aiperf.services.channel import ChannelClosedError

        payload = {
            "name": record.name,
            "level": record.levelno,
            "text": self.format(record),
            "file": record.pathname,
            "line": record.lineno,
            "process": record.process,
        }
        try:
            self._channel.send_if_idle(LOG, payload)
        except ChannelClosedError:
            pass  # the parent is gone; the file has it


def level_for_children() -> int:
    """Return from which level on the parent shows records of ours."""
    return logging.getLogger(ROOT).getEffectiveLevel()


def forward_records(channel: Channel, *, level: int) -> None:
    """Have everything that this process logs, from this level on, stand in its log file and reach its parent."""
    to_file = logging.StreamHandler(sys.stderr)
    to_file.setFormatter(_Masked(_FORMAT))
    logging.basicConfig(level=level, handlers=[to_file, _ToParent(channel)], force=True)


def handle_record(payload: Mapping[str, Any], *, service: str) -> None:
    """Hand a child's record to the logger of its name in this process."""
    logger = logging.getLogger(payload["name"])
    if not logger.isEnabledFor(payload["level"]):
        return
    text = f"[{service} {payload['process']}] {payload['text']}"
    logger.handle(
        logger.makeRecord(payload["name"], payload["level"], payload["file"], payload["line"], text, (), None)
    )
