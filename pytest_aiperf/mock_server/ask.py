"""PYTEST_DONT_REWRITE. What a request asks for, whatever the API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from pytest_aiperf.mock_server.options import MAX_TOKENS

if TYPE_CHECKING:
    from pytest_aiperf.mock_server.apis import Api
    from pytest_aiperf.mock_server.options import MockOptions


class RefusedAskError(Exception):
    """The request cannot be answered; `status` and `code` go into the error reply."""

    def __init__(self, status: int, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """The parts of a request's body that shape its answer."""

    streams: bool
    wants_usage: bool
    texts: int
    """Texts of the prompt."""
    prompt_tokens: int
    """Whitespace-separated words of all of them."""
    tokens: int
    """Completion tokens to send; 1 where the answer is no text, and comes with the first one."""
    reaches_limit: bool
    """The answer ends because of the request's limit (``length``), not by itself (``stop``)."""


def read_ask(body: bytes, options: MockOptions, api: Api) -> Ask:
    """Read a request's body. Raises `RefusedAskError`."""
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RefusedAskError(400, f"We could not parse the JSON body of your request: {error}.") from None
    if not isinstance(data, dict):
        raise RefusedAskError(400, f"The body of a request to {api.path.decode()} is a JSON object.")
    model = data.get("model", options.model)
    if model != options.model:
        raise RefusedAskError(404, f"The model `{model}` does not exist.", "model_not_found")
    limit = _token_limit(data) if api.generates else 1
    tokens = options.osl if limit is None else limit
    if options.server_osl_cap:
        tokens = min(tokens, options.server_osl_cap)
    stream_options = data.get("stream_options")
    texts = api.texts(data)
    return Ask(
        streams=api.generates and data.get("stream") is True,
        wants_usage=isinstance(stream_options, dict) and stream_options.get("include_usage") is True,
        texts=len(texts),
        prompt_tokens=sum(len(text.split()) for text in texts),
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
