"""PYTEST_DONT_REWRITE. What a turn holds, as the parts of a message.

A turn that is one text stays a string: servers exist that take no parts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from pytest_aiperf.common.conversation import Turn
from pytest_aiperf.common.errors import ConfigurationError

Part = dict[str, Any]
_MEDIA: Final = ("images", "audios", "videos")
_AUDIO_FORMATS: Final = {"mpeg": "mp3", "wave": "wav", "vnd.wave": "wav"}
"""Subtypes of media types for which the APIs have a name of their own."""


class PartWriters(NamedTuple):
    """How an API writes parts; None: it takes none of the kind."""

    text: Callable[[str], Part]
    image: Callable[[str], Part] | None = None
    audio: Callable[[str], Part] | None = None
    video: Callable[[str], Part] | None = None


def content_of(turn: Turn, writers: PartWriters, api: str) -> str | list[Part]:
    """Return the content of a turn's message: its one text, or its parts, texts before media.

    Raises:
        ConfigurationError: the turn holds what the API does not take.
    """
    taken = [kind for kind, write in zip(_MEDIA, writers[1:], strict=True) if write is not None]
    refuse_media(turn, api, *taken)
    texts = texts_of(turn)
    if len(texts) < 2 and not any(getattr(turn, kind) for kind in _MEDIA):
        return texts[0] if texts else ""
    parts = [writers.text(text) for text in texts]
    for kind, write in zip(_MEDIA, writers[1:], strict=True):
        if write is not None:
            parts += [write(medium) for medium in getattr(turn, kind) if medium]
    return parts


def texts_of(turn: Turn) -> list[str]:
    """Return all texts of a turn, empty ones left out."""
    return [text for text in (turn.text, *turn.texts) if text]


def refuse_media(turn: Turn, api: str, *taken: str) -> None:
    """Refuse a turn with images, audios or videos that the API does not take.

    Raises:
        ConfigurationError: it has some.
    """
    for kind in _MEDIA:
        media: Sequence[str] = getattr(turn, kind)
        if media and kind not in taken:
            raise ConfigurationError(
                f"a turn holds {len(media)} {kind}, and the endpoint type {api!r} takes none: take them out of the "
                "data, or choose an endpoint type that does (pytest-aiperf plugins list endpoint)"
            )


def media_type_and_data(url: str) -> tuple[str, str] | None:
    """Return media type and base64 text of a ``data:`` URL; None for any other URL."""
    head, comma, data = url.partition(",")
    if not (comma and head.startswith("data:")):
        return None
    return head.removeprefix("data:").partition(";")[0], data


# The parts of OpenAI's chat, which most other APIs have taken over.


def chat_text(text: str) -> Part:
    """Return a text part."""
    return {"type": "text", "text": text}


def chat_image(url: str) -> Part:
    """Return an image part."""
    return {"type": "image_url", "image_url": {"url": url}}


def chat_audio(url: str) -> Part:
    """Return an audio part: data goes in OpenAI's own form, another URL in that of servers that fetch it."""
    found = media_type_and_data(url)
    if found is None:
        return {"type": "audio_url", "audio_url": {"url": url}}
    media_type, data = found
    audio_format = media_type.partition("/")[2].removeprefix("x-")
    return {
        "type": "input_audio",
        "input_audio": {"data": data, "format": _AUDIO_FORMATS.get(audio_format, audio_format)},
    }


def chat_video(url: str) -> Part:
    """Return a video part, which OpenAI does not know and the servers of open models do."""
    return {"type": "video_url", "video_url": {"url": url}}


CHAT_PARTS: Final = PartWriters(chat_text, chat_image, chat_audio, chat_video)
