"""One `plugins.yaml`: its entries, or all that is wrong with it, told with line and key."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pytest_aiperf.common.errors import did_you_mean
from pytest_aiperf.common.problems import Keys, Problem
from pytest_aiperf.plugin.categories import Category, categories
from pytest_aiperf.plugin.entry import Entry, Source, normalised
from pytest_aiperf.plugin.yaml_file import YamlFile, read_yaml

_FIELDS: Final = ("class", "description", "priority", "metadata")
_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
_CLASS_PATH: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")
_Finding = tuple[Keys, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Declarations:
    """What one package registers."""

    source: Source
    entries: tuple[Entry, ...] = ()
    lines: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """By category and name: where an entry stands."""
    problems: tuple[Problem, ...] = ()


def read_declarations(source: Source) -> Declarations:
    """Read a package's file. Nothing that it names is imported, or looked for."""
    file = read_yaml(Path(source.file))
    found = [] if file.problems else list(_problems(file.data))
    problems = [
        Problem(file=source.file, line=file.line_of(keys), keys=keys, message=message)
        for keys, message in found
    ]
    entries = () if file.problems or problems else tuple(_entries(file.data, source))
    return Declarations(
        source=source,
        entries=entries,
        lines={(e.category, e.name): line for e, line in _lines(entries, file)},
        problems=(*file.problems, *problems),
    )


def _entries(data: Mapping[str, Any], source: Source) -> Iterator[Entry]:
    for category, members in data.items():
        for name, told in members.items():
            yield Entry(
                category=category,
                name=normalised(name),
                class_path=told["class"],
                description=told["description"],
                source=source,
                priority=told.get("priority", 0),
                metadata=told.get("metadata", {}),
            )


def _lines(entries: tuple[Entry, ...], file: YamlFile) -> Iterator[tuple[Entry, int]]:
    written = {(keys[0], normalised(keys[1])): line for keys, line in file.lines.items() if len(keys) == 2}
    return ((entry, written[entry.category, entry.name]) for entry in entries)


def _problems(data: Any) -> Iterator[_Finding]:
    known = categories()
    if not isinstance(data, Mapping) or not data:
        yield (), f"holds no plugins; write CATEGORY: NAME: with class and description ({', '.join(known)})"
        return
    for name, members in data.items():
        if name not in known:
            hint = did_you_mean(str(name), known)
            yield (str(name),), f"unknown category{hint}; there is: {', '.join(known)}"
        elif not isinstance(members, Mapping) or not members:
            yield (name,), "holds no names; write NAME: with class and description below it"
        else:
            yield from _problems_of_members(name, members, known[name])


def _problems_of_members(category: str, members: Mapping[Any, Any], schema: Category) -> Iterator[_Finding]:
    seen: dict[str, str] = {}
    for name, told in members.items():
        keys = (category, str(name))
        if not isinstance(name, str) or not _NAME.fullmatch(normalised(name)):
            yield keys, "is no name; write letters, digits, - and _, beginning with a letter"
        elif (first := seen.setdefault(normalised(name), name)) != name:
            yield keys, f"is the same name as {first!r}; keep one of them"
        if isinstance(told, Mapping):
            yield from (((*keys, *below), message) for below, message in _problems_of_entry(told, schema))
        else:
            yield keys, f"write class and description below it, not {told!r}"


def _problems_of_entry(told: Mapping[Any, Any], schema: Category) -> Iterator[_Finding]:
    for key in told:
        if key not in _FIELDS:
            hint = did_you_mean(str(key), _FIELDS)
            yield (str(key),), f"unknown key{hint}; there is: {', '.join(_FIELDS)}"
    class_path, description = told.get("class"), told.get("description")
    if not isinstance(class_path, str) or not _CLASS_PATH.fullmatch(class_path):
        yield ("class",), _wanted(class_path, "package.module:Class")
    if not isinstance(description, str) or not description.strip():
        yield ("description",), _wanted(description, "a sentence")
    if type(told.get("priority", 0)) is not int:
        yield ("priority",), _wanted(told["priority"], "a whole number; the highest of a name holds")
    metadata = told.get("metadata", {})
    if isinstance(metadata, Mapping):
        yield from ((("metadata", key), message) for key, message in schema.problems(metadata))
    else:
        yield ("metadata",), _wanted(metadata, "keys and values below it")


def _wanted(given: object, wanted: str) -> str:
    return f"is missing; write {wanted}" if given is None else f"write {wanted}, not {given!r}"
