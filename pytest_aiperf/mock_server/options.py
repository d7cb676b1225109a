"""What the mock server does and how fast: one frozen set of options, read strictly from a ``mock://`` URL."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlsplit

from pytest_aiperf.common.errors import ConfigurationError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

FAULTS: Final = (
    "refused",
    "reset",
    "reset_mid",
    "stall",
    "stall_mid",
    "truncate",
    "truncate_eof",
    "stream_error",
    "bad_json",
    "html",
    "http_400",
    "http_401",
    "http_404",
    "http_429",
    "http_500",
    "http_503",
    "rate_limit",
    "redirect",
)
MAX_TOKENS: Final = 1_000_000
_MAX_MS: Final = 3_600_000.0


def _bounded(default: float, low: float, high: float) -> Any:
    return field(default=default, metadata={"low": low, "high": high})


@dataclass(frozen=True, slots=True, kw_only=True)
class MockOptions:
    """Options of the mock server. Shares are in percent of the requests, delays in milliseconds.

    Raises `ConfigurationError` for a value that is out of its range.
    """

    ttft_ms: float = _bounded(30.0, 0.0, _MAX_MS)
    """From the complete request to the first token."""
    itl_ms: float = _bounded(4.0, 0.0, _MAX_MS)
    """From one token to the next."""
    osl: int = _bounded(32, 1, MAX_TOKENS)
    """Tokens of an answer whose request does not ask for a number."""
    jitter: float = _bounded(0.0, 0.0, 10.0)
    """Relative standard deviation of every delay; lognormal with mean 1, drawn by request number."""
    slow_pct: float = _bounded(0.0, -99.0, 10_000.0)
    """All delays are multiplied by ``1 + slow_pct / 100``: a planted slowdown."""
    ttft_slow_pct: float = _bounded(0.0, -99.0, 10_000.0)
    itl_slow_pct: float = _bounded(0.0, -99.0, 10_000.0)
    error_pct: float = _bounded(0.0, 0.0, 100.0)
    """Share of requests that are answered by HTTP 500."""
    stall_pct: float = _bounded(0.0, 0.0, 100.0)
    """Share of requests whose tokens all come `stall_ms` later."""
    stall_ms: float = _bounded(0.0, 0.0, _MAX_MS)
    fault: str = ""
    """One of `FAULTS`, or empty."""
    fault_pct: float = _bounded(100.0, 0.0, 100.0)
    """Share of requests that meet the fault; `refused` is all or nothing."""
    model: str = "mock"
    seed: int = _bounded(1, 0, 2**63 - 1)
    capacity: int = _bounded(0, 0, 1_000_000)
    """Requests served at once; further ones wait in order. 0: no limit."""
    server_osl_cap: int = _bounded(0, 0, MAX_TOKENS)
    """The server stops after so many tokens, whatever the request asks for. 0: no limit."""
    role_first: int = _bounded(1, 0, 1)
    """1: the head and the role-only message are sent at once; 0: together with the first token."""

    def __post_init__(self) -> None:
        for spec in fields(self):
            value = getattr(self, spec.name)
            if spec.metadata and not spec.metadata["low"] <= value <= spec.metadata["high"]:
                raise _bad_value(spec.name, value)
        if self.fault and self.fault not in FAULTS:
            hint = did_you_mean(self.fault, FAULTS)
            raise ConfigurationError(
                f"mock server: fault={self.fault!r} is not known{hint}; known: {', '.join(FAULTS)}"
            )
        if self.fault == "refused" and self.fault_pct != 100:
            raise ConfigurationError(
                f"mock server: fault_pct={self.fault_pct:g} with fault=refused: "
                "a server refuses all connections or none; leave fault_pct out"
            )
        if self.stall_pct and not self.stall_ms:
            raise ConfigurationError(
                f"mock server: stall_pct={self.stall_pct:g} with stall_ms=0 delays nothing; give stall_ms too"
            )
        if not self.model:
            raise ConfigurationError("mock server: model='' is empty; give the served model a name")

    @property
    def first_delay_ns(self) -> int:
        """From the complete request to the first token, planted slowdowns included, jitter not."""
        return round(self.ttft_ms * 1e6 * (1 + self.slow_pct / 100) * (1 + self.ttft_slow_pct / 100))

    @property
    def next_delay_ns(self) -> int:
        """From one token to the next, planted slowdowns included, jitter not."""
        return round(self.itl_ms * 1e6 * (1 + self.slow_pct / 100) * (1 + self.itl_slow_pct / 100))

    @classmethod
    def from_url(cls, url: str) -> MockOptions:
        """Read ``mock://?ttft_ms=30&...``. Raises `ConfigurationError` for whatever it does not know."""
        parts = urlsplit(url)
        if parts.scheme != "mock" or parts.netloc or parts.path or parts.fragment:
            raise ConfigurationError(
                f"{url!r} is not a mock server's URL; write mock:// or mock://?key=value&key=value, "
                f"keys: {', '.join(_KINDS)}"
            )
        given: dict[str, object] = {}
        for key, text in parse_qsl(parts.query, keep_blank_values=True):
            if key in given:
                raise ConfigurationError(f"mock server: {key} is given twice in {url!r}; give it once")
            given[key] = _from_text(key, text)
        return cls(**given)  # type: ignore[arg-type]  # each value was read as its field's type

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> MockOptions:
        """Read options by name, as `to_dict` gives them; absent ones have their defaults."""
        return cls(**{key: _from_json(key, value) for key, value in data.items()})

    def to_dict(self) -> dict[str, Any]:
        """Return all options by name, ready for JSON."""
        return asdict(self)

    def changed(self, changes: Mapping[str, object]) -> MockOptions:
        """Return these options with some changed."""
        return self.from_dict({**self.to_dict(), **changes})


_KINDS: Final[dict[str, type[int] | type[float] | type[str]]] = {
    spec.name: {"int": int, "float": float, "str": str}[str(spec.type)] for spec in fields(MockOptions)
}
_RANGES: Final = {spec.name: spec.metadata for spec in fields(MockOptions)}


def _kind(key: str) -> type[int] | type[float] | type[str]:
    kind = _KINDS.get(key)
    if kind is None:
        hint = did_you_mean(key, _KINDS)
        raise ConfigurationError(f"mock server: unknown option {key!r}{hint}; known: {', '.join(_KINDS)}")
    return kind


def _bad_value(key: str, value: object) -> ConfigurationError:
    what = {int: "a whole number", float: "a number", str: "a text"}[_KINDS[key]]
    span = _RANGES[key]
    within = f" from {span['low']:,.12g} to {span['high']:,.12g}" if span else ""
    return ConfigurationError(f"mock server: {key}={value!r} is not valid; give {what}{within}")


def _from_text(key: str, text: str) -> int | float | str:
    try:
        return _kind(key)(text)
    except ValueError:
        raise _bad_value(key, text) from None


def _from_json(key: str, value: object) -> Any:
    kind = _kind(key)
    if isinstance(value, bool) or not isinstance(value, (int, float) if kind is float else kind):
        raise _bad_value(key, value)
    return kind(value)
