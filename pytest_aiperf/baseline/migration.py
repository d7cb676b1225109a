"""Files of other versions. An older one is brought up to date in memory; the file changes when it is next updated.

One step leads from each version to the next, so that a step is written once, against a format that no longer changes,
and never touched again. There is no way back: a newer file holds what this version cannot know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from pytest_aiperf.baseline.schema import SCHEMA
from pytest_aiperf.common.errors import BaselineError

Step = Callable[[dict[str, Any]], dict[str, Any]]
STEPS: Final[Mapping[int, Step]] = {}
"""By the version that a step reads: it returns the document as the next version would have written it."""


def migrated(document: Any, *, source: str) -> dict[str, Any]:
    """Return a decoded file in the present schema; only its version and what a step needs are looked at.

    Raises:
        BaselineError: it is no baseline file, is newer than this version, or lacks what its own version must have.
    """
    version = document.get("schema") if isinstance(document, dict) else None
    if type(version) is not int or version < 1:
        raise BaselineError(
            f"{source}: not a baseline file: its 'schema' is {version!r}, not a version from 1 on"
        )
    if version > SCHEMA:
        raise BaselineError(
            f"{source}: written by a newer pytest-aiperf (schema {version}, this one reads up to {SCHEMA}); "
            "upgrade pytest-aiperf, or delete the file and record again."
        )
    for step in range(version, SCHEMA):
        document = _next(document, step, source)
    return dict(document)


def _next(document: dict[str, Any], version: int, source: str) -> dict[str, Any]:
    try:
        return STEPS[version](document) | {"schema": version + 1}
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise BaselineError(
            f"{source}: not a baseline of its schema, {version}: {type(error).__name__}: {error}. "
            "Mend it, or delete it and record again."
        ) from None
