"""Is there such a module, and such a class in it? Answered from files: nothing is imported, no package around it."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path

from pytest_aiperf.common.errors import did_you_mean


def find_module(name: str) -> ModuleSpec | None:
    """Return where a module is. `importlib.util.find_spec` would import the packages around it."""
    path: Sequence[str] | None = None
    spec = None
    parts = name.split(".")
    for depth in range(1, len(parts) + 1):
        spec = _find(".".join(parts[:depth]), path)
        if spec is None or (depth < len(parts) and spec.submodule_search_locations is None):
            return None
        path = list(spec.submodule_search_locations or ())
    return spec


def what_is_missing(class_path: str) -> str | None:
    """Return why ``module:Class`` cannot be there, None when it is, or when only importing it would tell."""
    module, _, attribute = class_path.partition(":")
    spec = find_module(module)
    if spec is None:
        return f"there is no module {module!r}"
    if spec.origin is None or not spec.origin.endswith(".py"):
        return None
    try:
        body = ast.parse(Path(spec.origin).read_bytes()).body
    except SyntaxError as error:
        return f"{spec.origin}:{error.lineno}: {error.msg}"
    except (OSError, ValueError, RecursionError) as error:
        return f"{spec.origin} cannot be read: {error}"
    names = set(_names(body))
    if attribute in names or not names.isdisjoint({"*", "__getattr__"}):
        return None
    return f"there is no {attribute!r} in {spec.origin}{did_you_mean(attribute, names)}"


def _find(name: str, path: Sequence[str] | None) -> ModuleSpec | None:
    try:
        finders = (finder for finder in sys.meta_path if hasattr(finder, "find_spec"))
        return next((spec for finder in finders if (spec := finder.find_spec(name, path))), None)
    except KeyError:
        # A folder without __init__.py: its path asks for that of the package around it, which is not imported.
        folder = name.rpartition(".")[2]
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [os.path.join(each, folder) for each in path or ()]
        return spec


def _names(body: Iterable[ast.stmt]) -> Iterator[str]:
    """Yield the names that statements of a module bind, inside of ``if`` and ``try`` too."""
    for statement in body:
        match statement:
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                yield statement.name
            case ast.Import() | ast.ImportFrom():
                yield from (alias.asname or alias.name.partition(".")[0] for alias in statement.names)
            case ast.Assign():
                yield from (each.id for each in statement.targets if isinstance(each, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name
            case ast.If() | ast.Try() | ast.With():
                yield from _names(_inside(statement))


def _inside(statement: ast.If | ast.Try | ast.With) -> Iterator[ast.stmt]:
    yield from statement.body
    if isinstance(statement, ast.If | ast.Try):
        yield from statement.orelse
    if isinstance(statement, ast.Try):
        yield from statement.finalbody
        for handler in statement.handlers:
            yield from handler.body
