"""What a registry holds: a class under a name, and who registered it. Nothing of it is imported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_aiperf.common.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Who registers."""

    package: str
    """The distribution."""
    file: str
    """Its YAML file."""
    built_in: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A class under a name of a category."""

    category: str
    name: str
    class_path: str
    """``module:Class``."""
    description: str = ""
    source: Source
    priority: int = 0
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """What can be known of the class without importing it; the keys are those of the category."""
    loaded: type | None = None
    """The class itself, where one was registered instead of its path."""

    @property
    def rank(self) -> tuple[int, bool]:
        """Of two entries with one name that of the higher rank holds: by priority, then third party over built-in."""
        return self.priority, not self.source.built_in


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A package that could not be taken in."""

    package: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """A name that two packages claim with equal right."""

    first: Entry
    """What holds."""
    second: Entry

    def __str__(self) -> str:
        first, second = self.first, self.second
        return (
            f"{first.category} {first.name!r} is registered by {first.source.package} ({first.class_path}) and by "
            f"{second.source.package} ({second.class_path}); that of {first.source.package} holds. Uninstall one of "
            "them, or give one a higher priority in its YAML file"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """Everything that is registered."""

    entries: Mapping[str, Mapping[str, Entry]]
    """By category and name, in order."""
    bases: Mapping[str, str]
    """By category: the class, ``module:Class``, that its members inherit from; only where they must."""
    skipped: tuple[Skipped, ...] = ()
    conflicts: tuple[Conflict, ...] = ()

    def warnings(self) -> list[str]:
        """Return a sentence for all that somebody should put right."""
        skipped = [f"the plugins of {each.package} are left out: {each.why}" for each in self.skipped]
        return [*skipped, *map(str, self.conflicts)]


class PluginWarning(ConfigurationError, UserWarning):
    """A package's plugins are left out, or two packages claim one name.

    A `ConfigurationError` too: where warnings are errors, it ends as one does, and not as an internal error of pytest.
    """


def normalised(name: str) -> str:
    """Return a name as the registry has it: case does not matter, nor whether it is written with ``-`` or ``_``."""
    return name.strip().lower().replace("-", "_")
