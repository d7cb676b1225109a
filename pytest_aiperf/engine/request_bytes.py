"""PYTEST_DONT_REWRITE. The bytes of a request: only its index, length and body differ within a run."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final
from urllib.parse import quote

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.common.header_values import api_key
from pytest_aiperf.endpoints.base_endpoint import BaseEndpoint
from pytest_aiperf.engine.address import Target
from pytest_aiperf.engine.plan import LoadPlan

REQUEST_ID_PREFIX: Final = "00000000-0000-4000-8000-"
"""A request's id is a UUID, because some servers refuse any other shape; its last group is the request's number."""
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_OURS: Final = frozenset(
    {"accept-encoding", "connection", "content-length", "host", "transfer-encoding", "x-request-id"}
)


def key_headers(endpoint: BaseEndpoint | type[BaseEndpoint], key: str) -> dict[str, str]:
    """Return the header in which this endpoint's API takes the key."""
    name = endpoint.key_header
    return {name: f"Bearer {key}" if name == "authorization" else key}


def request_number(request_id: str) -> int:
    """Return the number of the request that this id names."""
    return int(request_id.removeprefix(REQUEST_ID_PREFIX), 16)


def new_numbers(plan: LoadPlan) -> Callable[[int], int] | None:
    """Return what tells the number in the whole plan of the i-th request of this one: what its id and target go by.

    None where the plan is the whole: there it is i.
    """
    if plan.numbers is None:
        return None
    numbers, rows, whole = plan.numbers.tolist(), len(plan.bodies), plan.whole or 0
    return lambda index: numbers[index % rows] + index // rows * whole


def new_turns(plan: LoadPlan) -> Callable[[int], int]:
    """Return what tells to which of the plan's targets its i-th request goes: round robin in the whole plan."""
    targets, number_of = len(plan.urls), new_numbers(plan)
    if number_of is None:
        return lambda index: index % targets
    return lambda index: number_of(index) % targets


class RequestBytes:
    """Head and body of every request of a plan, made when asked for: a plan of 200 000 is not held twice.

    Making one costs about a microsecond; the slots ask for the next request while the last is under way. Bodies are
    used again from the start when there are more requests than bodies.
    """

    def __init__(self, plan: LoadPlan, targets: Sequence[Target], endpoint: BaseEndpoint) -> None:
        self._bodies = plan.bodies
        self._heads = [_common_head(plan, target, endpoint) for target in targets]
        self._plan, self._targets, self._endpoint = plan, targets, endpoint
        self._number_of = new_numbers(plan)

    def __len__(self) -> int:
        return len(self._bodies)

    def __getitem__(self, index: int) -> bytes:
        body = self._bodies[index % len(self._bodies)]
        number = index if self._number_of is None else self._number_of(index)
        return b"%b%012x\r\ncontent-length: %d\r\n\r\n%b" % (
            self._heads[number % len(self._heads)],
            number,
            len(body),
            body,
        )

    def follow_up(self, index: int, path: str) -> bytes:
        """Return a GET that goes after a request, with the request's own id and to its own target.

        Made from scratch each time: it is no part of a path on which time counts.
        """
        number = index if self._number_of is None else self._number_of(index)
        target = self._targets[number % len(self._targets)]
        below, mark, query = target.path.partition("?")
        asked = below.rstrip("/") + quote(path, safe="/%") + mark + query
        head = _head("GET", asked, target, {"accept": "*/*"}, self._plan, self._endpoint)
        return b"%b%012x\r\n\r\n" % (head, number)


def _common_head(plan: LoadPlan, target: Target, endpoint: BaseEndpoint) -> bytes:
    own = {
        "content-type": endpoint.content_type,
        "accept": "text/event-stream" if plan.streaming else "application/json",
    }
    return _head("POST", target.path, target, own, plan, endpoint)


def _head(
    method: str, path: str, target: Target, own: Mapping[str, str], plan: LoadPlan, endpoint: BaseEndpoint
) -> bytes:
    headers = {**own, "user-agent": "pytest-aiperf", **endpoint.headers}
    if plan.connection_reuse == "never":
        headers["connection"] = "close"
    key = api_key()
    if key is not None:
        headers |= key_headers(endpoint, key)
    for name, value in plan.headers.items():
        headers[_checked_name(name)] = value
    lines = [f"{method} {path} HTTP/1.1", f"host: {target.authority}", "accept-encoding: identity"]
    lines += [f"{name}: {_checked_value(name, value)}" for name, value in headers.items()]
    return ("\r\n".join([*lines, f"x-request-id: {REQUEST_ID_PREFIX}"])).encode("latin-1")


def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ConfigurationError(f"{name!r} is not a header name")
    if name.lower() in _OURS:
        raise ConfigurationError(f"the header {name!r} is set by the load engine and cannot be given")
    return name.lower()


def _checked_value(name: str, value: str) -> str:
    shown = (
        "the API key"
        if value == api_key() or name == "authorization"
        else f"the value of the header {name!r}"
    )
    if any(c in value for c in "\r\n\0") or any(ord(c) > 255 for c in value):
        raise ConfigurationError(f"{shown} holds a line break or a character that a header cannot carry")
    return value.strip()
