"""The name by which a test's baselines are found, and the one by which pytest is told to run it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest


def item_id(item: pytest.Item) -> str:
    """Return path, classes, function and parameters: stable where the node id is not (xdist groups change it)."""
    where = file_id(item.path, item.config.rootpath)
    callspec = getattr(item, "callspec", None)
    if callspec is None:
        return "::".join([where, *_within_the_file(item), item.name])
    function = getattr(item, "originalname", None) or item.name
    parameters = f"[{callspec.id}]" if callspec.id else ""
    return "::".join([where, *_within_the_file(item), f"{function}{parameters}"])


def file_id(path: Path, root: Path) -> str:
    """Return a test file's path from the root directory; outside of it the name alone, for nothing else is stable.

    A root directory behind a symbolic link is the same one.
    """
    behind = Path(os.path.realpath(path.parent), path.name)
    for this, base in ((path, root), (behind, Path(os.path.realpath(root)))):
        if this.is_relative_to(base):
            return this.relative_to(base).as_posix()
    return path.name


def _within_the_file(item: pytest.Item) -> Iterator[str]:
    """Yield the names of classes, and of what plugins nest tests in, from the outside in."""
    above = iter(item.listchain()[:-1])
    for node in above:
        if isinstance(node, pytest.File):
            yield from (inner.name for inner in above)


def plain_node_id(item: pytest.Item) -> str:
    """Return the node id that a user can type: ``--dist=loadgroup`` puts ``@group`` behind that of a worker."""
    return item.nodeid if item.parent is None else f"{item.parent.nodeid}::{item.name}"


def typed_node_id(item: pytest.Item) -> str:
    """Return the plain node id with its path as seen from where pytest was started: commands are typed there."""
    path, colons, inner = plain_node_id(item).partition("::")
    seen = os.path.relpath(item.config.rootpath / path, item.config.invocation_params.dir)
    return f"{Path(seen).as_posix()}{colons}{inner}"
