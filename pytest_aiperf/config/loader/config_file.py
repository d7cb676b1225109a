"""A configuration file as a layer of options: read, checked as a whole, and nothing of it forgotten."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.common.path_safety import checked_read
from pytest_aiperf.common.problems import Problem, together
from pytest_aiperf.config.loader.envelope_keys import path_options
from pytest_aiperf.config.loader.marked_yaml import Finding, read_marked
from pytest_aiperf.config.loader.option_values import Checks, OptionValues, read_values
from pytest_aiperf.config.loader.sections import Given, read_sections
from pytest_aiperf.config.resolver import Layer


class ConfigFileError(ConfigurationError):
    """Everything that is wrong in a file."""

    def __init__(self, message: str, *, problems: Sequence[Problem] = ()) -> None:
        """Keep all problems; the message has the first 20."""
        super().__init__(message)
        self.problems = tuple(problems)


ConfigFileError.__module__ = "builtins"  # as the family's in common/errors.py


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigFile:
    """What a file gives."""

    shown: str
    """Its path, as messages name it."""
    values: Mapping[str, Any]
    """Options as another place would give them: lists are texts with commas, paths are absolute."""
    lines: Mapping[str, int]
    """By option."""
    tolerance: Mapping[str, Any] = field(default_factory=dict)
    metrics: Sequence[str] | None = None
    warnings: Sequence[str] = ()

    @property
    def layer(self) -> Layer:
        """The options, each with its line."""
        places = {option: f"{self.shown}, line {self.lines[option]}" for option in self.values}
        return Layer(self.shown, self.values, places)


def read_config_file(
    path: Path,
    *,
    shown: str | None = None,
    environment: Mapping[str, str] | None = None,
    checks: Checks | None = None,
) -> ConfigFile:
    """Read a configuration file.

    Args:
        path: of the file.
        shown: how messages name it; its path, unless it is given.
        environment: where ``${NAME}`` is looked up; that of this process, unless it is given.
        checks: further checks, by option: see `Checks`.

    Raises:
        ConfigFileError: everything that is wrong with it, with lines and keys.
    """
    name = shown or str(path)
    text = _text(path, name)
    marked = read_marked(text)
    given, found = Given(), OptionValues()
    if marked.root is not None or not marked.findings:
        given = read_sections(marked.root, environment=os.environ if environment is None else environment)
        found = read_values(given.options, checks=checks or {})
    if findings := [*marked.findings, *given.findings, *found.findings]:
        raise _error([_problem(name, finding) for finding in sorted(findings, key=_place)])
    return ConfigFile(
        shown=name,
        values={option: _layered(option, value, path) for option, value in found.values.items()},
        lines={option: given.options[option][1].line for option in found.values},
        tolerance=found.tolerance,
        metrics=found.metrics,
        warnings=[f"{name}: {text}" for text in given.warnings],
    )


def _error(problems: Sequence[Problem]) -> ConfigFileError:
    return ConfigFileError(together(problems), problems=problems)


def _text(path: Path, name: str) -> str:
    data, why = checked_read(path)
    if data is None:
        message = f"cannot be read: {why}" if why else "there is no such file"
        raise _error([Problem(file=name, message=message)])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise _error([Problem(file=name, line=line, message="is not UTF-8 text; save it as UTF-8")]) from None


def _place(finding: Finding) -> int:
    return finding.line or 0


def _problem(name: str, finding: Finding) -> Problem:
    return Problem(file=name, line=finding.line, keys=finding.keys, message=finding.message)


def _layered(option: str, value: Any, file: Path) -> Any:
    if isinstance(value, list):
        return ",".join(map(str, value))
    if option in path_options():
        return os.path.normpath(file.absolute().parent / Path(value).expanduser())
    return value
