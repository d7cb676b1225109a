"""Fields of another tool's file: each is looked up with its place, so that what is wrong there can be named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.common.finite import is_finite_value


@dataclass(frozen=True, slots=True)
class Fields:
    """An object of a JSON file. Every lookup raises a ConfigurationError that names the file and the place."""

    source: str
    place: str
    found: Mapping[str, Any]

    def section(self, name: str) -> Fields:
        """Return an object that must be there."""
        value = self.found.get(name)
        if not isinstance(value, Mapping):
            raise self.wrong(name, f"an object is needed, got {value!r:.60}")
        return Fields(self.source, self._at(name), value)

    def sections(self, name: str) -> Iterator[Fields]:
        """Yield the objects of a list; none where it is missing or null."""
        value = self.found.get(name)
        if value is not None and not isinstance(value, list):
            raise self.wrong(name, f"a list is needed, got {value!r:.60}")
        for number, one in enumerate(value or ()):
            if not isinstance(one, Mapping):
                raise self.wrong(f"{name}.{number}", f"an object is needed, got {one!r:.60}")
            yield Fields(self.source, self._at(f"{name}.{number}"), one)

    def part(self, *names: str) -> Fields | None:
        """Return an object that lies so deep; None where any on the way to it is missing."""
        here = self
        for name in names:
            if not isinstance(here.found.get(name), Mapping):
                return None
            here = here.section(name)
        return here

    def text(self, name: str) -> str | None:
        """Return a text; None where there is none."""
        value = self.found.get(name)
        if value is not None and not isinstance(value, str):
            raise self.wrong(name, f"a text is needed, got {value!r:.60}")
        return value

    def number(self, name: str) -> float | None:
        """Return a finite number that is not negative; None where there is none."""
        value = self.found.get(name)
        if value is None:
            return None
        if not is_finite_value(value) or value < 0 or value > 1e18:
            raise self.wrong(name, f"a number from 0 on is needed, got {value!r:.60}")
        return float(value)

    def count(self, name: str) -> int | None:
        """Return a whole number that is not negative; None where there is none."""
        value = self.number(name)
        if value is not None and value != int(value):
            raise self.wrong(name, f"a whole number is needed, got {value!r}")
        return None if value is None else int(value)

    def required(self, name: str) -> float:
        """Return a number that must be there."""
        value = self.number(name)
        if value is None:
            raise self.wrong(name, "it is missing")
        return value

    def wrong(self, name: str, what: str) -> ConfigurationError:
        """Return the error that says what is wrong with a field."""
        return ConfigurationError(
            f"{self.source}: at {self._at(name)}: {what}. Write it again with the tool."
        )

    def _at(self, name: str) -> str:
        return f"{self.place}.{name}" if self.place else name
