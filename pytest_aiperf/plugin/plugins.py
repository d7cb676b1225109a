"""Look up registered classes. Reading the registry imports nothing that is registered."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module, resources
from typing import Any

from pytest_aiperf.common.errors import ConfigurationError, did_you_mean


def names(category: str) -> list[str]:
    """Return the registered names of a category, in the order of the registry."""
    return list(_category(category))


def get_class(category: str, name: str) -> Any:
    """Import and return the class that is registered under this name, or that ``"module:Class"`` names itself.

    Raises:
        ConfigurationError: no such category or name, or its module cannot be imported; the message says which.
    """
    entries = _category(category)
    if ":" in name:
        return _load(category, name, name, "as it was given")
    wanted = _normalised(name)
    if wanted not in entries:
        known = ", ".join(entries)
        raise ConfigurationError(
            f"unknown {category} {name!r}{did_you_mean(wanted, entries)}; there is: {known}"
        )
    return _load(category, wanted, entries[wanted]["class"], "from plugins.yaml")


def _load(category: str, name: str, path: str, source: str) -> Any:
    module, _, attribute = path.partition(":")
    try:
        return getattr(import_module(module), attribute)
    except (ImportError, AttributeError, TypeError, ValueError) as error:  # the last two: ".x:Y", ":Y"
        raise ConfigurationError(f"{category} {name!r}: cannot load {path!r} ({source}): {error}") from error


def _normalised(name: str) -> str:
    return name.strip().lower().replace("-", "_")


def _category(category: str) -> Mapping[str, Any]:
    registry = _registry()
    if category not in registry:
        raise ConfigurationError(
            f"unknown plugin category {category!r}{did_you_mean(category, registry)}; there is: {', '.join(registry)}"
        )
    entries: Mapping[str, Any] = registry[category]
    return entries


@cache
def _registry() -> Mapping[str, Any]:
    import yaml

    text = resources.files("pytest_aiperf.plugin").joinpath("plugins.yaml").read_text(encoding="utf-8")
    loaded: Mapping[str, Any] = yaml.safe_load(text)
    return loaded
