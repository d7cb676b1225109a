"""The server under test, asked once before any load: does it answer, and which model does it serve?"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from typing import Any, Final
from urllib.request import Request

from pytest_aiperf.common.errors import EndpointError
from pytest_aiperf.common.header_values import api_key, header_values
from pytest_aiperf.config.aiperf_config import AIPerfConfig
from pytest_aiperf.config.endpoint_config import EndpointConfig
from pytest_aiperf.endpoints.base_endpoint import BaseEndpoint
from pytest_aiperf.engine.address import parse_target
from pytest_aiperf.engine.plan import LoadPlan
from pytest_aiperf.engine.proxies import proxies_of
from pytest_aiperf.engine.request_bytes import key_headers
from pytest_aiperf.measure.connections import connection_settings
from pytest_aiperf.plugin import plugins
from pytest_aiperf.plugin.enums import PluginType
from pytest_aiperf.services.failure import masked

_ASK_S: Final = 10.0
_MAX_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where the requests go and what they name."""

    url: str
    """Request URL, the API's path included."""
    further_urls: tuple[str, ...] = ()
    """More of the kind, used in turn with it."""
    model: str


def find_target(config: AIPerfConfig) -> Target:
    """Return the target of a measurement; the model is asked for only when the user gave none.

    Raises:
        EndpointError: no model was given and ``/v1/models`` of the first URL does not name one.
        ConfigurationError: a certificate, a proxy or a header cannot be used.
    """
    endpoint: type[BaseEndpoint] = plugins.get_class(PluginType.ENDPOINT, config.endpoint.type)
    path = path_of(endpoint, config.endpoint)
    url, *further = (request_url(base, path) for base in config.endpoint.urls)
    return Target(
        url=url,
        further_urls=tuple(further),
        model=config.endpoint.model or _model_of(url.removesuffix(path), endpoint, config.endpoint),
    )


def path_of(endpoint: type[BaseEndpoint], config: EndpointConfig) -> str:
    """Return the path below the URL: the user's, else that of the API."""
    if config.custom_endpoint is not None:
        return config.custom_endpoint
    return endpoint.stream_path if config.streaming and endpoint.stream_path else endpoint.path


def _model_of(base: str, endpoint: type[BaseEndpoint], config: EndpointConfig) -> str:
    return _first_model(base, config) if endpoint.names_model else ""


def request_url(base: str, path: str) -> str:
    """Join the endpoint's URL and the API's path; a base that already ends in ``/v1`` or in the path is fine."""
    base = base.rstrip("/")
    if base.endswith(path):
        return base
    if base.endswith("/v1") and path.startswith("/v1/"):
        return base + path.removeprefix("/v1")
    return base + path


def _first_model(base: str, endpoint: EndpointConfig) -> str:
    url = request_url(base, "/v1/models")
    body = _get_json(url, endpoint)
    listed = body.get("data") if isinstance(body, dict) else None
    first = listed[0] if isinstance(listed, list) and listed else None
    name = first.get("id") if isinstance(first, dict) else None
    if not isinstance(name, str) or not name:
        raise EndpointError(f"{url} lists no model; name one with --aiperf-model or model=...")
    return name


def _get_json(url: str, endpoint: EndpointConfig) -> Any:
    try:
        return _asked(url, endpoint)
    except EndpointError as error:  # it quotes the server, and the server may quote what it was sent
        raise EndpointError(masked(str(error), endpoint.headers)) from None
    except BaseException as error:  # Ctrl-C, a time limit: variables of the frames below hold what is sent
        raise error.with_traceback(None) from None


def _asked(url: str, endpoint: EndpointConfig) -> Any:
    opener, request = question(url, endpoint)
    hint = "is this an OpenAI-compatible server? (--aiperf-model=NAME skips this question)"
    try:
        with opener.open(request, timeout=_ASK_S) as answer:
            return json.loads(_read(answer))
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in (401, 403):
            hint = "the API key in AIPERF_API_KEY is missing or not accepted"
        raise EndpointError(f"GET {url} answered {error.code} {error.reason}: {hint}") from None
    except urllib.error.URLError as error:
        raise EndpointError(_unreachable(url, error.reason)) from None
    except TimeoutError:
        raise EndpointError(f"GET {url} did not answer within {_ASK_S:.0f} s") from None
    except (ValueError, RecursionError):
        raise EndpointError(f"GET {url} did not answer with JSON: {hint}") from None
    except OSError as error:
        raise EndpointError(f"cannot reach {url}: {error}. Is the server running?") from None
    except HTTPException as error:
        raise EndpointError(f"GET {url} was not answered in HTTP ({error!r}): {hint}") from None


def question(url: str, endpoint: EndpointConfig) -> tuple[urllib.request.OpenerDirector, Request]:
    """Return the request and what sends it: by the same proxy and with the same certificates as the load."""
    plan = LoadPlan(url=url, bodies=[b"-"], concurrency=1, **connection_settings(endpoint))
    request = urllib.request.Request(url, headers={"Accept": "application/json"})
    spoken: type[BaseEndpoint] = plugins.get_class(PluginType.ENDPOINT, endpoint.type)
    key = api_key()
    for headers in (spoken.headers, key_headers(spoken, key) if key else {}, header_values(plan.headers)):
        for name, value in headers.items():
            request.add_unredirected_header(name, value)
    (proxy,) = proxies_of(plan, [parse_target(url)])
    if proxy is not None and proxy.authorization is not None:
        request.add_unredirected_header("Proxy-Authorization", proxy.authorization)
    # Without the proxies of the environment, unless they were asked for: the load does not use them either.
    schemes = {} if proxy is None else {"http": proxy.url, "https": proxy.url}
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler(schemes)]
    if url.startswith("https:"):
        from pytest_aiperf.engine.tls import new_context

        handlers.append(urllib.request.HTTPSHandler(context=new_context(plan)))
    return urllib.request.build_opener(*handlers), request


def _unreachable(url: str, reason: object) -> str:
    import ssl

    if isinstance(reason, ssl.SSLError):
        from pytest_aiperf.engine.tls import why_no_handshake

        return why_no_handshake(reason, url.removesuffix("/v1/models")).message
    return f"cannot reach {url}: {_plain(reason)}. Is the server running, and is --aiperf-endpoint right?"


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
