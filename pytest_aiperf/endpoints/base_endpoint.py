"""PYTEST_DONT_REWRITE. What an endpoint is to the rest: it formats requests and reads answers; it does no I/O."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

from pytest_aiperf.common.conversation import Turn
from pytest_aiperf.common.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEndpointInfo:
    """What an endpoint is told once: nothing in it changes from request to request."""

    model: str = ""
    streaming: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)
    """What the user adds to every body (``--aiperf-extra-inputs``); some of it may be meant for the endpoint itself,
    as ``response_field`` and ``payload_template`` are.
    """
    download_video_content: bool = False
    """The answer to a request for a video is the video's bytes, and not the word that it is ready."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestInfo:
    """What a formatter needs: the conversation so far and the endpoint's own settings."""

    turns: Sequence[Turn]
    model: str
    streaming: bool
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Fields that the user adds to every body (``--aiperf-extra-inputs``)."""
    system: str | None = None
    """System prompt of the conversation."""


class ResponseFacts(NamedTuple):
    """What one complete answer says. `content` holds indices into the messages that were read.

    A tuple, because one is made for every request: a frozen dataclass takes 2 µs to make, this 0.4.
    """

    content: Sequence[int]
    """Indices of the messages whose text, reasoning or tool call is not empty, in order."""
    finished: bool
    """The server said that the answer is complete (`finish_reason`, ``[DONE]``)."""
    error_message: str | None = None
    """Text of an error object in the answer, also after content."""
    error_code: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    cached_tokens: int | None = None
    """Prompt tokens that came out of the server's prefix cache."""
    first_output: int | None = 0
    """Which entry of `content` is the first that is not reasoning; None where all is, or nothing came."""
    first_tokens: int = 1
    """Tokens of the first content message, where the server counts them message by message."""


