"""PYTEST_DONT_REWRITE. The APIs that the mock server speaks: how each reads a prompt and words an answer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Final

from pytest_aiperf.mock_server.ask import RefusedAskError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_aiperf.mock_server.ask import Ask

_DIMENSIONS: Final = 64
_VECTOR: Final = [round((-1) ** i / (i + 1), 4) for i in range(_DIMENSIONS)]


class Api(ABC):
    """One path of the server."""

    path: ClassVar[bytes]
    generates: ClassVar[bool] = True
    """Answers are tokens, which can be streamed."""
    whole: ClassVar[str]
    """``object`` of an answer that is not streamed."""
    chunk: ClassVar[str] = ""
    """``object`` of a message of a stream."""
    answer_id: ClassVar[str]
    opening: ClassVar[Mapping[str, Any] | None] = None
    """What the message says that opens a stream; None: there is none."""
    nothing: ClassVar[Mapping[str, Any]] = {}
    """What the message says that ends a stream."""

    @abstractmethod
    def texts(self, data: Mapping[str, Any]) -> Sequence[str]:
        """Return the texts of a request's prompt. Raises `RefusedAskError`."""

    def piece(self, word: str) -> Mapping[str, Any]:
        """Return what the message of one token says."""
        raise NotImplementedError

    @abstractmethod
    def answer(self, ask: Ask, text: str, finish_reason: str | None) -> Mapping[str, Any]:
        """Return what is particular to an answer that is not streamed."""


class Chat(Api):
    """``/v1/chat/completions``."""

    path: ClassVar[bytes] = b"/v1/chat/completions"
    whole: ClassVar[str] = "chat.completion"
    chunk: ClassVar[str] = "chat.completion.chunk"
    answer_id: ClassVar[str] = "chatcmpl-mock"
    opening: ClassVar[Mapping[str, Any] | None] = {"delta": {"role": "assistant", "content": ""}}
    nothing: ClassVar[Mapping[str, Any]] = {"delta": {}}

    def texts(self, data: Mapping[str, Any]) -> Sequence[str]:
        """Return the texts of all messages."""
        messages = data.get("messages")
        if not isinstance(messages, list) or not messages:
            raise RefusedAskError(400, "messages must be a list with at least one message.")
        texts: list[str] = []
        for message in messages:
            if not isinstance(message, dict):
                raise RefusedAskError(400, "Each of the messages must be an object.")
            content = message.get("content")
            if isinstance(content, str):
                texts.append(content)
            elif isinstance(content, list):
                texts += [str(part.get("text", "")) for part in content if isinstance(part, dict)]
        return texts

    def piece(self, word: str) -> Mapping[str, Any]:
        """Return a delta."""
        return {"delta": {"content": word}}

    def answer(self, ask: Ask, text: str, finish_reason: str | None) -> Mapping[str, Any]:
        """Return its message."""
        return _generated(ask, {"message": {"role": "assistant", "content": text}}, finish_reason)


class Completions(Api):
    """``/v1/completions``."""

    path: ClassVar[bytes] = b"/v1/completions"
    whole: ClassVar[str] = "text_completion"
    chunk: ClassVar[str] = "text_completion"
    answer_id: ClassVar[str] = "cmpl-mock"
    nothing: ClassVar[Mapping[str, Any]] = {"text": ""}

    def texts(self, data: Mapping[str, Any]) -> Sequence[str]:
        """Return the one prompt."""
        texts = _texts_at(data, "prompt")
        if len(texts) != 1:
            raise RefusedAskError(
                400, f"prompt holds {len(texts)} texts; this server completes one a request."
            )
        return texts

    def piece(self, word: str) -> Mapping[str, Any]:
        """Return a text."""
        return {"text": word}

    def answer(self, ask: Ask, text: str, finish_reason: str | None) -> Mapping[str, Any]:
        """Return its text."""
        return _generated(ask, {"text": text}, finish_reason)


class Embeddings(Api):
    """``/v1/embeddings``: the same vector for every text."""

    path: ClassVar[bytes] = b"/v1/embeddings"
    generates: ClassVar[bool] = False
    whole: ClassVar[str] = "list"
    answer_id: ClassVar[str] = "embd-mock"

    def texts(self, data: Mapping[str, Any]) -> Sequence[str]:
        """Return all texts that are to be embedded."""
        return _texts_at(data, "input")

    def answer(self, ask: Ask, text: str, finish_reason: str | None) -> Mapping[str, Any]:
        """Return a vector for each text."""
        vectors = [{"object": "embedding", "index": i, "embedding": _VECTOR} for i in range(ask.texts)]
        usage = {"prompt_tokens": ask.prompt_tokens, "total_tokens": ask.prompt_tokens}
        return {"data": vectors, "usage": usage}


APIS: Final[Sequence[Api]] = (Chat(), Completions(), Embeddings())


def choice(said: Mapping[str, Any], finish_reason: str | None) -> dict[str, Any]:
    """Return an entry of ``choices``."""
    return {"index": 0, **said, "logprobs": None, "finish_reason": finish_reason}


def usage_of(ask: Ask) -> dict[str, int]:
    """Return the usage of an answer that is made of tokens."""
    return {
        "prompt_tokens": ask.prompt_tokens,
        "completion_tokens": ask.tokens,
        "total_tokens": ask.prompt_tokens + ask.tokens,
    }


def _generated(ask: Ask, said: Mapping[str, Any], finish_reason: str | None) -> Mapping[str, Any]:
    return {"choices": [choice(said, finish_reason)], "usage": usage_of(ask)}


def _texts_at(data: Mapping[str, Any], name: str) -> list[str]:
    given = data.get(name)
    texts: list[Any] = given if isinstance(given, list) else [given]
    if not texts or not all(isinstance(text, str) for text in texts):
        raise RefusedAskError(400, f"{name} must be a text or a list of texts.")
    return texts
