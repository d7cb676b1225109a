"""Everything that is registered: this package's `plugins.yaml`, and those of third parties.

A third party's package has an entry point of the group `pytest_aiperf.plugins` whose value is ``package:file.yaml``.
A file with anything wrong in it is left out whole: half of a package's plugins would be harder to understand than none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Final

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.common.problems import Problem, together
from pytest_aiperf.plugin.categories import categories
from pytest_aiperf.plugin.declarations import Declarations, read_declarations
from pytest_aiperf.plugin.entry import Conflict, Contents, Entry, Skipped, Source
from pytest_aiperf.plugin.modules import find_module

GROUP: Final = "pytest_aiperf.plugins"
BUILT_IN: Final = Source(
    package="pytest-aiperf", file=str(Path(__file__).with_name("plugins.yaml")), built_in=True
)


def read_contents() -> Contents:
    """Return what this package and all others register.

    Raises:
        ConfigurationError: this package's own file is broken.
    """
    own, *others = read_all()
    if own.problems:
        raise ConfigurationError(together(own.problems))
    return merged([own, *others])


def read_all() -> list[Declarations]:
    """Return this package's declarations, and those of the others, by name of the package."""
    return [read_declarations(BUILT_IN), *_third_parties()]


def merged(declarations: Iterable[Declarations]) -> Contents:
    """Put declarations together: of one name that of the highest rank holds, else the first."""
    entries: dict[str, dict[str, Entry]] = {category: {} for category in categories()}
    conflicts, skipped = [], []
    for declared in declarations:
        if declared.problems:
            skipped.append(Skipped(package=declared.source.package, why=together(declared.problems)))
        for entry in declared.entries:
            held = entries[entry.category].setdefault(entry.name, entry)
            if entry.rank > held.rank:
                entries[entry.category][entry.name] = entry
            elif entry is not held and entry.rank == held.rank:
                conflicts.append(Conflict(first=held, second=entry))
    return Contents(
        entries=entries,
        bases={name: category.base for name, category in categories().items() if category.base},
        skipped=tuple(skipped),
        conflicts=tuple(conflicts),
    )


def _third_parties() -> Iterator[Declarations]:
    points = entry_points(group=GROUP)
    for point in sorted(points, key=lambda each: (_package_of(each), each.name)):
        package = _package_of(point)
        path, why = _file_of(point)
        if path is not None:
            yield read_declarations(Source(package=package, file=str(path)))
            continue
        problem = Problem(file=f"entry point {point.name} = {point.value!r}", message=why)
        yield Declarations(source=Source(package=package, file=point.value), problems=(problem,))


def _package_of(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else point.name


def _file_of(point: EntryPoint) -> tuple[Path | None, str]:
    """Return the file that an entry point names, or why there is none. The package is not imported."""
    package, colon, file = point.value.partition(":")
    if not (package and colon and file.endswith((".yaml", ".yml"))):
        return None, "write package:plugins.yaml"
    spec = find_module(package)
    if spec is None or not spec.submodule_search_locations:
        return None, f"there is no package {package!r}"
    paths = [Path(folder, file) for folder in spec.submodule_search_locations]
    found = next((path for path in paths if path.is_file()), None)
    return found, f"there is no {paths[0]}; is it among the files that the package installs?"
