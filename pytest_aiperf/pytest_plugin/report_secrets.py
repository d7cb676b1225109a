"""PYTEST_DONT_REWRITE. The text of a failed test without this run's secrets.

Messages of ours hold none. This is for what pytest adds: ``--showlocals`` prints the variables of every frame, those of
the standard library, of the user's test and of fixtures too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import pytest

from pytest_aiperf.pytest_plugin import marker, options


def hide_secrets(item: pytest.Item, report: pytest.TestReport) -> None:
    """Mask the API key, what request headers take from the environment, and credentials in URLs in a report's text."""
    from pytest_aiperf.common.header_values import api_key
    from pytest_aiperf.common.masking import Masking

    hide = Masking(api_key=api_key(), headers=_headers(item)).without_known
    report.longrepr = _masked(report.longrepr, hide)
    report.sections[:] = [(name, hide(text)) for name, text in report.sections]


def _headers(item: pytest.Item) -> Mapping[str, str]:
    """Return the headers that the test was given; wrong ones have been told of elsewhere."""
    from pytest_aiperf.config.coercion import parse_headers

    together: dict[str, str] = {}
    for given in (options.value_of(item.config, "headers"), marker.merged(item).get("headers")):
        try:
            parsed = parse_headers(given)
        except ValueError:
            continue
        together |= parsed if isinstance(parsed, dict) else {}
    return together


def _masked(shown: Any, hide: Callable[[str], str]) -> Any:
    """Return a traceback as pytest keeps it, dataclasses in lists in dataclasses, with `hide` applied to each text."""
    if isinstance(shown, str):
        return hide(shown)
    if isinstance(shown, (list, tuple)):
        return type(shown)(_masked(one, hide) for one in shown)
    if is_dataclass(shown) and not isinstance(shown, type):
        for one in fields(shown):
            value = getattr(shown, one.name)
            object.__setattr__(shown, one.name, _masked(value, hide))
    return shown
