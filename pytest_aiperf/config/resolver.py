"""Merge what was given in several places, by precedence. "Given" means given: 0 and False count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import ValidationError

from pytest_aiperf.common.errors import ConfigurationError, did_you_mean
from pytest_aiperf.config.cli_config import CLIConfig

_NEVER_SHOWN: Final = frozenset({"headers"})
"""Options whose values may be secrets."""


@dataclass(frozen=True, slots=True)
class Layer:
    """Options that were given in one place."""

    source: str
    """Where, for messages: ``aiperf marker at tests/test_chat.py:7``, ``command line``, ``environment``."""
    values: Mapping[str, Any]
    places: Mapping[str, str] = field(default_factory=dict)
    """By option, where `source` is a file: ``aiperf.yaml, line 7``."""


def resolve(layers: Sequence[Layer]) -> CLIConfig:
    """Return the options that hold; `layers` come strongest first.

    Raises:
        ConfigurationError: an unknown name or a value out of range, with the layer that gave it.
    """
    merged: dict[str, Any] = {}
    origin: dict[str, str] = {}
    for layer in reversed(layers):
        check_names(layer, CLIConfig.model_fields)
        merged.update(layer.values)
        origin.update(dict.fromkeys(layer.values, layer.source) | dict(layer.places))
    try:
        return CLIConfig(**merged)
    except ValidationError as error:
        raise ConfigurationError(_first_problem(error, origin)) from None


def problems_of(values: Mapping[str, Any]) -> Mapping[tuple[str, ...], str]:
    """Return everything that is wrong with the values of options, by option and, in a mapping, its keys."""
    try:
        CLIConfig(**values)
    except ValidationError as error:
        found: dict[tuple[str, ...], str] = {}
        for problem in error.errors(include_url=False):
            found.setdefault(tuple(map(str, problem["loc"])), _told(problem))
        return found
    return {}


def _told(problem: Mapping[str, Any]) -> str:
    """The message of a validator of ours has the value already, as it may be shown."""
    message, ours = plain_message(problem), problem["type"] == "value_error"
    return message if ours or problem["loc"][0] in _NEVER_SHOWN else f"{message}, got {problem['input']!r}"


def check_names(layer: Layer, known: Mapping[str, object] | Sequence[str]) -> None:
    """Raise a ConfigurationError that names the first unknown option of a layer and the nearest known one."""
    for name in layer.values:
        if name not in known:
            raise ConfigurationError(f"{layer.source}: unknown argument {name!r}{did_you_mean(name, known)}")


def _first_problem(error: ValidationError, origin: Mapping[str, str]) -> str:
    problem = error.errors(include_url=False)[0]
    name = str(problem["loc"][0]) if problem["loc"] else ""
    given = "" if name in _NEVER_SHOWN else f"={problem['input']!r}"
    return f"{origin.get(name, 'configuration')}: {name}{given}: {plain_message(problem)}"


def plain_message(problem: Mapping[str, Any]) -> str:
    """Return pydantic's message without its prefixes."""
    message = str(problem["msg"]).removeprefix("Value error, ")
    return message[:1].lower() + message[1:]
