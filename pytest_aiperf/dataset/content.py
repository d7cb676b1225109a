"""What a request says, as rows of AIPerf's shapes give it: texts and media, alone, in lists, or named."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, model_validator

from pytest_aiperf.common.conversation import Turn
from pytest_aiperf.dataset.media_files import MediaFolder, Medium
from pytest_aiperf.dataset.problems import Problems
from pytest_aiperf.dataset.row import (
    Extra,
    GivenAnswer,
    Milliseconds,
    Row,
    SessionId,
    StrictRow,
    TokenCount,
    joined,
)

_MEDIA: Final[tuple[Medium, ...]] = ("image", "audio", "video")
_QUERY: Final = ("query", "queries")
_ALONE_OR_LISTED: Final = ("text", *_MEDIA)
CONTENT_KEYS: Final = frozenset(f"{name}{s}" for name in _ALONE_OR_LISTED for s in ("", "s"))


class Named(StrictRow):
    """Contents under a name: for rankings ``query`` and ``passages``."""

    name: str = Field(default="", description="What the texts are: query or passages, for rankings.")
    contents: list[str] = Field(description="Texts, or paths and addresses of media.")
    uuids: list[str] | None = Field(default=None, description="Ids of a server's cache; not supported.")


def _named(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    return [{"contents": [item]} if isinstance(item, str) else item for item in value]


NamedList = Annotated[list[Named] | None, BeforeValidator(_named)]


class ContentRow(Row):
    """Texts and media of one request; at least one of them."""

    text: str | None = Field(default=None, description="The prompt.")
    texts: NamedList = Field(default=None, description="Several texts, or texts under names.")
    image: str | None = Field(default=None, description="Path, http(s) address or data: URL of an image.")
    images: NamedList = Field(default=None, description="Several of them.")
    image_uuids: list[str] | None = Field(default=None, description="Ids of a server's cache; not supported.")
    audio: str | None = Field(default=None, description="Path, http(s) address or data: URL of a recording.")
    audios: NamedList = Field(default=None, description="Several of them.")
    video: str | None = Field(default=None, description="Path, http(s) address or data: URL of a video.")
    videos: NamedList = Field(default=None, description="Several of them.")
    expected: GivenAnswer = Field(default=None, description="The right answer.")

    @model_validator(mode="after")
    def _say_something_once(self) -> ContentRow:
        both = [name for name in _ALONE_OR_LISTED if getattr(self, name) and getattr(self, f"{name}s")]
        if both:
            raise ValueError(f"{both[0]!r} and {both[0] + 's'!r} together; give one of them")
        if not self.image_uuids and not any(True for each in _ALONE_OR_LISTED for _ in contents(self, each)):
            raise ValueError("says nothing; should have one of text, texts, image(s), audio(s), video(s)")
        return self


class TurnRow(ContentRow):
    """One request."""

    role: Literal["user", "assistant", "system"] = Field(default="user", description="Who says it.")
    timestamp: Milliseconds | None = Field(default=None, description="When it is sent, ms from the first.")
    delay: Milliseconds | None = Field(default=None, description="Pause after the turn before, ms.")
    model: str | None = Field(default=None, description="Model of this request.")
    max_tokens: TokenCount | None = Field(default=None, description="Output tokens that are asked for.")
    output_length: TokenCount | None = Field(default=None, description="The same as max_tokens.")
    extra: Extra = Field(default=None, description="Further fields of the request's body.")

    @model_validator(mode="before")
    @classmethod
    def _null_is_nothing(cls, value: Any) -> Any:
        if isinstance(value, dict) and "role" in value and value["role"] is None:
            return {key: item for key, item in value.items() if key != "role"}
        return value

    @model_validator(mode="after")
    def _say_each_thing_once(self) -> TurnRow:
        if self.timestamp and self.delay:
            raise ValueError("'timestamp' and 'delay' together; give one of them")
        if self.max_tokens and self.output_length:
            raise ValueError("'max_tokens' and 'output_length' mean the same; give one of them")
        return self


class SessionRow(TurnRow):
    """One request that may belong to a session."""

    session_id: SessionId = Field(
        default=None, description="Rows of one session are sent one after the other."
    )


def contents(row: ContentRow, name: str) -> Iterator[str]:
    """Yield what a row has of text, image, audio or video, in its order."""
    alone: str | None = getattr(row, name)
    if alone:
        yield alone
    for each in getattr(row, f"{name}s") or ():
        yield from (content for content in each.contents if content)


def note_faults(
    row: ContentRow, where: str, problems: Problems, media: MediaFolder, *, conversation: str, turn: int = 0
) -> None:
    """Note what of a row's content cannot be sent."""
    for medium in _MEDIA:
        key = medium if getattr(row, medium) else f"{medium}s"
        for content in contents(row, medium):
            fault = media.fault(content, medium)
            if fault is not None:
                problems.malformed(joined(where, key), fault)
    if row.image_uuids or any(each.uuids for each in row.images or ()):
        what = "ids of a server's image cache (image_uuids, uuids) are not supported; give the images alone"
        problems.unsupported(where, what, conversation=conversation, turn=turn)


def content_turn(rows: Sequence[tuple[str, ContentRow]], media: MediaFolder) -> Turn:
    """Return one request of one row, or of several whose contents go together, each with a name for its own."""
    texts = [pair for name, row in rows for pair in _named_texts(name, row)]
    query = next((index for index, (name, _) in enumerate(texts) if name.lower() in _QUERY), 0)
    ordered = [text for _, text in texts[query : query + 1] + texts[:query] + texts[query + 1 :]]
    images, audios, videos = (_urls([row for _, row in rows], medium, media) for medium in _MEDIA)
    expected = next((row.expected for _, row in rows if row.expected), None)
    return Turn(
        text=ordered[0] if ordered else "",
        texts=tuple(ordered[1:]),
        images=images,
        audios=audios,
        videos=videos,
        expected=expected.to_expected() if expected else None,
    )


def _named_texts(name: str, row: ContentRow) -> Iterator[tuple[str, str]]:
    if row.text:
        yield name, row.text
    for each in row.texts or ():
        yield from ((each.name or name, content) for content in each.contents if content)


def _urls(rows: Iterable[ContentRow], medium: Medium, media: MediaFolder) -> tuple[str, ...]:
    return tuple(media.url(content, medium) for row in rows for content in contents(row, medium))
