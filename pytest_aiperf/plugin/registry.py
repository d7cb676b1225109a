"""Names by category, and the classes behind them: imported when somebody asks for one, and no earlier."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib import import_module
from typing import Any, Final, NoReturn

from pytest_aiperf.common.errors import ConfigurationError, did_you_mean
from pytest_aiperf.plugin.entry import Contents, Entry, PluginWarning, Source, normalised

_BY_CALL: Final = Source(package="this process", file="a call of register()")
_AS_GIVEN: Final = Source(package="", file="")


class Registry:
    """What is registered, read when it is first asked for."""

    def __init__(self, read: Callable[[], Contents]) -> None:
        self._read = read
        self._contents: Contents | None = None
        self._entries: dict[str, dict[str, Entry]] = {}
        self.version = 0
        """Grows whenever something is registered: who keeps what it found here compares it."""

    def names(self, category: str) -> list[str]:
        """Return the names of a category, in the order of the registry."""
        return list(self._category(category))

    def entries(self, category: str) -> list[Entry]:
        """Return what is registered in a category; nothing of it is imported."""
        return list(self._category(category).values())

    def entry(self, category: str, name: str) -> Entry:
        """Return what is registered under a name, or what a ``"module:Class"`` names; nothing is imported.

        Raises:
            ConfigurationError: no such category or name; the message has what there is, and the nearest of it.
        """
        known = self._category(category)
        if ":" in name:
            return Entry(category=category, name=name, class_path=name.strip(), source=_AS_GIVEN)
        found = known.get(normalised(name))
        return found if found is not None else self._unknown(category, name)

    def get_class(self, category: str, name: str) -> Any:
        """Import and return the class that is registered under this name, or that a ``"module:Class"`` names.

        Raises:
            ConfigurationError: no such category or name; it cannot be imported, or is no class of the category's kind.
        """
        return self.load(self.entry(category, name))

    def load(self, entry: Entry) -> Any:
        """Import and return the class of an entry, as `get_class`."""
        if entry.loaded is not None:
            return entry.loaded
        try:
            found = _attribute(entry.class_path)
            why = _misfit(found, self._bases.get(entry.category))
        except Exception as error:  # while it is imported, a module may raise whatever it likes
            raise ConfigurationError(_cannot_load(entry, f"{type(error).__name__}: {error}")) from error
        if why is not None:
            raise ConfigurationError(_cannot_load(entry, why))
        return found

    def register(
        self,
        category: str,
        name: str,
        plugin: type | str | Entry | None,
        *,
        metadata: Mapping[str, Any] | None = None,
    ) -> Entry | None:
        """Put a class, a ``"module:Class"`` or an entry under a name, whatever holds it; None takes the name away.

        It holds in this process, and in load processes that are started later if they can import it.

        Returns:
            What the name meant before, to be given back to `register`; None if it meant nothing.

        Raises:
            ConfigurationError: no such category.
        """
        known, name = self._category(category), normalised(name)
        previous = known.get(name)
        if plugin is None:
            known.pop(name, None)
        elif isinstance(plugin, Entry):
            known[name] = plugin
        else:
            known[name] = _entry_of(category, name, plugin, metadata or {})
        self.version += 1
        return previous

    def to_payload(self) -> dict[str, Any]:
        """Return all of it in builtin types, so that a child process has the same registry without reading it."""
        self._ensure()
        entries = [e for category in self._entries.values() for e in category.values()]
        return {
            "bases": dict(self._bases),
            "entries": [
                [e.category, e.name, e.class_path, e.source.package, e.source.file, e.source.built_in]
                for e in entries
            ],
        }

    def adopt(self, payload: Mapping[str, Any]) -> None:
        """Have what `to_payload` returned in another process."""
        found: dict[str, dict[str, Entry]] = {}
        for category, name, class_path, package, file, built_in in payload["entries"]:
            source = Source(package=package, file=file, built_in=built_in)
            entry = Entry(category=category, name=name, class_path=class_path, source=source)
            found.setdefault(category, {})[name] = entry
        self._take(Contents(entries=found, bases=payload["bases"]))

    @property
    def _bases(self) -> Mapping[str, str]:
        return self._contents.bases if self._contents else {}

    def _category(self, category: str) -> dict[str, Entry]:
        self._ensure()
        if category not in self._entries:
            raise ConfigurationError(
                f"unknown plugin category {category!r}{did_you_mean(category, self._entries)}; "
                f"there is: {', '.join(self._entries)}"
            )
        return self._entries[category]

    def _ensure(self) -> None:
        if self._contents is not None:
            return
        contents = self._read()
        for text in contents.warnings():
            warnings.warn(text, PluginWarning, stacklevel=2)
        self._take(contents)

    def _take(self, contents: Contents) -> None:
        self._entries = {category: dict(entries) for category, entries in contents.entries.items()}
        self._contents = contents
        self.version += 1

    def _unknown(self, category: str, name: str) -> NoReturn:
        known = self._entries[category]
        skipped = self._contents.skipped if self._contents else ()
        left_out = "".join(f"\n  {each.package} is left out: {each.why}" for each in skipped)
        raise ConfigurationError(
            f"unknown {category} {name!r}{did_you_mean(normalised(name), known)}; "
            f"there is: {', '.join(known)}{left_out}"
        )


def _entry_of(category: str, name: str, plugin: type | str, metadata: Mapping[str, Any]) -> Entry:
    entry = Entry(category=category, name=name, class_path="", source=_BY_CALL, metadata=dict(metadata))
    if isinstance(plugin, str):
        return replace(entry, class_path=plugin)
    return replace(entry, class_path=f"{plugin.__module__}:{plugin.__qualname__}", loaded=plugin)


def _attribute(class_path: str) -> Any:
    module, _, attribute = class_path.partition(":")
    return getattr(import_module(module), attribute)


def _misfit(found: Any, base: str | None) -> str | None:
    """Return why this cannot be a member of its category."""
    if not isinstance(found, type):
        return f"it is no class but {found!r}"
    if base is not None and not issubclass(found, _attribute(base)):
        return f"it does not inherit from {base.replace(':', '.')}"
    return None


def _cannot_load(entry: Entry, why: str) -> str:
    source = entry.source
    where = f"registered by {source.package} in {source.file}" if source.package else "as it was given"
    return f"{entry.category} {entry.name!r}: cannot load {entry.class_path!r} ({where}): {why}"
