"""From the sections of a file to the options that it gives, with every text replaced that stands for something."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.common.problems import Keys
from pytest_aiperf.config.loader.envelope_keys import (
    FILE_SECTIONS,
    SCHEMA_VERSION,
    VARIABLES_KEY,
    VERSION_KEY,
    options_by_key,
    unknown_key,
    unknown_section,
)
from pytest_aiperf.config.loader.marked_yaml import Finding, Marked, plain
from pytest_aiperf.config.loader.substitution import Substitution

_VERSION: Final = re.compile(r"(\d{1,4})(?:\.(\d{1,4}))?")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_VERSION_KEYS: Final = (VERSION_KEY, "schema_version")


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a file gives, while it is being read."""

    options: dict[str, tuple[Keys, Marked]] = field(default_factory=dict)
    """By option: its key as it is written, and its value."""
    findings: list[Finding] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def read_sections(root: Marked | None, *, environment: Mapping[str, str]) -> Given:
    """Return the options that stand in a file; a key without a value is as good as none."""
    if root is None or not isinstance(root.value, dict):
        message = f"holds no configuration; write sections such as {FILE_SECTIONS[0]}:"
        return Given(findings=[Finding(line=root.line if root else None, message=message)])
    reading = _Reading(environment)
    reading.read(root.value)
    return reading.given


class _Reading:
    def __init__(self, environment: Mapping[str, str]) -> None:
        self.given = Given()
        self._environment = environment
        self._substitution = Substitution({}, environment)
        self._newer = ""

    def read(self, top: Mapping[str, Marked]) -> None:
        self._read_version(top)
        self._read_variables(top.get(VARIABLES_KEY))
        for name, section in top.items():
            if name in FILE_SECTIONS:
                self._read_section(name, section)
            elif name not in (*_VERSION_KEYS, VARIABLES_KEY):
                self._unknown((name,), section.line, unknown_section(name))

    def _read_version(self, top: Mapping[str, Marked]) -> None:
        """A newer minor version may have keys that are not known here."""
        given = next((top[key] for key in _VERSION_KEYS if key in top), None)
        if given is None:
            return
        match = _VERSION.fullmatch(given.written)
        known = tuple(map(int, SCHEMA_VERSION.split(".")))
        if match is None or int(match[1]) != known[0]:
            self._find(
                (VERSION_KEY,),
                given.line,
                f"{given.written!r} is not known; this version reads {SCHEMA_VERSION}",
            )
        elif int(match[2] or 0) > known[1]:
            self._newer = given.written

    def _read_variables(self, given: Marked | None) -> None:
        """Each may use those above it."""
        if given is None or given.value is None:
            return
        if not isinstance(given.value, dict):
            self._find((VARIABLES_KEY,), given.line, "write name: value pairs below it")
            return
        variables: dict[str, Any] = {}
        for name, marked in given.value.items():
            keys = (VARIABLES_KEY, name)
            if not _VARIABLE.fullmatch(name):
                self._find(keys, marked.line, "a variable is a name of letters, digits and _")
                continue
            replaced = self._substituted(keys, marked)
            variables[name] = None if replaced is None else plain(replaced)
            self._substitution = Substitution(variables, self._environment)

    def _read_section(self, section: str, given: Marked) -> None:
        if given.value is None:  # a section whose keys are all comments
            return
        if not isinstance(given.value, dict):
            self._find((section,), given.line, "write key: value pairs below it")
            return
        for name, marked in given.value.items():
            keys = (section, name)
            option = options_by_key(section).get(name)
            if option is None:
                self._unknown(keys, marked.line, unknown_key(section, name))
            elif option in self.given.options:
                other = self.given.options[option][0][-1]
                self._find(keys, marked.line, f"stands here twice, also as {other}; keep one of them")
            elif (replaced := self._substituted(keys, marked)) is not None and replaced.value is not None:
                self.given.options[option] = keys, replaced

    def _substituted(self, keys: Keys, marked: Marked) -> Marked | None:
        """Return a value with all its texts replaced; None where one could not be, which is told."""
        if isinstance(marked.value, dict):
            parts = {key: self._substituted((*keys, key), inner) for key, inner in marked.value.items()}
            return None if None in parts.values() else replace(marked, value=parts)
        if isinstance(marked.value, list):
            items = [self._substituted((*keys, str(n)), inner) for n, inner in enumerate(marked.value)]
            return None if None in items else replace(marked, value=items)
        try:
            return self._substitution.applied(marked)
        except ConfigurationError as error:
            self._find(keys, marked.line, str(error))
            return None

    def _unknown(self, keys: Keys, line: int, message: str) -> None:
        if self._newer:
            told = f"line {line}: {'.'.join(keys)} is not known here, and left out: the file is of schema {self._newer}"
            self.given.warnings.append(f"{told}, this version reads {SCHEMA_VERSION}")
        else:
            self._find(keys, line, message)

    def _find(self, keys: Keys, line: int, message: str) -> None:
        self.given.findings.append(Finding(keys=keys, line=line, message=message))
