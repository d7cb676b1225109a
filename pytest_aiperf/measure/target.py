"""The server under test, asked once before any load: does it answer, and which model does it serve?"""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from typing import Any, Final

from pytest_aiperf.common.errors import EndpointError
from pytest_aiperf.config.aiperf_config import AIPerfConfig
from pytest_aiperf.endpoints.base_endpoint import BaseEndpoint
from pytest_aiperf.plugin import plugins
from pytest_aiperf.plugin.enums import PluginType

_ASK_S: Final = 10.0
_MAX_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where the requests go and what they name."""

    url: str
    """Request URL, the API's path included."""
    model: str


def find_target(config: AIPerfConfig) -> Target:
    """Return the target of a measurement; the model is asked for only when the user gave none.

    Raises:
        EndpointError: no model was given and ``/v1/models`` does not name one.
    """
    endpoint: type[BaseEndpoint] = plugins.get_class(PluginType.ENDPOINT, config.endpoint.type)
    url = request_url(config.endpoint.url, endpoint.path)
    return Target(url=url, model=config.endpoint.model or _first_model(url.removesuffix(endpoint.path)))


def request_url(base: str, path: str) -> str:
    """Join the endpoint's URL and the API's path; a base that already ends in ``/v1`` or in the path is fine."""
    base = base.rstrip("/")
    if base.endswith(path):
        return base
    if base.endswith("/v1") and path.startswith("/v1/"):
        return base + path.removeprefix("/v1")
    return base + path


def _first_model(base: str) -> str:
    url = request_url(base, "/v1/models")
    body = _get_json(url)
    listed = body.get("data") if isinstance(body, dict) else None
    first = listed[0] if isinstance(listed, list) and listed else None
    name = first.get("id") if isinstance(first, dict) else None
    if not isinstance(name, str) or not name:
        raise EndpointError(f"{url} lists no model; name one with --aiperf-model or model=...")
    return name


def _get_json(url: str) -> Any:
    request = urllib.request.Request(url, headers={"Accept": "application/json"})
    if key := os.environ.get("AIPERF_API_KEY"):
        request.add_unredirected_header("Authorization", f"Bearer {key}")
    hint = "is this an OpenAI-compatible server? (--aiperf-model=NAME skips this question)"
    # Without the proxies of the environment: the load is sent directly, so this question is too.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=_ASK_S) as answer:
            return json.loads(_read(answer))
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in (401, 403):
            hint = "the API key in AIPERF_API_KEY is missing or not accepted"
        raise EndpointError(f"GET {url} answered {error.code} {error.reason}: {hint}") from None
    except urllib.error.URLError as error:
        raise EndpointError(
            f"cannot reach {url}: {_plain(error.reason)}. Is the server running, and is --aiperf-endpoint right?"
        ) from None
    except TimeoutError:
        raise EndpointError(f"GET {url} did not answer within {_ASK_S:.0f} s") from None
    except (ValueError, RecursionError):
        raise EndpointError(f"GET {url} did not answer with JSON: {hint}") from None
    except OSError as error:
        raise EndpointError(f"cannot reach {url}: {error}. Is the server running?") from None
    except HTTPException as error:
        raise EndpointError(f"GET {url} was not answered in HTTP ({error!r}): {hint}") from None


def _read(answer: HTTPResponse) -> bytes:
    """Read the body within the time; the socket's own timeout starts anew with every byte that comes."""
    deadline_s = time.monotonic() + _ASK_S
    body = b""
    while len(body) < _MAX_BYTES and (more := answer.read1(_MAX_BYTES)):
        body += more
        if time.monotonic() > deadline_s:
            raise TimeoutError
    return body


def _plain(reason: object) -> str:
    return getattr(reason, "strerror", None) or str(reason)
