"""One measurement for each value of an option: all of them are made before the test fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.pytest_plugin import marker

if TYPE_CHECKING:
    from pytest_aiperf.measure.result import Result


def sweep(run: Callable[..., Result], name: str | None, options: Mapping[str, Any]) -> Mapping[Any, Result]:
    """Call `run` for each value of the one option that is given as a list, under a name that tells it.

    Raises:
        ConfigurationError: no option or more than one is a list, the list is empty, or names a value twice.
        AssertionError: of the first value that failed; the others' first lines are added.
    """
    field, values = _varied(options)
    fixed = {key: value for key, value in options.items() if key != field}
    results: dict[Any, Result] = {}
    failures: list[AssertionError] = []
    for value in values:
        own_name = f"{field}={value}" if name is None else f"{name} {field}={value}"
        try:
            results[value] = run(own_name, **fixed, **{field: value})
        except AssertionError as failure:
            failures.append(failure)
    if failures:
        raise _together(failures)
    return results


def _varied(options: Mapping[str, Any]) -> tuple[str, Sequence[Any]]:
    lists = {
        name: list(value)
        for name, value in options.items()
        if name not in marker.MARKER_ONLY and isinstance(value, (list, tuple, range))
    }
    if len(lists) != 1:
        given = f"{' and '.join(lists)} are" if lists else "none is"
        raise ConfigurationError(
            f"aiperf.sweep: give one option as a list, e.g. concurrency=[1, 8, 32]; {given} here"
        )
    ((field, values),) = lists.items()
    if not values or len(set(values)) < len(values):
        raise ConfigurationError(f"aiperf.sweep: {field}={values!r}: give at least one value, each one once")
    return field, values


def _together(failures: Sequence[AssertionError]) -> AssertionError:
    first, *others = failures
    if not others:
        return first
    also = "\n".join(f"  {str(other).partition(chr(10))[0]}" for other in others)
    return type(first)(f"{first}\n\n  Also:\n{also}")
