"""What a file gives, held against the options: types, bounds, names, and what a file may not hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.common.problems import Keys
from pytest_aiperf.config.coercion import parse_str_or_list, parse_urls
from pytest_aiperf.config.loader.envelope_keys import FURTHER_URLS, keys_by_option
from pytest_aiperf.config.loader.marked_yaml import Finding, Marked, plain
from pytest_aiperf.config.loader.value_types import value_for, wrong_types
from pytest_aiperf.config.registered_names import unknown_name
from pytest_aiperf.config.resolver import problems_of
from pytest_aiperf.config.tolerance import Tolerance, parse_tolerance
from pytest_aiperf.config.url_secrets import secret_in_proxy, secret_in_url

Checks = Mapping[str, Callable[[Any], object]]
"""By option: raises a `ConfigurationError` for what is not there. Called with each item of a list, and each pair of
a mapping as ``{key: value}``. Floors above know metrics.
"""


@dataclass(slots=True, kw_only=True)
class OptionValues:
    """The values of the options, and all that is wrong with them."""

    values: dict[str, Any] = field(default_factory=dict)
    tolerance: dict[str, Tolerance] = field(default_factory=dict)
    metrics: Sequence[str] | None = None
    findings: list[Finding] = field(default_factory=list)


def read_values(given: Mapping[str, tuple[Keys, Marked]], *, checks: Checks) -> OptionValues:
    """Return the values of what a file gives, by option."""
    reading = _Reading(given, checks)
    reading.read()
    return reading.found


class _Reading:
    def __init__(self, given: Mapping[str, tuple[Keys, Marked]], checks: Checks) -> None:
        self.found = OptionValues()
        self._given, self._checks = given, checks

    def read(self) -> None:
        kinds = {option: key.kind for option, key in keys_by_option().items()}
        for option, (keys, marked) in self._given.items():
            misread = [*wrong_types(kinds[option], marked, keys)]
            self.found.findings += misread
            if not misread:
                special = _SPECIAL.get(option, _Reading._read_option)
                special(self, option, keys, marked)
        self._check_values()

    def _read_option(self, option: str, keys: Keys, marked: Marked) -> None:
        value = value_for(keys_by_option()[option].kind, marked)
        if value != []:
            self.found.values[option] = value

    def _read_further_urls(self, option: str, keys: Keys, marked: Marked) -> None:
        """They are part of the option that has the first one, whichever of the two keys comes first."""
        urls = parse_str_or_list(plain(marked))
        if "endpoint" not in self._given:
            self._find(keys, marked.line, "there is no url that they are further to; write url, too")
        elif not isinstance(urls, list) or not all(isinstance(url, str) and url for url in urls):
            self._find(keys, marked.line, "write a list of URLs")

    def _read_tolerance(self, option: str, keys: Keys, marked: Marked) -> None:
        if not isinstance(marked.value, dict):
            self._find(keys, marked.line, "write metric.statistic: 5% pairs below it")
            return
        for metric, inner in marked.value.items():
            try:
                self.found.tolerance[metric] = parse_tolerance(plain(inner))
            except ValueError as error:
                self._find((*keys, metric), inner.line, str(error))
        self._check("tolerance", self.found.tolerance)

    def _read_metrics(self, option: str, keys: Keys, marked: Marked) -> None:
        names = parse_str_or_list(plain(marked))
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            self._find(keys, marked.line, "write a list of metrics, such as [ttft.p50, itl.p99]")
            return
        self.found.metrics = names
        self._check("metrics", names)

    def _check_values(self) -> None:
        found = self.found
        problems = problems_of(found.values)
        for place, message in problems.items():
            self._find_in(place, message)
        wrong = {place[0] for place in problems}
        if "endpoint" in found.values and FURTHER_URLS in self._given and not found.findings:
            urls = parse_str_or_list(plain(self._given[FURTHER_URLS][1]))
            found.values["endpoint"] = ",".join([found.values["endpoint"], *urls])  # type: ignore[misc]
        for option, value in found.values.items():
            if option not in wrong:
                self._check(option, value)

    def _check(self, option: str, value: Any) -> None:
        """Check what the types of options do not tell: names, and what a URL may hold."""
        keys, marked = self._given[option]
        if (problem := unknown_name(option, value) or _secret(option, value)) is not None:
            self._find(keys, marked.line, problem)
        if (check := self._checks.get(option)) is None:
            return
        for name, item in _items(value):
            try:
                check(item)
            except (ConfigurationError, ValueError) as error:
                self._find_in((option, name), str(error))

    def _find_in(self, place: Sequence[str], message: str) -> None:
        """Tell a problem where it stands: pydantic's places go on into mappings and lists."""
        option, *inner = place
        keys, marked = self._given[option]
        for name in inner:
            if isinstance(marked.value, dict) and name in marked.value:
                keys, marked = (*keys, name), marked.value[name]
        self._find(keys, marked.line, message)

    def _find(self, keys: Keys, line: int, message: str) -> None:
        self.found.findings.append(Finding(keys=keys, line=line, message=message))


_SPECIAL: Final = {
    FURTHER_URLS: _Reading._read_further_urls,
    "tolerance": _Reading._read_tolerance,
    "metrics": _Reading._read_metrics,
}
"""Keys that no option stands for."""


def _secret(option: str, value: Any) -> str | None:
    if option == "proxy":
        return secret_in_proxy(value)
    return (
        next(filter(None, map(secret_in_url, parse_urls(value))), None)
        if option in ("endpoint", "against")
        else None
    )


def _items(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, Mapping):
        return [(name, {name: inner}) for name, inner in value.items()]
    return [(str(number), item) for number, item in enumerate(value if isinstance(value, list) else [value])]
