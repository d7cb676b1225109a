"""For tests: something else under a name, for a while."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pytest_aiperf.plugin import plugins


@contextmanager
def mock_plugin(
    category: str, name: str, plugin: type | str, *, metadata: Mapping[str, Any] | None = None
) -> Iterator[None]:
    """Register a class, or a ``"module:Class"``, under a name, and give back what the name meant before.

    It may be nested, and an exception passes through. A load process that runs already has the registry that was when
    it was started.
    """
    previous = plugins.register(category, name, plugin, metadata=metadata)
    try:
        yield
    finally:
        plugins.register(category, name, previous)
