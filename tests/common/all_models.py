"""Every pydantic model of the package."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

from pydantic import BaseModel

import pytest_aiperf

PACKAGE = Path(pytest_aiperf.__file__).parent


def models() -> list[type[BaseModel]]:
    for module in pkgutil.walk_packages([str(PACKAGE)], "pytest_aiperf."):
        if not module.name.endswith("__main__") and ".pytest_plugin" not in module.name:
            importlib.import_module(module.name)
    found, todo = [], [BaseModel]
    while todo:
        below = todo.pop().__subclasses__()
        todo += below
        found += [cls for cls in below if cls.__module__.startswith("pytest_aiperf.")]
    return sorted(set(found), key=lambda cls: (cls.__module__, cls.__qualname__))
