"""PYTEST_DONT_REWRITE. Videos by OpenAI's API, as SGLang and vLLM have it too: a job, whose state is asked for.

A request's latency ends with the answer that says ``completed``, or with the last byte of the video where that is
downloaded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any, ClassVar, Final
from urllib.parse import quote

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.endpoints.base_endpoint import (
    BaseEndpoint,
    EndpointFacts,
    FollowUp,
    ModelEndpointInfo,
    RequestInfo,
    ResponseFacts,
)
from pytest_aiperf.endpoints.content_parts import texts_of
from pytest_aiperf.endpoints.messages import one_turn
from pytest_aiperf.endpoints.whole_answer import whole_answer

POLL_INTERVAL_S: Final = 0.1
"""Pause between an answer that is not the last one and the next question; the extra ``poll_interval_s`` changes it."""
_INTERVAL: Final = "poll_interval_s"
_PENDING: Final = ("queued", "in_progress")
_READY: Final = "completed"
_FAILED: Final = "failed"
_LONGEST_ID: Final = 512


class VideoGenerationEndpoint(BaseEndpoint):
    """``/v1/videos``."""

    facts: ClassVar[EndpointFacts | None] = EndpointFacts(
        name="video_generation",
        description="OpenAI video generation; a job is polled until it is done, and its video downloaded if asked for",
        supports_streaming=False,
        produces_tokens=False,
        tokenizes_input=True,
        metrics_title="Video Generation Metrics",
    )

    path: ClassVar[str] = "/v1/videos"
    own_extra: ClassVar[frozenset[str]] = frozenset({_INTERVAL})
    reads_media: ClassVar[bool] = True
    polls: ClassVar[bool] = True

    def __init__(self, model_endpoint: ModelEndpointInfo = ModelEndpointInfo()) -> None:  # noqa: B008 (frozen)
        """Raises ConfigurationError for an interval that cannot be."""
        super().__init__(model_endpoint)
        self._downloads = model_endpoint.download_video_content
        self._interval_s = _interval_of(model_endpoint.extra)

    def format_payload(self, request: RequestInfo) -> dict[str, Any]:
        """Return the body. Size, seconds, seed and the like are extras.

        Raises:
            ConfigurationError: there is no prompt, several, or more than one turn.
        """
        turn = one_turn(request, "video_generation")
        texts = texts_of(turn)
        if len(texts) != 1:
            raise ConfigurationError(
                f"a request for a video takes one prompt, and this one has {len(texts)} texts"
            )
        return self.merged({"model": turn.model or request.model, "prompt": texts[0]}, request)

    def read_stream(self, messages: Sequence[Any], *, done: bool) -> ResponseFacts:
        """Read a stream, which this API does not have, as the whole answer that its first message may be."""
        return self.read_response(messages[0] if messages else None)

    def follow_up(self, body: Any) -> FollowUp | None:
        """Return what to ask after this state of a job; None where it is the last one, or none to go by."""
        job = _id_of(body)
        if job is None or body.get("error"):
            return None
        if body.get("status") in _PENDING:
            return FollowUp(path=f"/{job}", pause_s=self._interval_s)
        if body.get("status") == _READY and self._downloads:
            return FollowUp(path=f"/{job}/content", is_last=True)
        return None

    def read_response(self, body: Any) -> ResponseFacts:
        """Read the last answer: the video itself, or the state in which the job ended."""
        if self._downloads and isinstance(body, bytes):
            return whole_answer(body, what="a video: it has no bytes", has=bool)
        if isinstance(body, Mapping) and body.get("status") == _FAILED and not body.get("error"):
            body = {**body, "error": "the job failed, and the server does not say why"}
        what = "the video that should be downloaded" if self._downloads else "a video job that is completed"
        return whole_answer(body, what=what, has=self._is_ready)

    def _is_ready(self, body: Any) -> bool:
        return not self._downloads and _id_of(body) is not None and body["status"] == _READY


def _id_of(body: Any) -> str | None:
    """Return the id of a job, fit for a path."""
    job = body.get("id") if isinstance(body, Mapping) else None
    if not isinstance(job, str) or not 0 < len(job) <= _LONGEST_ID or job in (".", ".."):
        return None
    return quote(job, safe="", errors="replace")


def _interval_of(extra: Mapping[str, Any]) -> float:
    value = extra.get(_INTERVAL, POLL_INTERVAL_S)
    if isinstance(value, bool) or not isinstance(value, int | float) or not (isfinite(value) and value >= 0):
        raise ConfigurationError(
            f"{_INTERVAL} must be a number of seconds, 0 or more, got {value!r}; write {_INTERVAL}:0.5 among the "
            "extra inputs"
        )
    return float(value)
