"""The name by which a test's baselines are found."""

from __future__ import annotations

import pytest


def item_id(item: pytest.Item) -> str:
    """Return path, classes, function and parameters: stable where the node id is not (xdist groups change it)."""
    path = item.path
    try:
        where = path.relative_to(item.config.rootpath).as_posix()
    except ValueError:
        where = path.name
    classes = [node.name for node in item.listchain() if isinstance(node, pytest.Class)]
    function = getattr(item, "originalname", None) or item.name
    callspec = getattr(item, "callspec", None)
    parameters = f"[{callspec.id}]" if callspec is not None and callspec.id else ""
    return "::".join([where, *classes, f"{function}{parameters}"])
