"""One exporter: its page, or a sentence that says why there is none. Never later than the deadline."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from pytest_aiperf.common.cut_text import cut_text
from pytest_aiperf.common.printable import printable

if TYPE_CHECKING:
    import aiohttp

DEADLINE_S: Final = 2.0
"""For the whole of a page, from the name's look-up to the last byte."""
PAGE_LIMIT_BYTES: Final = 4 * 1024 * 1024
"""Eight cards of seven slices each, with every figure that DCGM has, are a tenth of it."""
_LONGEST_REST: Final = 16
_CHUNK_BYTES: Final = 65536


class SourceError(Exception):
    """There is no page. Never leaves this package."""


class DcgmSource:
    """Asks one URL. After a failure it rests for some turns, twice as many after each further one."""

    def __init__(self, url: str, *, deadline_s: float = DEADLINE_S) -> None:
        self.url = url
        self._deadline_s = deadline_s
        self._rest = 0
        self._turns = 0

    async def page(self, session: aiohttp.ClientSession) -> tuple[int, bytes] | None:
        """Return the moment half-way between question and answer (CLOCK_REALTIME ns), and the page.

        None while it rests.

        Raises:
            SourceError: no answer, not in time, too long, or not 200.
        """
        if self._turns:
            self._turns -= 1
            return None
        before_ns = time.time_ns()
        try:
            page = await self._get(session)
        except SourceError:
            self.rest()
            raise
        return (before_ns + time.time_ns()) // 2, page

    def rest(self) -> None:
        """Leave the exporter alone for a while."""
        self._rest = min(max(1, 2 * self._rest), _LONGEST_REST)
        self._turns = self._rest

    def praise(self) -> None:
        """Forget its failures: the page was good."""
        self._rest = 0

    async def _get(self, session: aiohttp.ClientSession) -> bytes:
        import aiohttp

        try:
            async with asyncio.timeout(self._deadline_s):
                async with session.get(self.url, allow_redirects=False) as response:
                    if response.status != 200:
                        raise SourceError(f"HTTP {response.status}")
                    return await _body(response)
        except TimeoutError:
            raise SourceError(f"no whole page within {self._deadline_s:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise SourceError(printable(cut_text(str(error) or type(error).__name__, 200))) from error


async def _body(response: aiohttp.ClientResponse) -> bytes:
    page = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
        page += chunk
        if len(page) > PAGE_LIMIT_BYTES:
            raise SourceError(f"a page of more than {PAGE_LIMIT_BYTES // 2**20} MiB")
    return bytes(page)
