"""Workflow commands of GitHub Actions: a mark beside the line of a test, with its verdict in one line."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pytest_aiperf.exporters.states import FINE, gravity, reason_of, state_of, title_of, word_of

_MILD: Final = ("inconclusive",)


def workflow_commands(
    measurements: Sequence[Mapping[str, Any]], *, root: Path, workspace: str | None
) -> Iterator[str]:
    """Yield ``::error file=...,line=...,title=...::headline``, the worst first: GitHub shows ten of a step.

    Args:
        root: what the measurements' files are relative to.
        workspace: what GitHub's are relative to; None: they stay as they are.
    """
    for one in sorted(measurements, key=gravity):
        state = state_of(one)
        if state in FINE:
            continue
        location = one["location"]
        properties = {
            "file": _seen_from(workspace, root / location["file"]) or location["file"],
            "line": location["line"],
            "title": f"{title_of(one)}: {word_of(one).lower()}",
        }
        given = ",".join(
            f"{key}={_property(value)}" for key, value in properties.items() if value is not None
        )
        yield f"::{'warning' if state in _MILD else 'error'} {given}::{_message(reason_of(one))}"


def _seen_from(workspace: str | None, path: Path) -> str | None:
    """Return a path as it is named in the repository; None where it is not in there."""
    if not workspace:
        return None
    relative = Path(os.path.relpath(os.path.realpath(path), os.path.realpath(workspace)))
    return None if relative.parts[:1] == ("..",) else relative.as_posix()


def _message(text: object) -> str:
    return str(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: object) -> str:
    return _message(value).replace(":", "%3A").replace(",", "%2C")
