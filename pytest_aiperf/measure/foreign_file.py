"""Which tool wrote a file, told by its content: names of files are the users' own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.measure.aiperf_result import aiperf_run, files_in, is_aiperf
from pytest_aiperf.measure.aiperf_result import tool_of as aiperf_of
from pytest_aiperf.measure.foreign_result import ForeignResults, ForeignRun, foreign_results
from pytest_aiperf.measure.guidellm_result import guidellm_runs, is_guidellm
from pytest_aiperf.measure.guidellm_result import tool_of as guidellm_of
from pytest_aiperf.measure.vllm_result import TOOL as VLLM
from pytest_aiperf.measure.vllm_result import is_vllm, vllm_run


def foreign_folder(path: Path) -> Sequence[Path] | None:
    """Return the files of a folder of AIPerf's artifacts; None for a file, and for a folder that is none."""
    return (files_in(path) or None) if path.is_dir() else None


def foreign_lines(text: str) -> Sequence[str] | None:
    """Return the lines of a file with one JSON object a line; None for one that is a single document."""
    lines = [line for line in text.splitlines() if line.strip()]
    is_each_whole = len(lines) > 1 and all(
        line.startswith("{") and line.rstrip().endswith("}") for line in lines
    )
    return lines if is_each_whole else None


def foreign_of(documents: Sequence[tuple[Any, str]], *, source: str) -> ForeignResults:
    """Return what another tool measured.

    Args:
        documents: with the file that each is from.
        source: the file or folder that the user named.

    Raises:
        ConfigurationError: no tool that is known wrote it, or two did; a field cannot be used.
    """
    found = [_runs(document, where) for document, where in documents]
    tools = list(dict.fromkeys(tool for tool, _ in found))
    if len(tools) > 1:
        raise ConfigurationError(f"{source}: files of {' and of '.join(tools)} are in it: give one of them")
    return foreign_results(tools[0], [run for _, runs in found for run in runs], source=source)


def _runs(document: Any, source: str) -> tuple[str, Sequence[ForeignRun]]:
    if isinstance(document, dict):
        if is_aiperf(document):
            return aiperf_of(document), [aiperf_run(document, source=source)]
        if is_guidellm(document):
            return guidellm_of(document), guidellm_runs(document, source=source)
        if is_vllm(document):
            return VLLM, [vllm_run(document, source=source)]
    raise ConfigurationError(
        f"{source}: neither a baseline file (as in __aiperf__) nor a result document (as --aiperf-json writes it), "
        "nor a result of AIPerf (profile_export_aiperf.json), GuideLLM (its JSON report) or vLLM (--save-result)"
    )
