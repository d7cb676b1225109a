"""What the server metrics service says, and what it is asked."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Final, Self

from pydantic import Field

from pytest_aiperf.common.finite import FiniteFloat
from pytest_aiperf.common.messages import Message, MessageTypeT
from pytest_aiperf.server_metrics.identity import ServerIdentity
from pytest_aiperf.server_metrics.quantities import SeriesKey
from pytest_aiperf.server_metrics.sample import Reason, ServerNote, ServerSample

SAMPLE: Final = "server_sample"
NOTE: Final = "server_note"
IDENTITY: Final = "server_identity"
LOOK: Final = "server_look"
LOOKED: Final = "server_looked"


class ServerSampleMessage(Message):
    """The figures of a page at one moment."""

    message_type: MessageTypeT = SAMPLE
    url: str = Field(description="The page.")
    before_ns: int = Field(ge=0, description="CLOCK_REALTIME ns, before it was asked for.")
    after_ns: int = Field(ge=0, description="CLOCK_REALTIME ns, when it was here.")
    server: str | None = Field(default=None, description="Name of the server.")
    started_s: FiniteFloat | None = Field(default=None, description="Start of its process, Unix time.")
    keys: list[SeriesKey] | None = Field(
        default=None,
        description="What the values are, which are the buffer; None: the same as in the page's last sample.",
    )

    @classmethod
    def of(cls, sample: ServerSample, *, known: Sequence[SeriesKey] | None) -> Self:
        """Return the message of a sample, `known` being the keys that were sent last for its page."""
        return cls(
            url=sample.url,
            before_ns=sample.before_ns,
            after_ns=sample.after_ns,
            server=sample.server,
            started_s=sample.started_s,
            keys=None if known is not None and sample.keys is known else list(sample.keys),
            buffers=[sample.values.tobytes()],
        )

    def sample(self, known: Sequence[SeriesKey]) -> ServerSample:
        """Return the sample, `known` being the keys that came last for its page."""
        values = array("d")
        values.frombytes(self.buffers[0])
        return ServerSample(
            url=self.url,
            before_ns=self.before_ns,
            after_ns=self.after_ns,
            server=self.server,
            started_s=self.started_s,
            keys=known if self.keys is None else tuple(self.keys),
            values=values,
        )


class ServerNoteMessage(Message):
    """Why there are no figures. Said once for each page and reason."""

    message_type: MessageTypeT = NOTE
    url: str = Field(description="The page.")
    reason: Reason = Field(description="Kind of reason.")
    text: str = Field(description="A sentence.")

    def note(self) -> ServerNote:
        """Return the note."""
        return ServerNote(url=self.url, reason=self.reason, text=self.text)


class ServerIdentityMessage(Message):
    """Who a server is. Said again when it came back."""

    message_type: MessageTypeT = IDENTITY
    url: str = Field(description="Base URL that was asked.")
    name: str | None = Field(default=None, description="Name of the server.")
    version: str | None = Field(default=None, description="Its version.")
    arguments: dict[str, str] = Field(default_factory=dict, description="What it was started with.")

    def identity(self) -> ServerIdentity:
        """Return the identity."""
        return ServerIdentity(url=self.url, name=self.name, version=self.version, arguments=self.arguments)


class ServerLookMessage(Message):
    """Look at all pages now: a run begins or has ended."""

    message_type: MessageTypeT = LOOK
    number: int = Field(ge=0, description="Which look it is.")


class ServerLookedMessage(Message):
    """A look that was asked for is over: its samples, and its notes, were sent before."""

    message_type: MessageTypeT = LOOKED
    number: int = Field(ge=0, description="Which look it was.")
