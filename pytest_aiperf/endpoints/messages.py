"""PYTEST_DONT_REWRITE. From turns to what APIs take: a list of messages, or one prompt."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from pytest_aiperf.common.conversation import Turn
from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.endpoints.base_endpoint import RequestInfo
from pytest_aiperf.endpoints.content_parts import CHAT_PARTS, content_of, refuse_media, texts_of

_BETWEEN: Final = "\n\n"
"""Between a system prompt and a text that it is put before."""


def messages_of(turns: Sequence[Turn], write: Callable[[Turn], Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the messages of a conversation: those that the data has, and for other turns what `write` makes of them.

    A turn whose `raw_messages` are an empty list adds none.
    """
    found: list[Mapping[str, Any]] = []
    for turn in turns:
        if turn.raw_messages is None:
            found.append(write(turn))
        else:
            found += turn.raw_messages
    return found


def chat_messages(request: RequestInfo, api: str) -> list[Mapping[str, Any]]:
    """Return the conversation so far in the way of OpenAI's chat, the system prompt before it.

    Raises:
        ConfigurationError: see `content_of`.
    """

    def write(turn: Turn) -> Mapping[str, Any]:
        return {"role": turn.role, "content": content_of(turn, CHAT_PARTS, api)}

    return _with_system(request.system, messages_of(request.turns, write))


def _with_system(system: str | None, messages: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Put a system prompt first; where the data begins with one of its own, the two become one.

    Many chat templates take a system message in the first place only.
    """
    if not system:
        return list(messages)
    if not messages or messages[0].get("role") != "system":
        return [{"role": "system", "content": system}, *messages]
    own = messages[0].get("content")
    joined = [{"type": "text", "text": system}, *own] if isinstance(own, list) else _joined(system, own)
    return [{**messages[0], "content": joined}, *messages[1:]]


def prompts_of(request: RequestInfo, api: str) -> list[str]:
    """Return the texts of a request to an API that takes prompts, no conversation; a system prompt goes before each.

    Raises:
        ConfigurationError: the request goes on from earlier turns, or holds messages, media, or no text at all.
    """
    texts = texts_of(one_turn(request, api))
    if not texts:
        raise ConfigurationError(f"a turn holds no text, and the endpoint type {api!r} needs one")
    return [_joined(request.system, text) for text in texts] if request.system else texts


def one_turn(request: RequestInfo, api: str, *taken: str) -> Turn:
    """Return the turn of a request to an API that knows no conversations; `taken` are the kinds of media it takes.

    Raises:
        ConfigurationError: the request goes on from earlier turns, or holds messages or other media.
    """
    turn = request.turns[-1]
    if len(request.turns) > 1 or turn.raw_messages is not None:
        what = "messages" if len(request.turns) == 1 else f"{len(request.turns)} turns"
        raise ConfigurationError(
            f"a request holds {what}, and the endpoint type {api!r} takes one prompt: give conversations of one turn, "
            "or choose an endpoint type that takes conversations (chat, responses, messages)"
        )
    refuse_media(turn, api, *taken)
    return turn


def _joined(system: str | None, text: Any) -> str:
    return _BETWEEN.join(part for part in (system, text) if isinstance(part, str) and part)
