"""The fixed workload of a measurement: every run sends the same bytes in the same order.

What differs between two runs is then the server and not the questions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_aiperf.config.aiperf_config import AIPerfConfig
from pytest_aiperf.dataset.synthesis import synthetic_prompts
from pytest_aiperf.endpoints.base_endpoint import BaseEndpoint, RequestInfo, Turn
from pytest_aiperf.plugin import plugins
from pytest_aiperf.plugin.enums import PluginType


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """Request bodies of one run and how its completions divide into warm-up, measured part and drain."""

    bodies: Sequence[bytes]
    """``(warm_up + measured + concurrency - 1,)``: while the last ones run, no slot can be refilled any more."""
    warm_up: int
    """Completions dropped at the start of each run: ``max(2 x concurrency, 20)``, at least one full wave."""
    measured: int
    digest: str
    """SHA-256 over all bodies, lengths included."""


def build_workload(config: AIPerfConfig, *, model: str) -> Workload:
    """Return the workload that this configuration describes."""
    concurrency, measured = config.load.concurrency, config.load.request_count
    warm_up = max(2 * concurrency, 20)
    early = synthetic_prompts(warm_up, isl=config.input.isl, seed=config.input.seed, stream="warm-up")
    rest = synthetic_prompts(
        measured + concurrency - 1, isl=config.input.isl, seed=config.input.seed, stream="prompts"
    )
    endpoint: BaseEndpoint = plugins.get_class(PluginType.ENDPOINT, config.endpoint.type)()
    bodies = [_body(endpoint, config, model, prompt) for prompt in (*early, *rest)]
    return Workload(bodies=bodies, warm_up=warm_up, measured=measured, digest=_digest(bodies))


def _body(endpoint: BaseEndpoint, config: AIPerfConfig, model: str, prompt: str) -> bytes:
    import orjson

    request = RequestInfo(
        turns=[Turn(text=prompt, max_tokens=config.input.osl)],
        model=model,
        streaming=config.endpoint.streaming,
        extra=config.endpoint.extra,
    )
    return orjson.dumps(endpoint.format_payload(request))


def _digest(bodies: Sequence[bytes]) -> str:
    digest = hashlib.sha256()
    for body in bodies:
        digest.update(len(body).to_bytes(8, "big"))
        digest.update(body)
    return digest.hexdigest()
