"""PYTEST_DONT_REWRITE. The files that are written when a session is over, by the process that the user started."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_aiperf.pytest_plugin import options


def write_outputs(config: pytest.Config, document: dict[str, Any]) -> Sequence[str]:
    """Write the files that options ask for; return what went wrong, a text each.

    Args:
        document: ``{"session": {...}, "measurements": [...]}``; hooks may change it.
    """
    target = options.value_of(config, "json_path")
    if target is None:
        return ()
    from pytest_aiperf.common.errors import AiperfError
    from pytest_aiperf.exporters.document import write_document

    try:
        config.hook.pytest_aiperf_update_report(config=config, document=document)
        path = Path(config.invocation_params.dir, target)
        write_document(path, document["session"], document["measurements"])
    except AiperfError as error:
        return (str(error),)
    return ()
