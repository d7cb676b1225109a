"""PYTEST_DONT_REWRITE. The files that are written when a session is over, by the process that the user started."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_aiperf.pytest_plugin import options

if TYPE_CHECKING:
    from pytest_aiperf.exporters.columns import Column

_STEP_SUMMARY: Final = "GITHUB_STEP_SUMMARY"
_STEP_SUMMARY_BYTES: Final = 1 << 20
"""GitHub drops the summary of a step that is longer."""
_THEIR_ANNOTATIONS: Final = (
    "pytest_github_actions_annotate_failures",
    "pytest_github_actions_annotate_failures.plugin",  # as -p names it
)


def write_outputs(config: pytest.Config, document: dict[str, Any]) -> Sequence[str]:
    """Write the files that options ask for; return what went wrong, a text each.

    Args:
        document: ``{"session": {...}, "measurements": [...]}``; hooks may change it.
    """
    from pytest_aiperf.common.errors import AiperfError

    problems = []
    for write in (_write_markdown, _write_json):
        try:
            write(config, document)
        except AiperfError as error:
            problems.append(str(error))
    return problems


def _write_markdown(config: pytest.Config, document: dict[str, Any]) -> None:
    if (target := options.value_of(config, "markdown_path")) is None:
        return
    from pytest_aiperf.exporters.document import write_file
    from pytest_aiperf.exporters.markdown import markdown_summary

    text = markdown_summary(document["measurements"], columns=columns_of(config))
    path = Path(config.invocation_params.dir, target)
    write_file(path, text.encode("utf-8", "replace"), option="--aiperf-markdown")


def _write_json(config: pytest.Config, document: dict[str, Any]) -> None:
    if (target := options.value_of(config, "json_path")) is None:
        return
    from pytest_aiperf.exporters.document import write_document

    config.hook.pytest_aiperf_update_report(config=config, document=document)
    path = Path(config.invocation_params.dir, target)
    write_document(path, document["session"], document["measurements"])


def append_step_summary(config: pytest.Config, measurements: Sequence[Mapping[str, Any]]) -> str | None:
    """Append the Markdown to the summary of a step on GitHub, where this is one; return why it could not be.

    What others wrote there stays; together it has at most 1 MiB.
    """
    target = os.environ.get(_STEP_SUMMARY)
    if not target or not measurements:
        return None
    from pytest_aiperf.exporters.markdown import markdown_summary

    try:
        with open(target, "ab") as file:
            room = _STEP_SUMMARY_BYTES - file.tell() - 1
            text = markdown_summary(measurements, columns=columns_of(config), limit_bytes=room)
            if len(content := b"\n" + text.encode("utf-8", "replace")) > room:
                return f"{_STEP_SUMMARY} is full: {target} has {file.tell()} bytes, and GitHub takes 1 MiB"
            file.write(content)
    except OSError as error:
        return f"{_STEP_SUMMARY}: cannot write {target}: {error}"
    return None


def annotation_lines(config: pytest.Config, measurements: Sequence[Mapping[str, Any]]) -> Sequence[str]:
    """Return workflow commands for GitHub, where this runs there and no other plugin makes them."""
    theirs = any(map(config.pluginmanager.hasplugin, _THEIR_ANNOTATIONS))
    if os.environ.get("GITHUB_ACTIONS") != "true" or theirs:
        return ()
    from pytest_aiperf.exporters.annotations import workflow_commands

    workspace = os.environ.get("GITHUB_WORKSPACE")
    return list(workflow_commands(measurements, root=config.rootpath, workspace=workspace))


def columns_of(config: pytest.Config) -> Sequence[Column] | None:
    """Return what ``--aiperf-columns`` names; None where it is not given."""
    if (text := options.value_of(config, "columns")) is None:
        return None
    from pytest_aiperf.exporters.columns import parse_columns

    return parse_columns(text)
