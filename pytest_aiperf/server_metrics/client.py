"""Asks a server with a deadline and a size, and takes no for an answer.

Nothing that a server does gets past here as an exception: it is stalled, redirects, sends too much or something else,
and the answer is a `ServerNote`.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self

import aiohttp

from pytest_aiperf.common.cut_text import cut_text
from pytest_aiperf.common.header_values import api_key, header_values
from pytest_aiperf.common.masking import Masking
from pytest_aiperf.server_metrics.sample import Reason, ServerNote, shown_url
from pytest_aiperf.server_metrics.settings import ServerMetricsSettings

_CHUNK_BYTES: Final = 64 * 1024
_SHOWN: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """All of an answer with status 200."""

    body: bytes
    content_type: str
    """In lower case, without parameters; empty where the server sent none."""
    server: str
    """Value of the ``Server`` header; empty where there is none."""
    whole: bool
    """The server said where its answer ends, by length or by chunks, and it ended there."""
    before_ns: int
    after_ns: int


@dataclass(slots=True)
class Client:
    """Connections to the servers that are asked for figures; none of them carries the load."""

    settings: ServerMetricsSettings
    _session: aiohttp.ClientSession
    _ssl: ssl.SSLContext | bool
    _masking: Masking
    _headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def open(cls, settings: ServerMetricsSettings) -> Self:
        """Open it within a running loop.

        Raises:
            ConfigurationError: a header names a variable that the environment does not have.
            OSError: a certificate file cannot be read or used.
        """
        key = api_key()
        headers = header_values(settings.headers)
        if key:
            bearer = settings.key_header == "authorization"
            headers = {settings.key_header: f"Bearer {key}" if bearer else key} | headers
        session = aiohttp.ClientSession(
            trust_env=settings.proxy == "env",
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,  # what is small on the wire may be large when it is unpacked
            timeout=aiohttp.ClientTimeout(total=None),
        )
        masking = Masking(api_key=key, headers=settings.headers)
        return cls(settings, session, _ssl_of(settings), masking, headers)

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    def masked(self, text: str) -> str:
        """Return a text of a server without secrets, and not too long."""
        return self._masking.without_secrets(cut_text(text, _SHOWN))

    async def get(self, url: str, *, accept: str) -> Answer | ServerNote:
        """Return the answer to GET, or why there is none."""
        settings = self.settings
        before_ns = time.time_ns()
        try:
            async with (
                asyncio.timeout(settings.deadline_s),
                self._session.get(
                    url,
                    headers={"Accept": accept, "Accept-Encoding": "identity", **self._own_headers(url)},
                    allow_redirects=False,
                    proxy=None if settings.proxy == "env" else settings.proxy,
                    ssl=self._ssl,
                ) as response,
            ):
                return await self._take(response, url, before_ns)
        except TimeoutError:
            return _note(url, Reason.TIMEOUT, f"was not there within {settings.deadline_s:g} s")
        except aiohttp.ClientPayloadError:
            return _note(url, Reason.CUT_SHORT, "ended before its end")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return _note(url, Reason.UNREACHABLE, f"cannot be read: {self.masked(_words(error))}")

    def _own_headers(self, url: str) -> Mapping[str, str]:
        return self._headers if self.settings.may_have_key(url) else {}

    async def _take(self, response: aiohttp.ClientResponse, url: str, before_ns: int) -> Answer | ServerNote:
        if refused := self._refusal(response):
            return _note(url, *refused)
        limit = self.settings.max_bytes
        body = bytearray()
        async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
            body += chunk
            if len(body) > limit:
                return _note(url, Reason.TOO_LARGE, f"has more than {limit:,} bytes, and is not read")
        headers = response.headers
        chunked = "chunked" in headers.get("Transfer-Encoding", "").lower()
        return Answer(
            body=bytes(body),
            content_type=headers.get("Content-Type", "").partition(";")[0].strip().lower(),
            server=self.masked(headers.get("Server", "")),
            whole=chunked or response.content_length is not None,
            before_ns=before_ns,
            after_ns=time.time_ns(),
        )

    def _refusal(self, response: aiohttp.ClientResponse) -> tuple[Reason, str] | None:
        limit = self.settings.max_bytes
        if 300 <= response.status < 400:
            return (
                Reason.REDIRECT,
                f"redirects ({response.status}), which is not followed: name the page itself",
            )
        if response.status in (401, 403):
            return Reason.STATUS, f"answers {response.status}: it wants a key (AIPERF_API_KEY)"
        if response.status != 200:
            return Reason.STATUS, f"answers {response.status}"
        if (response.content_length or 0) > limit:
            told = f"has {response.content_length:,} bytes; at most {limit:,} are read"
            return Reason.TOO_LARGE, told
        packed = response.headers.get("Content-Encoding", "identity").strip().lower()
        if packed not in ("identity", ""):
            return Reason.CONTENT_TYPE, f"is packed ({self.masked(packed)}), which was not asked for"
        return None


def _note(url: str, reason: Reason, what: str) -> ServerNote:
    return ServerNote(url=shown_url(url), reason=reason, text=f"{shown_url(url)} {what}")


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _ssl_of(settings: ServerMetricsSettings) -> ssl.SSLContext | bool:
    https = any(url.startswith("https:") for url in (*settings.pages, *settings.bases))
    if not https:
        return True
    context = ssl.create_default_context(cafile=settings.ca_file)
    if settings.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if settings.client_certificate is not None:
        context.load_cert_chain(settings.client_certificate, settings.client_key)
    return context
