"""Which collector a measurement gets: the one of this machine only where the server is on this machine."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from pytest_aiperf.common.errors import ConfigurationError, did_you_mean
from pytest_aiperf.config.url_secrets import secret_in_url
from pytest_aiperf.plugin import plugins
from pytest_aiperf.plugin.enums import PluginType

LOCAL: Final = "nvml"
EXPORTER: Final = "dcgm"
OFF: Final = ("none", "off", "no")
_EXPORTER_PORT: Final = 9400
_EMBEDDED: Final = "mock:"


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectorChoice:
    """Which collector is to run."""

    collector: str | None
    """Its name in the registry; None for none."""
    sources: tuple[str, ...] = ()
    """URLs of exporters."""
    asked_for: bool = False
    """The user named it: what it lacks on this machine is then an error and not a note."""
    why: str = ""
    """A sentence, for the log and the document."""


def is_own_host(host: str) -> bool:
    """Return whether every address of a host is one of this machine. It may ask the name server.

    A socket can be bound to the machine's own addresses and to no others; no list of interfaces is needed.
    """
    try:
        found = {(info[0], info[4][0]) for info in socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM)}
    except (OSError, UnicodeError):
        return False  # the load will say so, better than this can
    return bool(found) and all(_is_own_address(family, str(address)) for family, address in found)


def collector_for(
    urls: Sequence[str],
    requested: Sequence[str] = (),
    *,
    is_own: Callable[[str], bool] = is_own_host,
) -> CollectorChoice:
    """Choose the collector for endpoints at these URLs.

    `requested` are the user's words: a collector's name, ``none``, or exporters (``host:9400``, a URL). Without any,
    the local collector runs if every endpoint is on this machine; another machine's latency beside this machine's GPU
    would be a lie.

    Raises:
        ConfigurationError: a word is neither, two collectors are named, or a URL may not be shown.
    """
    names = [word for word in requested if not _is_address(word)]
    sources = tuple(_exporter_url(word) for word in requested if _is_address(word))
    if len(names) > 1 or (names and sources and names[0] != EXPORTER):
        raise ConfigurationError(
            f"GPU telemetry has one collector, and {', '.join(requested)} are more: leave one of them"
        )
    if names and names[0].lower() in OFF:
        return CollectorChoice(collector=None, asked_for=True, why="GPU telemetry is turned off")
    if sources:
        return CollectorChoice(
            collector=EXPORTER, sources=sources, asked_for=True, why="its exporters were named"
        )
    if names:
        return _named(names[0], urls, is_own)
    return _by_default(urls, is_own)


def _by_default(urls: Sequence[str], is_own: Callable[[str], bool]) -> CollectorChoice:
    if not urls or any(url.lower().startswith(_EMBEDDED) for url in urls):
        return CollectorChoice(collector=None, why="the embedded server uses no GPU")
    elsewhere = _elsewhere(urls, is_own)
    if elsewhere is not None:
        return CollectorChoice(
            collector=None,
            why=f"{elsewhere} is another machine; name its exporter to see its GPUs: {elsewhere}:{_EXPORTER_PORT}",
        )
    return CollectorChoice(collector=LOCAL, why="the endpoint is on this machine")


def _named(word: str, urls: Sequence[str], is_own: Callable[[str], bool]) -> CollectorChoice:
    known = plugins.names(PluginType.GPU_TELEMETRY_COLLECTOR)
    name = word.lower().replace("-", "_")
    if name not in known:
        choices = [*known, *OFF[:1]]
        raise ConfigurationError(
            f"GPU telemetry {word!r}{did_you_mean(name, choices)}: write one of {', '.join(choices)}, or an exporter,"
            f" host:{_EXPORTER_PORT}"
        )
    elsewhere = _elsewhere(urls, is_own)
    if plugins.entry(PluginType.GPU_TELEMETRY_COLLECTOR, name).metadata.get("is_local", True):
        why = (
            "it was asked for"
            if elsewhere is None
            else f"it was asked for; it reads the GPUs of this machine, and {elsewhere} is another one"
        )
        return CollectorChoice(collector=name, asked_for=True, why=why)
    hosts = dict.fromkeys(_host(url) for url in urls if not url.lower().startswith(_EMBEDDED))
    return CollectorChoice(
        collector=name,
        sources=tuple(_exporter_url(f"{_bracketed(host)}:{_EXPORTER_PORT}") for host in hosts),
        asked_for=True,
        why="it was asked for; its exporters are taken to be on the endpoints' machines",
    )


def _elsewhere(urls: Sequence[str], is_own: Callable[[str], bool]) -> str | None:
    """The first host that is not this machine."""
    hosts = dict.fromkeys(_host(url) for url in urls if not url.lower().startswith(_EMBEDDED))
    return next((host for host in hosts if not is_own(host)), None)


def _host(url: str) -> str:
    try:
        return urlsplit(url if "//" in url else f"//{url}").hostname or ""
    except ValueError:
        return ""


def _is_address(word: str) -> bool:
    return "://" in word or ":" in word


def _exporter_url(word: str) -> str:
    url = word if "://" in word else f"http://{word}"
    problem = secret_in_url(url)
    if problem is not None:
        raise ConfigurationError(f"GPU telemetry: an exporter's address may not be shown: {problem}")
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ConfigurationError(
            f"GPU telemetry: {word!r} is no exporter's address: write http://host:9400/metrics"
        )
    return url if parts.path.strip("/") else f"{url.rstrip('/')}/metrics"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _is_own_address(family: int, address: str) -> bool:
    plain = address.partition("%")[0]
    if ipaddress.ip_address(plain).is_loopback:
        return True
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True
