"""A YAML file with its line numbers, and the keys that stand in it twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from pytest_aiperf.common.problems import Keys, Problem
from pytest_aiperf.common.yaml_nodes import NotYamlError, compose, construct

_DEPTH: Final = 4
"""Category, name, field, key of the metadata: deeper nobody asks, and an anchor may make a file endless."""


@dataclass(frozen=True, slots=True, kw_only=True)
class YamlFile:
    """What a file holds."""

    data: Any
    lines: Mapping[Keys, int] = field(default_factory=dict)
    problems: Sequence[Problem] = ()

    def line_of(self, keys: Keys) -> int | None:
        """Return the line of a key; that of the nearest key around it, where it is not in the file."""
        while keys and keys not in self.lines:
            keys = keys[:-1]
        return self.lines.get(keys)


def read_yaml(path: Path) -> YamlFile:
    """Read a file; whatever is wrong with it is among the problems."""
    try:
        node = compose(path.read_bytes())
        places = list(_keys_in(node))  # before `<<` is resolved, which leaves keys in the node twice
        data = construct(node) if node is not None else None
    except OSError as error:
        return _broken(path, f"cannot be read: {error.strerror or error}")
    except NotYamlError as error:
        return _broken(path, f"is not YAML: {error}", line=error.line)
    twice = (
        [
            Problem(file=str(path), line=line, keys=keys, message="stands here twice; keep one of them")
            for number, (keys, line) in enumerate(places)
            if keys in {earlier for earlier, _ in places[:number]}
        ]
        if len(dict(places)) < len(places)
        else []
    )
    return YamlFile(data=data, lines=dict(reversed(places)), problems=twice)


def _broken(path: Path, message: str, line: int | None = None) -> YamlFile:
    return YamlFile(data=None, problems=[Problem(file=str(path), line=line, message=message)])


def _keys_in(node: Any, above: Keys = ()) -> Iterator[tuple[Keys, int]]:
    if not isinstance(node, yaml.MappingNode) or len(above) == _DEPTH:
        return
    for key, value in node.value:
        keys = (*above, str(key.value))
        yield keys, key.start_mark.line + 1
        yield from _keys_in(value, keys)
