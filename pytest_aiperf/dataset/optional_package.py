"""PYTEST_DONT_REWRITE. Packages of the optional extras, imported when something needs them."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from pytest_aiperf.common.errors import ConfigurationError


def optional_package(name: str, *, extra: str, option: str) -> ModuleType:
    """Return the module.

    Raises:
        ConfigurationError: it cannot be imported; the message names the option that needs it and the extra.
    """
    try:
        return import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        raise ConfigurationError(
            f"{option} takes the package {package}, which cannot be imported ({error}): "
            f"pip install 'pytest-aiperf[{extra}]'"
        ) from error
