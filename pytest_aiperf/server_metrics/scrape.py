"""One look at one Prometheus page."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from pytest_aiperf.server_metrics.client import Answer, Client
from pytest_aiperf.server_metrics.known_servers import SERVERS
from pytest_aiperf.server_metrics.page import NotMetricsError, Page, PageReader
from pytest_aiperf.server_metrics.quantities import SeriesKey
from pytest_aiperf.server_metrics.sample import Reason, ServerNote, ServerSample, shown_url

# Not protobuf, which some servers send where they may.
ACCEPT: Final = "text/plain;version=0.0.4,application/openmetrics-text;version=1.0.0;q=0.5"
OPEN_METRICS: Final = "application/openmetrics-text"
_TYPES: Final = frozenset({"text/plain", OPEN_METRICS, ""})
_HINTS: Final = "; ".join(f"{server.name}: {server.how}" for server in SERVERS if server.how)


@dataclass(slots=True)
class Scraper:
    """Reads one page, again and again."""

    client: Client
    url: str
    arguments: Mapping[str, str] = field(default_factory=dict)
    """What the page last told of how its server was started."""
    _reader: PageReader = field(default_factory=PageReader)
    _keys: Sequence[SeriesKey] = ()

    async def scrape(self) -> ServerSample | ServerNote:
        """Return the figures, or why there are none: never raises for what a server does."""
        answer = await self.client.get(self.url, accept=ACCEPT)
        if isinstance(answer, ServerNote):
            return _with_hints(answer)
        try:
            page = self._reader.read(_text_of(answer))
        except NotMetricsError as error:
            return self._note(Reason.NOT_METRICS, f"is no Prometheus page: {self.client.masked(str(error))}")
        except _UnusableError as error:
            return self._note(error.reason, error.what)
        self.arguments = page.arguments
        return self._sample(page, answer)

    def _sample(self, page: Page, answer: Answer) -> ServerSample:
        keys = tuple(page.series)
        self._keys = self._keys if keys == self._keys else keys
        return ServerSample(
            url=shown_url(self.url),
            before_ns=answer.before_ns,
            after_ns=answer.after_ns,
            server=page.server,
            started_s=page.started_s,
            keys=self._keys,
            values=array("d", page.series.values()),
        )

    def _note(self, reason: Reason, what: str) -> ServerNote:
        url = shown_url(self.url)
        return ServerNote(url=url, reason=reason, text=f"{url} {what}")


def unknown_page(url: str) -> ServerNote:
    """Return what is said of a page that has nothing known."""
    servers = ", ".join(server.name for server in SERVERS)
    return ServerNote(
        url=url,
        reason=Reason.UNKNOWN,
        text=f"{url} has no metric that is known of {servers}: it tells nothing here",
    )


class _UnusableError(Exception):
    """An answer that is no page. Never leaves this module."""

    def __init__(self, reason: Reason, what: str) -> None:
        super().__init__(what)
        self.reason = reason
        self.what = what


def _text_of(answer: Answer) -> str:
    if answer.content_type not in _TYPES:
        hint = f" ({_HINTS})" if answer.content_type == "application/json" else ""
        raise _UnusableError(
            Reason.CONTENT_TYPE, f"is of type {answer.content_type[:60]!r}, not a Prometheus text page{hint}"
        )
    try:
        text = answer.body.decode("utf-8")
    except UnicodeDecodeError:
        raise _UnusableError(Reason.NOT_METRICS, "is no Prometheus page: it is not UTF-8") from None
    open_metrics = answer.content_type == OPEN_METRICS
    ended = text.rstrip().endswith("# EOF") if open_metrics else answer.whole or text.endswith("\n")
    if text and not ended:
        raise _UnusableError(Reason.CUT_SHORT, "ended in the middle of a line")
    return text


def _with_hints(note: ServerNote) -> ServerNote:
    if note.reason is not Reason.STATUS or not note.text.endswith(("404", "501")):
        return note
    return ServerNote(url=note.url, reason=note.reason, text=f"{note.text} ({_HINTS})")