class FollowUp(NamedTuple):
    """A GET that goes after an answer, for what it has promised."""

    path: str
    """Appended to the path of the request, as ``/video_123``; what is not a letter of a URL is percent-encoded."""
    pause_s: float = 0.0
    """It is sent so long after the answer before it."""
    is_last: bool = False
    """Its answer is the last one, whatever it says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointFacts:
    """What the registry says of an endpoint of this package: its entry in `plugins.yaml` is written from it."""

    name: str
    description: str
    supports_streaming: bool
    streams_by_default: bool | None = None
    produces_tokens: bool
    tokenizes_input: bool
    supports_audio: bool | None = None
    supports_images: bool | None = None
    supports_videos: bool | None = None
    metrics_title: str


class BaseEndpoint(ABC):
    """Formats a request's body and reads its answer. It never changes what it is given, and keeps nothing of it."""

    facts: ClassVar[EndpointFacts | None] = None
    """Of the endpoints of this package; those of others stand in their own `plugins.yaml`."""
    path: ClassVar[str]
    """Default path below the endpoint's URL; empty: the URL is used as it is."""
    stream_path: ClassVar[str | None] = None
    """Path of streamed requests, where it is another one."""
    content_type: ClassVar[str] = "application/json"
    """Of the body that `encode` makes."""
    key_header: ClassVar[str] = "authorization"
    """Header that carries the API key: as ``Bearer`` token in this one, as it is in any other."""
    headers: ClassVar[Mapping[str, str]] = {}
    """Further headers that the API wants, lower case; the user's own win."""
    reads_text: ClassVar[bool] = False
    """An answer that is not JSON is handed to `read_response` as a str, instead of being a failure."""
    reads_media: ClassVar[bool] = False
    """An answer of audio, images, video or mere bytes, by its content type, is handed to `read_response` as bytes."""
    polls: ClassVar[bool] = False
    """The answer to a request is fetched by further ones, as `follow_up` says."""
    names_model: ClassVar[bool] = True
    """A request names its model; where the user gives none, the server is asked for one."""
    asks_length: ClassVar[bool] = True
    """A request says of how many tokens its answer shall be, where a turn does (`max_tokens`)."""
    own_extra: ClassVar[frozenset[str]] = frozenset()
    """Names in `extra` that are meant for the endpoint and not sent."""
    own_fields: ClassVar[frozenset[str]] = frozenset()
    """Fields of a body that neither an extra nor a turn's `extra_body` may replace or add."""
    token_name: ClassVar[str] = ""
    """Key of the string that holds a streamed message's token, or empty. Two messages that differ in that string
    alone, neither being empty, mean the same to `read_stream`; so do two that differ in a string named ``id``.
    """
    needs_finish: ClassVar[bool] = True
    """A stream that ends without saying so is truncated."""

    def __init__(self, model_endpoint: ModelEndpointInfo = ModelEndpointInfo()) -> None:
        self.model_endpoint = model_endpoint

    @abstractmethod
    def format_payload(self, request: RequestInfo) -> Any:
        """Return the body of this request, not yet encoded: for most APIs a dict of JSON."""

    def body_of(self, request: RequestInfo) -> bytes:
        """Return the bytes that are sent: a `raw_payload` of the last turn as it is, else the formatted payload.

        Raises:
            ConfigurationError: the request cannot be written in this API, or is not meant for a load like this one.
        """
        raw = request.turns[-1].raw_payload
        if raw is None:
            return self.encode(self.format_payload(request))
        check_streaming(raw, request)
        return BaseEndpoint.encode(self, raw)

    def merged(self, payload: Mapping[str, Any], request: RequestInfo) -> dict[str, Any]:
        """Return a new body: these native fields, then the user's extra, then the last turn's; the last one wins.

        The merge is shallow. `own_extra` and `own_fields` are left out of what is added.

        Raises:
            ConfigurationError: an addition switches streaming on or off against the load's own setting.
        """
        added = {name: value for name, value in request.extra.items() if name not in self.own_extra}
        added |= request.turns[-1].extra_body
        body = dict(payload) | {name: value for name, value in added.items() if name not in self.own_fields}
        check_streaming(body, request)
        return body

    @staticmethod
    def _latest_turn_attr(request: RequestInfo, name: str) -> Any:
        """Return this attribute of the last turn that has it (is not None); None if no turn has."""
        found = (getattr(turn, name) for turn in reversed(request.turns))
        return next((value for value in found if value is not None), None)

    def encode(self, payload: Any) -> bytes:
        """Return the bytes of a body, of `content_type`."""
        import orjson

        return orjson.dumps(payload)

    @abstractmethod
    def read_stream(self, messages: Sequence[Any], *, done: bool) -> ResponseFacts:
        """Read the decoded messages of a complete stream; `done` tells that it ended with ``[DONE]``."""

    @abstractmethod
    def read_response(self, body: Any) -> ResponseFacts:
        """Read the decoded body of an answer that was not streamed; its one content index is 0."""

    def follow_up(self, body: Any) -> FollowUp | None:
        """Return what to ask for next, after the decoded body of a good answer; None: that was the last one.

        Asked only where `polls` says so. The request is over with the last answer, and `read_response` reads that one.
        """
        return None

    def text_of(self, messages: Sequence[Any]) -> str:
        """Return the text of an answer, reasoning left out: of all messages of a stream, or of one whole body.

        Raises:
            NotImplementedError: its answers are not text.
        """
        raise NotImplementedError(f"{type(self).__name__} has no text that an answer could be graded by")


def check_streaming(body: Any, request: RequestInfo) -> None:
    """Refuse a body whose ``stream`` is not what the load expects: its answers would be read in the wrong way.

    Raises:
        ConfigurationError: it is not.
    """
    if not isinstance(body, Mapping) or bool(body.get("stream", request.streaming)) == request.streaming:
        return
    wanted = "streamed, and its metrics need that" if request.streaming else "not streamed"
    option = "--aiperf-no-streaming" if request.streaming else "--aiperf-streaming"
    raise ConfigurationError(
        f"an addition to the request body sets stream to {body['stream']!r}, but the load is {wanted}: "
        f"leave stream out of the extra inputs and of the data, or give {option}"
    )
