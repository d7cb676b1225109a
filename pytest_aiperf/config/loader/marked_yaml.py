"""YAML whose every value knows its line and how it was written. Aliases are expanded, within limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import yaml

from pytest_aiperf.common.problems import Keys
from pytest_aiperf.common.yaml_nodes import NotYamlError, check_size, compose, construct

MOST_VALUES: Final = 20_000
MOST_DEPTH: Final = 20
_MERGE: Final = "tag:yaml.org,2002:merge"
_COLLECTIONS: Final = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")
_TAB: Final = "is not YAML: {}; is it a tab? YAML is indented with spaces"


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """A value of a file."""

    value: Any
    """A scalar, a dict of texts and `Marked`, or a list of `Marked`."""
    line: int
    """Of its key, where it has one."""
    written: str = ""
    """A scalar as it stands in the file, or as it came from outside."""
    quoted: bool = False
    substituted: bool = False
    """It came from the environment as a whole: `written` is what a command line would have had."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that is wrong, in a file whose name is known elsewhere."""

    keys: Keys = ()
    line: int | None = None
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedYaml:
    """What a text holds, None where it holds nothing, and all that is wrong with its form."""

    root: Marked | None = None
    findings: Sequence[Finding] = field(default=())


def read_marked(text: str) -> MarkedYaml:
    """Read YAML by the safe rules; keys that stand twice, unknown tags and the like are among the findings."""
    try:
        check_size(text, most_nodes=MOST_VALUES, most_depth=MOST_DEPTH)
        node = compose(text)
        reader = _Reader()
        root = None if node is None else reader.read(node, ())
    except NotYamlError as error:
        told = _TAB.format(error) if "\t" in _line(text, error.line) else f"is not YAML: {error}"
        return MarkedYaml(findings=[Finding(line=error.line, message=told)])
    except _TooLargeError as error:
        return MarkedYaml(findings=[error.finding])
    return MarkedYaml(root=root, findings=reader.findings)


def plain(marked: Marked) -> Any:
    """Return a value without its marks."""
    if isinstance(marked.value, dict):
        return {key: plain(inner) for key, inner in marked.value.items()}
    if isinstance(marked.value, list):
        return [plain(inner) for inner in marked.value]
    return marked.value


def typed(text: str) -> Any:
    """Return what an unquoted text stands for in YAML: ``8`` is a number, ``on`` is true.

    Raises:
        NotYamlError: it looks like a date, and is none.
    """
    tag = yaml.SafeLoader("").resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
    return construct(yaml.ScalarNode(tag, text))


def _line(text: str, number: int | None) -> str:
    return "" if number is None else (text.splitlines() or [""])[min(number, text.count("\n") + 1) - 1]


class _TooLargeError(Exception):
    """Aliases make more of a file than may be read."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding


class _Reader:
    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self._left = MOST_VALUES

    def read(self, node: yaml.Node, keys: Keys) -> Marked:
        line = node.start_mark.line + 1
        self._left -= 1
        if self._left < 0 or len(keys) > MOST_DEPTH:
            what = f"{MOST_VALUES} values" if self._left < 0 else f"{MOST_DEPTH} levels"
            raise _TooLargeError(Finding(line=line, message=f"with its aliases (*) it has more than {what}"))
        if isinstance(node, yaml.ScalarNode):
            return Marked(
                value=self._scalar(node, keys), line=line, written=node.value, quoted=bool(node.style)
            )
        if node.tag not in _COLLECTIONS:
            self._find(node, keys, f"the tag {node.tag!r} is not read here; leave it out")
        if isinstance(node, yaml.SequenceNode):
            items = [self.read(inner, (*keys, str(number))) for number, inner in enumerate(node.value)]
            return Marked(value=items, line=line)
        return Marked(value=self._mapping(node, keys), line=line)

    def _scalar(self, node: yaml.ScalarNode, keys: Keys) -> Any:
        try:
            return construct(node)
        except NotYamlError as error:
            self._find(node, keys, f"{node.value!r}: {error}; put it into quotes if it is a text")
            return None

    def _mapping(self, node: Any, keys: Keys) -> dict[str, Marked] | None:
        """Return what is in a mapping; None where its form is broken."""
        merged: dict[str, Marked] = {}
        own: dict[str, Marked] = {}
        for key, inner in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._find(
                    key, keys, "a key is a mapping or a list; put a value that begins with {{ into quotes"
                )
                return None
            if key.tag == _MERGE:
                merged = self._merged(inner, keys) | merged
            elif key.value in own:
                message = f"stands here twice, first on line {own[key.value].line}; keep one of them"
                self._find(key, (*keys, key.value), message)
            else:
                value = self.read(inner, (*keys, key.value))
                own[key.value] = replace(value, line=key.start_mark.line + 1)
        return merged | own

    def _merged(self, node: yaml.Node, keys: Keys) -> dict[str, Marked]:
        """Of several mappings to merge, the first that has a key gives it."""
        together: dict[str, Marked] = {}
        for one in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            read = self.read(one, keys).value
            if isinstance(read, dict):
                together = read | together
            else:
                self._find(one, keys, "<< takes a mapping, or a list of mappings")
        return together

    def _find(self, node: yaml.Node, keys: Keys, message: str) -> None:
        self.findings.append(Finding(keys=keys, line=node.start_mark.line + 1, message=message))
