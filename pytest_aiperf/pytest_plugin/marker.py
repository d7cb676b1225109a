"""PYTEST_DONT_REWRITE. The marker: keywords only, merged from module to function, checked at collection.

A mistake is reported at the test's setup, because a UsageError in an xdist worker would end the whole session.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import pytest

from pytest_aiperf.pytest_plugin.measuring import NAME
from pytest_aiperf.pytest_plugin.option_table import OPTIONS

LOAD: Final = tuple(option.field for option in OPTIONS if option.marker)
MARKER_ONLY: Final = ("tolerance", "metrics", "name", "judge", "slo")

_PROBLEM: Final = pytest.StashKey[str]()
VERDICT: Final = pytest.StashKey[AssertionError]()
"""A verdict that fails the test, reached before its body was called."""
MEASURED: Final = pytest.StashKey[int]()
"""How many measurements a test has begun."""


def layers(item: pytest.Item) -> Iterator[Mapping[str, Any]]:
    """Yield the keywords of the markers, the nearest first."""
    for mark in item.iter_markers(NAME):
        yield mark.kwargs


def merged(item: pytest.Item) -> dict[str, Any]:
    """Return the marker's keywords, merged key by key; tolerances and SLOs are merged metric by metric."""
    return merged_with(item, {})


def merged_with(item: pytest.Item, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return the marker's keywords and those of a call, which are nearer than any marker's."""
    together: dict[str, Any] = {}
    for keywords in (*reversed(list(layers(item))), overrides):
        by_metric = {
            name: {**together[name], **keywords[name]}
            for name in ("tolerance", "slo")
            if isinstance(together.get(name), Mapping) and isinstance(keywords.get(name), Mapping)
        }
        together |= {**keywords, **by_metric}
    return together


def check_items(items: Sequence[pytest.Item]) -> None:
    """Remember what is wrong with the markers of these items."""
    for item in items:
        if item.get_closest_marker(NAME) is not None and (problem := _problem(item)):
            path, line, _ = item.location
            item.stash[_PROBLEM] = f"aiperf marker: {problem}\n  at {path}:{(line or 0) + 1}"


def start_anew(item: pytest.Item) -> None:
    """Forget what an earlier try of this test came to: plugins that rerun tests keep the item."""
    item.stash[MEASURED] = 0
    if VERDICT in item.stash:
        del item.stash[VERDICT]


def report_problem(item: pytest.Item) -> None:
    """Fail the setup of a test whose marker is wrong."""
    if problem := item.stash.get(_PROBLEM, None):
        pytest.fail(problem, pytrace=False)


def raise_verdict(item: pytest.Item) -> None:
    """Fail a test whose `aiperf_result` has failed it already: in the call phase, where failures belong."""
    __tracebackhide__ = True
    if (verdict := item.stash.get(VERDICT, None)) is not None:
        raise verdict.with_traceback(None)


def require_measurement(item: pytest.Item) -> None:
    """Fail a marked test that measured nothing: it would be green whatever the server does."""
    if item.get_closest_marker(NAME) is not None and not item.stash.get(MEASURED, 0):
        pytest.fail(
            "marked aiperf, but it measured nothing: call aiperf.run() or use the aiperf_result fixture",
            pytrace=False,
        )


def _problem(item: pytest.Item) -> str | None:
    from pytest_aiperf.common.errors import AiperfError

    if any(mark.args for mark in item.iter_markers(NAME)):
        return "takes keywords only, e.g. aiperf(concurrency=8)"
    try:
        check_keywords(merged(item), "argument")
    except AiperfError as error:
        return str(error)
    return None


def check_keywords(keywords: Mapping[str, Any], source: str) -> None:
    """Raise a ConfigurationError for a keyword that is unknown or a value that cannot be."""
    from pytest_aiperf.common.errors import ConfigurationError, did_you_mean
    from pytest_aiperf.config.registered_names import unknown_name
    from pytest_aiperf.config.resolver import Layer, resolve
    from pytest_aiperf.config.tolerance import parse_tolerance
    from pytest_aiperf.metrics.registry import parse_judged

    known = (*LOAD, *MARKER_ONLY)
    unknown = next((name for name in keywords if name not in known), None)
    if unknown is not None:
        raise ConfigurationError(f"unknown argument {unknown!r}{did_you_mean(unknown, known)}")
    resolve([Layer(source, {name: value for name, value in keywords.items() if name in LOAD})])
    if problem := next(filter(None, (unknown_name(*pair) for pair in keywords.items())), None):
        raise ConfigurationError(problem)
    tolerance = keywords.get("tolerance", {})
    if not isinstance(tolerance, Mapping):
        raise ConfigurationError(f"tolerance={tolerance!r}: write a mapping such as {{'ttft.p50': '5%'}}")
    for metric, value in tolerance.items():
        parse_judged(metric)
        try:
            parse_tolerance(value)
        except ValueError as error:
            raise ConfigurationError(str(error)) from None
    for metric in keywords.get("metrics") or ():
        parse_judged(metric)
    if "slo" in keywords:
        from pytest_aiperf.measure.slo import parse_slo

        parse_slo(keywords["slo"])
    _check_thresholds(keywords)
    check_name(keywords.get("name"))


def check_name(name: object) -> None:
    """Raise a ConfigurationError for what cannot be the name of a measurement."""
    if not is_name(name):
        from pytest_aiperf.common.errors import ConfigurationError

        raise ConfigurationError(f"name={name!r}: write a text that is not empty, of whole characters")


def is_name(name: object) -> bool:
    """Tell whether this can be the name of a measurement; None is no name. Half a surrogate pair fits into no file."""
    if not isinstance(name, str):
        return name is None
    return bool(name) and not any("\ud800" <= c <= "\udfff" for c in name)


def _check_thresholds(keywords: Mapping[str, Any]) -> None:
    from pytest_aiperf.common.errors import ConfigurationError, did_you_mean
    from pytest_aiperf.config.coercion import parse_thresholds

    if keywords.get("goodput"):
        from pytest_aiperf.metrics.goodput import parse_slos

        parse_slos(parse_thresholds(keywords["goodput"]))  # type: ignore[arg-type]  # checked by `resolve`
    if keywords.get("validity"):
        from pytest_aiperf.measure.validity.limits import USUAL

        limits = parse_thresholds(keywords["validity"])
        unknown = next((check for check in limits if check not in USUAL), None)  # type: ignore[attr-defined]
        if unknown is not None:
            raise ConfigurationError(
                f"validity: there is no check named {unknown!r}{did_you_mean(unknown, USUAL)}"
            )
