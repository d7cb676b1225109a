"""Did the server serve others while it was measured? Its own counters say how many requests it served in all.

Servers that export Prometheus metrics beside their API are asked before and after. One that does not, or whose
counters are unknown here, is not asked about, and nothing is said. Only more than what was sent is told: a request
that failed or was cancelled may or may not have been counted.
"""

from __future__ import annotations

import time
import urllib.error
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from typing import Final, Literal

from pytest_aiperf.common.records import ABSENT, RecordBatch
from pytest_aiperf.config.aiperf_config import AIPerfConfig
from pytest_aiperf.endpoints.base_endpoint import BaseEndpoint
from pytest_aiperf.measure.target import question
from pytest_aiperf.measure.validity.check import Check
from pytest_aiperf.measure.validity.limits import Limits
from pytest_aiperf.plugin import plugins
from pytest_aiperf.plugin.enums import PluginType

_ASK_S: Final = 2.0
_MAX_BYTES: Final = 8 * 1024 * 1024
_PROCESS_START: Final = "process_start_time_seconds"

Unit = Literal["requests", "tokens"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedCounter:
    """A counter of what a server served."""

    name: str
    unit: Unit = "requests"
    per_model: bool = False
    """A request to a pipeline of models counts once for each of them, so only the model that grew most is taken."""


COUNTERS: Final = (
    ServedCounter(name="vllm:request_success_total"),
    ServedCounter(name="sglang:num_requests_total"),
    ServedCounter(name="tgi_request_success"),
    ServedCounter(name="tgi_request_success_total"),
    ServedCounter(name="llamacpp:tokens_predicted_total", unit="tokens"),
    ServedCounter(name="nv_inference_request_success", per_model=True),
)
_WANTED: Final = (*(counter.name for counter in COUNTERS), _PROCESS_START)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The counters of one server at one moment."""

    served: Mapping[str, Mapping[str, float]]
    """By counter and model."""
    process_start_s: float | None
    """Tells one server process from another."""

    def growth(self, later: Reading) -> tuple[Unit, float] | None:
        """Return what was served since; None where the two do not speak of the same server process."""
        if self.process_start_s != later.process_start_s:
            return None
        for counter in COUNTERS:
            before, after = self.served.get(counter.name, {}), later.served.get(counter.name, {})
            if not after:
                continue
            grown = [value - before.get(model, 0.0) for model, value in after.items()]
            if min(grown) < 0:  # restarted
                return None
            return counter.unit, max(grown) if counter.per_model else sum(grown)
        return None


@dataclass(slots=True, kw_only=True)
class TenantWatch:
    """Compares what the servers served with what was sent to them, from `begin` to `check`."""

    config: AIPerfConfig
    _before: dict[str, Reading] = field(default_factory=dict)
    _requests: int = 0
    _tokens: int | None = 0

    def begin(self) -> None:
        """Read the counters. What is sent from now on is to be told by `sent`."""
        found = {url: reading for url in self._urls() if (reading := self._read(url)) is not None}
        self._before, self._requests, self._tokens = found, 0, 0

    def sent(self, batch: RecordBatch) -> None:
        """Take note of the requests of one run, those of probes and rehearsals too."""
        self._requests += int((batch.t0 != ABSENT).sum())  # the others were given up, not sent
        known = (batch.output_tokens != ABSENT).all()
        told = int(batch.output_tokens.sum()) if known else None
        self._tokens = None if told is None or self._tokens is None else self._tokens + told

    def check(self) -> Iterator[Check]:
        """Read the counters again and compare, where they can be compared."""
        growths = [
            growth
            for url, before in self._before.items()
            if (after := self._read(url)) is not None and (growth := before.growth(after)) is not None
        ]
        units = {unit for unit, _ in growths}
        if len(growths) != len(set(self._urls())) or len(units) != 1:
            return
        (unit,) = units
        ours = self._requests if unit == "requests" else self._tokens
        if not ours:
            return
        others = max(sum(grown for _, grown in growths) - ours, 0.0)
        yield Limits(self.config).check(
            "other_tenants",
            others / ours,
            f"The server served {others:.0f} {unit} more than the {ours} of this measurement: somebody else uses it. "
            "Measure when it is free. Where several servers stand behind this URL their counters cannot be told "
            "apart: raise the limit other_tenants there.",
        )

    def _urls(self) -> list[str]:
        endpoint: type[BaseEndpoint] = plugins.get_class(PluginType.ENDPOINT, self.config.endpoint.type)
        bases = (url.removesuffix(endpoint.path).removesuffix("/v1") for url in self.config.endpoint.urls)
        return list(dict.fromkeys(f"{base}/metrics" for base in bases))

    def _read(self, url: str) -> Reading | None:
        opener, request = question(url, self.config.endpoint)
        # Some servers answer with OpenMetrics or protobuf where they may.
        request.add_header("Accept", "text/plain; version=0.0.4")
        try:
            with opener.open(request, timeout=_ASK_S) as answer:
                return parse_counters(_bounded(answer))
        except (OSError, HTTPException, urllib.error.URLError, ValueError):
            return None


def parse_counters(text: str) -> Reading | None:
    """Return the known counters of a metrics page; None where it has none.

    Raises:
        ValueError: a line that should hold one of them is not in the format.
    """
    # Only the lines that matter: a page may have thousands, and parsing them in Python takes its time.
    lines = [line for line in text.splitlines() if line.startswith(_WANTED)]
    if not lines:
        return None
    from prometheus_client.parser import text_string_to_metric_families

    served: dict[str, dict[str, float]] = {}
    started_s = None
    for family in text_string_to_metric_families("\n".join(lines) + "\n"):
        for sample in family.samples:
            if sample.name == _PROCESS_START:
                started_s = sample.value
            elif sample.name in _WANTED:
                model = sample.labels.get("model", "")
                by_model = served.setdefault(sample.name, {})
                by_model[model] = by_model.get(model, 0.0) + sample.value
    return Reading(served=served, process_start_s=started_s) if served else None


def _bounded(answer: HTTPResponse) -> str:
    """Read the body within the time and the size; the socket's own timeout starts anew with every byte that comes."""
    deadline_s = time.monotonic() + _ASK_S
    body = b""
    while more := answer.read1(_MAX_BYTES):
        body += more
        if time.monotonic() > deadline_s or len(body) > _MAX_BYTES:
            raise TimeoutError
    return body.decode("utf-8", "replace")
