"""PYTEST_DONT_REWRITE. OpenAI audio transcription: a recording in, its words out.

A whole answer is JSON, or the bare transcript where ``response_format`` asks for text or subtitles. A stream is
OpenAI's own (``transcript.text.delta``), or vLLM's, which is that of chat completions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.endpoints.base_endpoint import BaseEndpoint, EndpointFacts, RequestInfo, ResponseFacts
from pytest_aiperf.endpoints.data_url import file_of
from pytest_aiperf.endpoints.form_data import FORM_DATA, encode_form
from pytest_aiperf.endpoints.messages import one_turn
from pytest_aiperf.endpoints.openai_chat import ChatEndpoint
from pytest_aiperf.endpoints.usage import NO_USAGE
from pytest_aiperf.endpoints.whole_answer import first_error, usage_in, whole_answer

_CHAT: Final = ChatEndpoint()
_BARE_TEXT: Final = ("text", "srt", "vtt")


class AudioTranscriptionEndpoint(BaseEndpoint):
    """``/v1/audio/transcriptions``."""

    facts: ClassVar[EndpointFacts | None] = EndpointFacts(
        name="audio_transcription",
        description="OpenAI audio transcription; the recording is uploaded",
        supports_streaming=True,
        streams_by_default=False,
        produces_tokens=False,
        tokenizes_input=False,
        supports_audio=True,
        metrics_title="Audio Transcription Metrics",
    )

    path: ClassVar[str] = "/v1/audio/transcriptions"
    content_type: ClassVar[str] = FORM_DATA
    own_fields: ClassVar[frozenset[str]] = frozenset({"file", "file[]"})
    reads_text: ClassVar[bool] = True

    def format_payload(self, request: RequestInfo) -> dict[str, Any]:
        """Return the fields: the recording of its turn. A text is not sent: a prompt would steer the transcript.

        Raises:
            ConfigurationError: there is not exactly one recording, or it cannot be read, or more than one turn.
        """
        turn = one_turn(request, "audio_transcription", "audios")
        if len(turn.audios) != 1:
            raise ConfigurationError(
                f"a transcription needs one recording, and this request has {len(turn.audios)}: give audios in the "
                "data, or --aiperf-audio-length-mean"
            )
        native = {"file": file_of(turn.audios[0], kind="audio"), "model": turn.model or request.model}
        return self.merged(native | {"stream": True} if request.streaming else native, request)

    def encode(self, payload: Any) -> bytes:
        """Return the bytes of the form."""
        return encode_form(payload)

    def read_stream(self, messages: Sequence[Any], *, done: bool) -> ResponseFacts:
        """Read a stream: what adds to the transcript is content, and the whole of it where nothing has."""
        if any(isinstance(message, Mapping) and "choices" in message for message in messages):
            return _CHAT.read_stream(messages, done=done)
        error, code = first_error(messages)
        end = next((i for i, message in enumerate(messages) if _is_end(message)), None)
        content = [i for i, message in enumerate(messages) if _added(message)]
        content = content or ([] if end is None else [end])
        usage = NO_USAGE if end is None else usage_in(messages[end])
        return ResponseFacts(
            content=content,
            finished=end is not None,
            error_message=error,
            error_code=code,
            input_tokens=usage.input,
            output_tokens=usage.output,
            first_output=0 if content else None,
        )

    def read_response(self, body: Any) -> ResponseFacts:
        """Read an answer: good when it holds a text, which is empty where nobody speaks.

        A bare text is one only where it was asked for by ``response_format``: it may be any page of any server.
        """
        if not isinstance(body, Mapping) and self.model_endpoint.extra.get("response_format") in _BARE_TEXT:
            return ResponseFacts(content=(0,), finished=True)
        facts = whole_answer(body, what="a transcript", has=lambda body: isinstance(body["text"], str))
        return facts._replace(output_tokens=usage_in(body).output)

    def text_of(self, messages: Sequence[Any]) -> str:
        """Return the transcript."""
        if any(isinstance(message, Mapping) and "choices" in message for message in messages):
            return _CHAT.text_of(messages)
        for message in messages:
            if not isinstance(message, Mapping):
                return str(message).strip()  # 42 is a text too, though it was decoded as JSON
            if isinstance(message.get("text"), str) and not _added(message):
                return str(message["text"])
        return "".join(_added(message) for message in messages)


def _is_end(message: Any) -> bool:
    return isinstance(message, Mapping) and message.get("type") == "transcript.text.done"


def _added(message: Any) -> str:
    """Return what a streamed message adds to the transcript."""
    names = {"transcript.text.delta": "delta", "transcript.text.segment": "text"}
    kind = message.get("type") if isinstance(message, Mapping) else None
    name = names.get(kind) if isinstance(kind, str) else None
    added = message.get(name) if name else None
    return added if isinstance(added, str) else ""
