"""What `pytest-aiperf plugins` prints: lines for people, documents for programs. Nothing that is listed is imported."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pytest_aiperf.common.errors import ConfigurationError, did_you_mean
from pytest_aiperf.plugin.categories import categories
from pytest_aiperf.plugin.contents import merged, read_all
from pytest_aiperf.plugin.entry import Contents, Entry, normalised
from pytest_aiperf.plugin.registry import Registry
from pytest_aiperf.plugin.validation import Validation

SCHEMA: Final = 1


def chosen(contents: Contents, category: str | None) -> Mapping[str, Sequence[Entry]]:
    """Return the entries by category: of one, or of all.

    Raises:
        ConfigurationError: there is no such category.
    """
    if category is not None and normalised(category) not in contents.entries:
        known = contents.entries
        raise ConfigurationError(
            f"unknown plugin category {category!r}{did_you_mean(normalised(category), known)}; "
            f"there is: {', '.join(known)}"
        )
    return {
        name: list(entries.values())
        for name, entries in contents.entries.items()
        if category is None or name == normalised(category)
    }


def list_lines(contents: Contents, category: str | None) -> Iterator[str]:
    """Yield the names of a category, or of all, with package and description."""
    for name, entries in chosen(contents, category).items():
        yield f"{name}: {categories()[name].description}"
        widths = [max((len(text) for text in texts), default=0) for texts in _columns(entries)]
        for entry in entries:
            yield f"  {entry.name:<{widths[0]}}  {entry.source.package:<{widths[1]}}  {entry.description}"
        yield ""
    yield from contents.warnings()


def _columns(entries: Sequence[Entry]) -> tuple[list[str], list[str]]:
    return [entry.name for entry in entries], [entry.source.package for entry in entries]


def list_document(contents: Contents, category: str | None) -> dict[str, Any]:
    """Return the same with all that is known of each."""
    return {
        "schema": SCHEMA,
        "plugins": [
            entry_document(each) for entries in chosen(contents, category).values() for each in entries
        ],
        "warnings": contents.warnings(),
    }


def entry_document(entry: Entry) -> dict[str, Any]:
    """Return an entry in builtin types."""
    return {
        "category": entry.category,
        "name": entry.name,
        "class": entry.class_path,
        "description": entry.description,
        "package": entry.source.package,
        "file": entry.source.file,
        "priority": entry.priority,
        "metadata": dict(entry.metadata),
    }


def show_lines(category: str, name: str) -> Iterator[str]:
    """Yield what is known of one name: what holds, and what it holds in the place of.

    Raises:
        ConfigurationError: there is no such category or name.
    """
    declared = read_all()
    contents = merged(declared)
    (category,) = chosen(contents, category)
    entry = Registry(lambda: contents).entry(category, name)
    told = categories()[category]
    rows = [
        ("class", entry.class_path),
        ("package", entry.source.package),
        ("file", entry.source.file),
        ("priority", str(entry.priority)),
        *(("is a", path) for path in (told.base, told.protocol) if path),
        *(
            (key, f"{json.dumps(value)}  ({told.metadata[key].description})")
            for key, value in entry.metadata.items()
        ),
        *(
            ("instead of", f"{other.class_path} of {other.source.package}")
            for each in declared
            for other in each.entries
            if (other.category, other.name) == (category, entry.name) and other is not entry
        ),
    ]
    width = max(len(label) for label, _ in rows)
    yield f"{category} {entry.name}: {entry.description}"
    yield from (f"  {label:<{width}}  {text}" for label, text in rows)


def validate_lines(found: Validation) -> Iterator[str]:
    """Yield every problem, and a line that sums up."""
    yield from (f"{source.package}: {problem}" for source, problem in found.problems)
    packages = _counted(len(found.sources), "package")
    if not found.problems:
        yield f"{_counted(found.count, 'plugin')} of {packages}: nothing is wrong"
    else:
        yield f"{_counted(len(found.problems), 'problem')} in {packages}"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def validate_document(found: Validation) -> dict[str, Any]:
    """Return the same in builtin types."""
    return {
        "schema": SCHEMA,
        "packages": [source.package for source in found.sources],
        "plugins": found.count,
        "problems": [
            {
                "package": source.package,
                "file": problem.file,
                "line": problem.line,
                "key": ".".join(problem.keys),
                "message": problem.message,
            }
            for source, problem in found.problems
        ],
    }


def rendered(document: Mapping[str, Any]) -> str:
    """Return a document as JSON."""
    return json.dumps(document, indent=2, ensure_ascii=False)
