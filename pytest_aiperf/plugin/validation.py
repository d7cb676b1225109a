"""All that is wrong with what is registered. Modules are looked for and parsed, none is imported."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pytest_aiperf.common.problems import Problem
from pytest_aiperf.plugin.contents import merged, read_all
from pytest_aiperf.plugin.declarations import Declarations
from pytest_aiperf.plugin.entry import Entry, Source
from pytest_aiperf.plugin.modules import what_is_missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """What a look at every package found."""

    sources: Sequence[Source]
    count: int
    """Entries that were looked at."""
    problems: Sequence[tuple[Source, Problem]]


def validate(declarations: Iterable[Declarations] | None = None) -> Validation:
    """Look at all packages' declarations, by default at those of this environment."""
    found = read_all() if declarations is None else list(declarations)
    lines = {(d.source, *place): line for d in found for place, line in d.lines.items()}

    def problem(entry: Entry, message: str, *below: str) -> tuple[Source, Problem]:
        line = lines.get((entry.source, entry.category, entry.name))
        keys = (entry.category, entry.name, *below)
        return entry.source, Problem(file=entry.source.file, line=line, keys=keys, message=message)

    def problems() -> Iterator[tuple[Source, Problem]]:
        for declared in found:
            yield from ((declared.source, each) for each in declared.problems)
            for entry in declared.entries:
                if (why := what_is_missing(entry.class_path)) is not None:
                    yield problem(entry, why, "class")
        yield from (problem(conflict.second, str(conflict)) for conflict in merged(found).conflicts)

    return Validation(
        sources=[declared.source for declared in found],
        count=sum(len(declared.entries) for declared in found),
        problems=list(problems()),
    )
