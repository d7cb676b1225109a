"""YAML as its nodes, which know their lines; what they stand for is made of them by the safe rules.

libyaml's parser reads the built-in registry in 1 to 3 ms, the one that is written in Python in 16 to 26.
"""

from __future__ import annotations

from typing import Any

import yaml


class NotYamlError(ValueError):
    """The text is no YAML."""

    def __init__(self, message: str, *, line: int | None) -> None:
        """Keep the line, counted from 1, where it is known."""
        super().__init__(message)
        self.line = line


def compose(text: str | bytes) -> yaml.Node | None:
    """Return the node of the only document; None where there is none.

    Raises:
        NotYamlError: it is not YAML, or several documents.
    """
    try:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
        try:
            node: yaml.Node | None = loader.get_single_node()
        finally:
            loader.dispose()
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _error(error) from None
    return node


def check_size(text: str, *, most_nodes: int, most_depth: int) -> None:
    """Refuse what is too large or too deep to be composed: libyaml's composer recurses on the stack of C.

    Raises:
        NotYamlError: there are more nodes than this, or one lies deeper; or it is not YAML.
    """
    nodes = depth = 0
    try:
        for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            nodes += isinstance(event, yaml.NodeEvent)
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if nodes > most_nodes or depth > most_depth:
                what = f"nested {most_depth} deep" if depth > most_depth else f"of {most_nodes} values"
                raise NotYamlError(f"more than {what}", line=_line(event.start_mark))
    except (yaml.YAMLError, ValueError) as error:
        raise _error(error) from None


def construct(node: yaml.Node) -> Any:
    """Return what a node stands for.

    Raises:
        NotYamlError: a tag that the safe rules do not know, or a value that is none of its tag.
    """
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_document(node)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _error(error) from None
    finally:
        loader.dispose()


def _error(error: Exception) -> NotYamlError:
    if isinstance(error, NotYamlError):
        return error
    told = getattr(error, "problem", None) or str(error)
    return NotYamlError(str(told), line=_line(getattr(error, "problem_mark", None)))


def _line(mark: Any) -> int | None:
    return None if mark is None else mark.line + 1
