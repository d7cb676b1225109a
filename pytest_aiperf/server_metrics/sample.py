"""What one look at one page gave: figures, or the reason why there are none."""

from __future__ import annotations

import enum
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from pytest_aiperf.server_metrics.quantities import SeriesKey


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSample:
    """The figures of one page at one moment, which lies between the two stamps."""

    url: str
    """Of the page, as `shown_url` has it."""
    before_ns: int
    """CLOCK_REALTIME ns, before the page was asked for."""
    after_ns: int
    """CLOCK_REALTIME ns, when all of it was here."""
    server: str | None = None
    """Name of the server; None where nothing known was on the page."""
    started_s: float | None = None
    """When the server's process was started, Unix time; None where it does not say."""
    keys: Sequence[SeriesKey] = ()
    """The same object in sample after sample of a page, unless something came or went."""
    values: array[float]
    """Finite, one for each key."""

    @property
    def series(self) -> Mapping[SeriesKey, float]:
        """The figures by what they are."""
        return dict(zip(self.keys, self.values, strict=True))

    @property
    def moment_ns(self) -> int:
        """The middle of the two stamps."""
        return (self.before_ns + self.after_ns) // 2


class Reason(enum.StrEnum):
    """Why a page gave no figures."""

    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    STATUS = "status"
    REDIRECT = "redirect"
    CONTENT_TYPE = "content_type"
    TOO_LARGE = "too_large"
    CUT_SHORT = "cut_short"
    NOT_METRICS = "not_metrics"
    UNKNOWN = "unknown"
    """The page is fine, and has nothing that is known here."""
    GONE = "gone"
    """Nothing came from the service that asks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerNote:
    """A sentence for a person. It never fails or delays a measurement."""

    url: str
    reason: Reason
    text: str


def shown_url(url: str) -> str:
    """Return a URL without its query, in which some servers take a key."""
    return urlsplit(url)._replace(query="", fragment="").geturl()
