"""Errors that cross a process boundary, and the last words of a process that died."""

from __future__ import annotations

import signal
import traceback
from typing import TYPE_CHECKING, Any, Final

from pytest_aiperf.common import errors
from pytest_aiperf.common.errors import AiperfError, MeasurementError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TAIL_LINES: Final = 20
TAIL_BYTES: Final = 8192


def to_payload(error: BaseException) -> dict[str, Any]:
    """Return what `from_payload` needs, JSON-ready and without secrets."""
    from pytest_aiperf.common.error_details import ErrorDetails

    text = "".join(traceback.format_exception(error))
    details = ErrorDetails.from_exception(error)
    return {"error": details.model_dump(mode="json"), "traceback": masked(text)}


def from_payload(payload: Mapping[str, Any]) -> AiperfError:
    """Rebuild an error of ours by the name of its class; any other becomes a `MeasurementError`."""
    name, message = payload["error"]["type"], payload["error"]["message"]
    found = getattr(errors, name, None)
    if isinstance(found, type) and issubclass(found, AiperfError):
        return found(message)
    return MeasurementError(f"{name}: {message}")


def masked(text: str, headers: Mapping[str, str] | None = None) -> str:
    """Return a text without the API key, the values of these headers that are secret, and other credentials."""
    from pytest_aiperf.common.header_values import api_key
    from pytest_aiperf.common.masking import Masking

    return Masking(api_key=api_key(), headers=headers or {}).without_secrets(text)


def exit_text(status: int | None) -> str:
    """Put a `subprocess` status in words: ``was killed by SIGKILL``, ``ended with exit status 3``."""
    if status is None:
        return "does not answer"
    if status >= 0:
        return f"ended with exit status {status}"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"was killed by signal {-status}"


def log_tail(path: Path, headers: Mapping[str, str] | None = None) -> str:
    """Return the end of a log for an error message, indented below a line that names it; "" if empty.

    It is `masked`, the values of these headers too.
    """
    try:
        with path.open("rb") as log:
            log.seek(0, 2)
            begin = max(0, log.tell() - TAIL_BYTES)
            log.seek(begin)
            text = log.read().decode(errors="replace")
    except OSError:
        return ""
    if begin:
        text = text.partition("\n")[2]  # half a line may hold half a secret
    lines = masked(text, headers).splitlines()[-TAIL_LINES:] if text else []
    return "".join([f"\n  end of {path}:", *(f"\n    {line}" for line in lines)]) if lines else ""
