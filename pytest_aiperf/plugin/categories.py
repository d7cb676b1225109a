"""What the categories are, and which metadata an entry of each may have: `categories.yaml`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

from pytest_aiperf.common.errors import did_you_mean
from pytest_aiperf.plugin.yaml_file import read_yaml

_TYPES: Final[Mapping[str, type]] = {"string": str, "boolean": bool}
_EXAMPLES: Final[Mapping[str, str]] = {"string": "a text", "boolean": "true or false"}


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataKey:
    """One key of a category's metadata."""

    type: str
    """``string`` or ``boolean``."""
    description: str
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """A kind of plugin."""

    description: str
    base: str | None = None
    """Class that members inherit from, ``module:Class``."""
    protocol: str | None = None
    """Class whose methods members have, ``module:Class``."""
    metadata: Mapping[str, MetadataKey] = field(default_factory=dict)

    def problems(self, metadata: Mapping[Any, Any]) -> Iterator[tuple[str, str]]:
        """Yield key and sentence for all that does not fit."""
        for name, value in metadata.items():
            key = self.metadata.get(name)
            if key is None:
                yield str(name), f"unknown key{did_you_mean(str(name), self.metadata)}; {self._known()}"
            elif type(value) is not _TYPES[key.type]:
                yield str(name), f"write {_EXAMPLES[key.type]}, not {value!r}"
        for name, key in self.metadata.items():
            if key.required and name not in metadata:
                yield name, f"is missing; write {_EXAMPLES[key.type]} ({key.description.lower()})"

    def _known(self) -> str:
        return f"there is: {', '.join(self.metadata)}" if self.metadata else "this category has none"


@cache
def categories() -> Mapping[str, Category]:
    """Return all categories, in the order of the file."""
    declared = read_yaml(Path(__file__).with_name("categories.yaml")).data
    return {
        name: Category(
            **{key: value for key, value in given.items() if key != "metadata"},
            metadata={key: MetadataKey(**told) for key, told in given.get("metadata", {}).items()},
        )
        for name, given in declared.items()
    }
