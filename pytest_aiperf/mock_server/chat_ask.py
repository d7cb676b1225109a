"""PYTEST_DONT_REWRITE. What a chat completion request asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from pytest_aiperf.mock_server.options import MAX_TOKENS

if TYPE_CHECKING:
    from pytest_aiperf.mock_server.options import MockOptions


class RefusedAskError(Exception):
    """The request cannot be answered; `status` and `code` go into the error reply."""

    def __init__(self, status: int, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatAsk:
    """The parts of a request's body that shape its answer."""

    streams: bool
    wants_usage: bool
    prompt_tokens: int
    """Whitespace-separated words of all messages."""
    tokens: int
    """Completion tokens to send."""
    reaches_limit: bool
    """The answer ends because of the request's limit (``length``), not by itself (``stop``)."""


def read_ask(body: bytes, options: MockOptions) -> ChatAsk:
    """Read a request's body. Raises `RefusedAskError`."""
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RefusedAskError(400, f"We could not parse the JSON body of your request: {error}.") from None
    if not isinstance(data, dict):
        raise RefusedAskError(400, "The body of a chat completion request is a JSON object.")
    model = data.get("model", options.model)
    if model != options.model:
        raise RefusedAskError(404, f"The model `{model}` does not exist.", "model_not_found")
    limit = _token_limit(data)
    tokens = options.osl if limit is None else limit
    if options.server_osl_cap:
        tokens = min(tokens, options.server_osl_cap)
    stream_options = data.get("stream_options")
    return ChatAsk(
        streams=data.get("stream") is True,
        wants_usage=isinstance(stream_options, dict) and stream_options.get("include_usage") is True,
        prompt_tokens=_prompt_words(data.get("messages")),
        tokens=tokens,
        reaches_limit=tokens == limit,
    )


def _token_limit(data: dict[str, Any]) -> int | None:
    for key in ("max_completion_tokens", "max_tokens"):
        value = data.get(key)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_TOKENS:
            raise RefusedAskError(
                400, f"{key} is {value!r}; it must be a whole number from 1 to {MAX_TOKENS}."
            )
        return value
    return None


def _prompt_words(messages: Any) -> int:
    if not isinstance(messages, list) or not messages:
        raise RefusedAskError(400, "messages must be a list with at least one message.")
    words = 0
    for message in messages:
        if not isinstance(message, dict):
            raise RefusedAskError(400, "Each of the messages must be an object.")
        content = message.get("content")
        if isinstance(content, str):
            words += len(content.split())
        elif isinstance(content, list):
            words += sum(len(str(part.get("text", "")).split()) for part in content if isinstance(part, dict))
    return words
