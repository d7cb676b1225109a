"""PYTEST_DONT_REWRITE. Looks at the server's Prometheus pages beside the load, from a process of its own.

Each page has a task of its own, so that one that stalls delays no other. One that fails is asked ever less often:
a page that is not there would stand in the server's log once a second, and a server that is too busy to answer should
not be made busier.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pytest_aiperf.common.hooks import on_init, on_message, on_start, on_stop
from pytest_aiperf.server_metrics import messages as m
from pytest_aiperf.server_metrics.client import Client
from pytest_aiperf.server_metrics.identity import ask_identity
from pytest_aiperf.server_metrics.quantities import SeriesKey
from pytest_aiperf.server_metrics.sample import Reason, ServerNote, ServerSample
from pytest_aiperf.server_metrics.scrape import Scraper, unknown_page
from pytest_aiperf.server_metrics.settings import ServerMetricsSettings
from pytest_aiperf.services.component_service import BaseComponentService

if TYPE_CHECKING:
    from pytest_aiperf.services.channel import Channel

_LONGEST_PAUSE_S: Final = 60.0
_ASK_AGAIN_S: Final = 10.0
"""A page behind which several servers stand changes from look to look; who they are is not asked as often."""


@dataclass(slots=True, kw_only=True)
class _Server:
    """A server under test, of whom it is asked who it is."""

    base: str
    name: str | None = None
    """As its page has it."""
    arguments: Mapping[str, str] = field(default_factory=dict)
    asked_s: float = -math.inf
    """When it was asked last, monotonic."""


@dataclass(slots=True, kw_only=True)
class _Page:
    """A page that is looked at."""

    scraper: Scraper
    server: _Server | None
    """Whose page it is, where that is known."""
    failures: int = 0
    """In a row."""
    down: bool = False
    """Nothing listened there last time."""
    last: ServerSample | None = None


class ServerMetricsService(BaseComponentService):
    """Says `ServerSampleMessage`, `ServerNoteMessage` and `ServerIdentityMessage`; hears `ServerLookMessage`."""

    def __init__(self, channel: Channel, config: Mapping[str, Any]) -> None:
        super().__init__(channel, config)
        self.settings = ServerMetricsSettings.model_validate(config)
        self._client: Client | None = None
        self._servers = [_Server(base=base) for base in self.settings.bases]
        self._pages: Sequence[_Page] = ()
        self._said: set[tuple[str, Reason]] = set()
        self._keys: dict[str, Sequence[SeriesKey]] = {}

    @on_init
    async def _connect(self) -> None:
        self._client = Client.open(self.settings)
        self._pages = [
            _Page(scraper=Scraper(self._client, url), server=self._server_of(url))
            for url in self.settings.pages
        ]

    @on_start
    async def _begin(self) -> None:
        for page in self._pages:
            self.run_beside(self._watch(page))
        has_page = [page.server for page in self._pages]
        for server in self._servers:
            if server not in has_page:
                self._ask(server)

    @on_stop
    async def _disconnect(self) -> None:
        if self._client is not None:
            await self._client.close()

    @on_message(m.LOOK)
    async def _look(self, asked: m.ServerLookMessage) -> None:
        well = [page for page in self._pages if not page.failures]
        await asyncio.gather(*(self._scrape(page) for page in well))
        await self.publish(m.ServerLookedMessage(number=asked.number))

    async def _watch(self, page: _Page) -> None:
        while True:
            began_s = time.monotonic()
            await self._scrape(page)
            pause_s = self.settings.interval_s * 2 ** min(page.failures, 16)
            pause_s = max(min(pause_s, _LONGEST_PAUSE_S), self.settings.interval_s)
            await asyncio.sleep(max(0.0, began_s + pause_s - time.monotonic()))

    async def _scrape(self, page: _Page) -> None:
        result = await page.scraper.scrape()
        if isinstance(result, ServerNote):
            page.failures += 1
            page.down = result.reason is Reason.UNREACHABLE
            await self._say(result)
            if page.last is None and page.server is not None:
                self._ask(page.server)
            return
        if result.server is None:
            await self._say(unknown_page(result.url))
        another = page.last is None or page.down or _is_another(page.last, result)
        page.failures, page.down, page.last = 0, False, result
        if another and page.server is not None:
            if result.server is not None and page.server.name != result.server:
                page.server.name, page.server.asked_s = result.server, -math.inf
            page.server.arguments = page.scraper.arguments or page.server.arguments
            self._ask(page.server)
        await self._publish_sample(result)

    def _ask(self, server: _Server) -> None:
        now_s = time.monotonic()
        if now_s - server.asked_s > _ASK_AGAIN_S:
            server.asked_s = now_s
            self.run_beside(self._identify(server))

    async def _publish_sample(self, sample: ServerSample) -> None:
        message = m.ServerSampleMessage.of(sample, known=self._keys.get(sample.url))
        self._keys[sample.url] = sample.keys
        await self.publish(message)

    async def _identify(self, server: _Server) -> None:
        assert self._client is not None
        name = server.name
        told = await ask_identity(self._client, server.base, server=name, arguments=server.arguments)
        outdated = name != server.name  # its page told it meanwhile, and it is asked anew
        if outdated or (told.name is None and told.version is None and not told.arguments):
            return
        await self.publish(
            m.ServerIdentityMessage(
                url=told.url, name=told.name, version=told.version, arguments=dict(told.arguments)
            )
        )

    async def _say(self, note: ServerNote) -> None:
        if (note.url, note.reason) in self._said:
            return
        self._said.add((note.url, note.reason))
        self.log.info("%s", note.text)
        await self.publish(m.ServerNoteMessage(url=note.url, reason=note.reason, text=note.text))

    def _server_of(self, page: str) -> _Server | None:
        """The server that this page is below; a page elsewhere is that of the only one."""
        below = [server for server in self._servers if page.startswith(f"{server.base}/")]
        if below:
            return max(below, key=lambda server: len(server.base))
        return self._servers[0] if len(self._servers) == 1 else None


def _is_another(before: ServerSample, now: ServerSample) -> bool:
    return (before.server, before.started_s) != (now.server, now.started_s)
