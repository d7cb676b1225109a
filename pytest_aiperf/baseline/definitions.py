"""Whether a test file still defines a test, told from its syntax tree: nothing is imported, nothing runs.

There are three answers. What Python makes while it runs (a class made by a call, a name written through ``globals()``,
a method that a base class brings) leaves no definition that could be found, so wherever such a thing could be the
cause, the answer is that it cannot be told.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

_DEFINITIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_MAKERS: Final = ("exec", "globals", "locals", "setattr", "vars")
"""Calls that define names which no statement shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """The answer, and in words why it is not ``defined``."""

    answer: Literal["defined", "absent", "unclear"]
    why: str = ""


def look_up(source: bytes, names: Sequence[str]) -> Lookup:
    """Look for a test in the source of its file.

    Args:
        source: the file's bytes; their encoding is found as Python finds it.
        names: classes from the outside in, and last the function, without parameters.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the user's own code, and not about what is asked
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return Lookup(answer="unclear", why=f"it cannot be parsed: {error}")
    scopes: list[ast.Module | ast.ClassDef] = [tree]
    for depth, name in enumerate(names):
        found = [node for scope in scopes for node in _statements(scope.body) if _defines(node, name)]
        if not found:
            return _not_found(tree, scopes, "::".join(names[: depth + 1]), name)
        scopes = [node for node in found if isinstance(node, ast.ClassDef)]
    return Lookup(answer="defined")


def _defines(node: ast.stmt, name: str) -> bool:
    return isinstance(node, _DEFINITIONS) and node.name == name


def _statements(body: Sequence[ast.AST]) -> Iterator[ast.stmt]:
    """Every statement of a scope: those in branches, loops and ``try`` too, those of functions and classes not."""
    for node in body:
        if isinstance(node, ast.stmt):
            yield node
        if not isinstance(node, (*_DEFINITIONS, ast.expr)):
            yield from _statements(list(ast.iter_child_nodes(node)))


def _not_found(
    tree: ast.Module, scopes: Sequence[ast.Module | ast.ClassDef], shown: str, name: str
) -> Lookup:
    why = next((why for scope in scopes if (why := _other_origin(scope, name))), None) or _made(tree)
    if why is not None:
        return Lookup(answer="unclear", why=f"it defines no {shown}, but {why}")
    return Lookup(answer="absent", why=f"it defines no {shown}")


def _other_origin(scope: ast.Module | ast.ClassDef, name: str) -> str | None:
    """Where the name may come from, if not from a definition."""
    if isinstance(scope, ast.ClassDef) and (scope.bases or scope.keywords or scope.decorator_list):
        return f"class {scope.name} may have it from a base class, a metaclass or a decorator"
    if any(name in _bound(node) for node in _statements(scope.body)):
        return f"the name {name} is bound there"
    return None


def _bound(node: ast.stmt) -> set[str]:
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return {alias.asname or alias.name for alias in node.names}
    if isinstance(node, _DEFINITIONS):
        return set()
    return {
        part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
    }


def _made(tree: ast.Module) -> str | None:
    """What in the file could make tests that no statement shows."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
            return f"it imports * from {node.module or '.'}"
        if isinstance(node, ast.Name) and node.id in _MAKERS:
            return f"it uses {node.id}(), which can make tests"
    return None
