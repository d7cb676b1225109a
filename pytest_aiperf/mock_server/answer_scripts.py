"""PYTEST_DONT_REWRITE. Scripts of answers: the good one, streamed or not, and its breakages.

Messages are rendered once per word of the vocabulary and shared by all answers. A fault that strikes in the
middle does so when the token after the first half would have been due.
"""

from __future__ import annotations

import time
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import orjson

from pytest_aiperf.mock_server.apis import choice, usage_of
from pytest_aiperf.mock_server.ask import RefusedAskError, read_ask
from pytest_aiperf.mock_server.http_reply import (
    LAST_CHUNK,
    STREAM_HEAD,
    chunk,
    error_reply,
    json_reply,
    reply_head,
)
from pytest_aiperf.mock_server.script import End, Script

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_aiperf.mock_server.apis import Api
    from pytest_aiperf.mock_server.ask import Ask
    from pytest_aiperf.mock_server.options import MockOptions

VOCABULARY: Final = (
    *("the ", "quick ", "brown ", "fox ", "jumps ", "over ", "a ", "lazy ", "dog ", "while "),
    *("seven ", "small ", "birds ", "watch ", "from ", "trees "),
)
_MAX_CACHED_BYTES: Final = 64 * 1024 * 1024
_BROKEN_JSON: Final = b'{"id":"mock","choices":[{"index":0,'
_STREAM_ERROR: Final = {
    "error": {"message": "The mock server broke off.", "type": "server_error", "code": 500}
}
_HTML: Final = b"<!doctype html><html><head><title>Welcome</title></head><body>It works.</body></html>"
_REFUSALS: Final = {
    "http_400": "The mock server calls this request bad.",
    "http_401": "Incorrect API key provided.",
    "http_404": "The mock server finds nothing here.",
    "http_429": "Rate limit reached. Try again in 1 s.",
    "http_500": "The mock server had an error while processing the request.",
    "http_503": "The mock server is overloaded.",
}


def refusal(status: int) -> Script:
    """Return the script of an HTTP error."""
    extra = "Retry-After: 1\r\n" if status == 429 else ""
    reply = error_reply(status, _REFUSALS[f"http_{status}"], extra=extra)
    return Script(outcome=f"http_{status}", head=reply)


class AnswerScripts:
    """Scripts by request body, for one API and set of options. Prompts repeat in every run, so they are read once."""

    def __init__(self, options: MockOptions, api: Api) -> None:
        self._options = options
        self._api = api
        self._common = {"id": api.answer_id, "created": int(time.time()), "model": options.model}
        self._tokens: dict[int, tuple[bytes, ...]] = {}
        opening = STREAM_HEAD if api.opening is None else STREAM_HEAD + self._event(api.opening)
        self._head = opening if options.role_first else b""
        self._first_prefix = b"" if options.role_first else opening
        self._cached: dict[tuple[bytes, str], Script] = {}
        self._cached_bytes = 0

    @cached_property
    def _words(self) -> tuple[bytes, ...]:
        return tuple(self._event(self._api.piece(word)) for word in VOCABULARY)

    def script(self, body: bytes, fault: str) -> Script:
        """Return the answer to this body; `fault` is empty, one of `FAULTS`, or ``http_<status>``."""
        key = (body, fault)
        script = self._cached.get(key)
        if script is None:
            script = self._write(body, fault)
            self._remember(key, script)
        return script

    def _remember(self, key: tuple[bytes, str], script: Script) -> None:
        # The bytes of an answer count too: `whole` may come to hold them a second time.
        size = len(key[0]) + 250 * len(script.messages)
        if self._cached_bytes + size > _MAX_CACHED_BYTES:
            self._cached.clear()
            self._tokens.clear()
            self._cached_bytes = 0
        self._cached[key] = script
        self._cached_bytes += size

    def _write(self, body: bytes, fault: str) -> Script:
        if fault in ("http_429", "rate_limit"):
            return refusal(429)
        if fault.startswith("http_"):
            return refusal(int(fault.removeprefix("http_")))
        if fault == "reset":
            return Script(outcome=fault, head=b"", end=End.RESET)
        if fault == "html":
            head = reply_head(200, len(_HTML), content_type="text/html; charset=utf-8")
            return Script(outcome=fault, head=head + _HTML)
        if fault == "redirect":
            return Script(outcome=fault, head=json_reply(302, {}, extra="Location: /elsewhere\r\n"))
        try:
            ask = read_ask(body, self._options, self._api)
        except RefusedAskError as refused:
            reply = error_reply(refused.status, refused.message, code=refused.code)
            return Script(outcome=f"http_{refused.status}", head=reply)
        return self._streamed(ask, fault) if ask.streams else self._unstreamed(ask, fault)

    def _streamed(self, ask: Ask, fault: str) -> Script:
        messages = self._token_messages(ask.tokens)
        if not fault:
            return Script(
                outcome="ok",
                head=self._head,
                messages=messages,
                tail=self._stream_tail(ask),
                tokens=len(messages),
            )
        if fault == "stall":
            return Script(outcome=fault, head=STREAM_HEAD, end=End.SILENT)
        half = max(1, ask.tokens // 2)
        # What is due after the first half, what follows it at once, and what becomes of the connection.
        strike, tail, end = {
            "reset_mid": (b"", b"", End.RESET),
            "stall_mid": (b"", b"", End.SILENT),
            "truncate": (b"", LAST_CHUNK, End.KEEP),
            "truncate_eof": (self._words[0][:40], b"", End.CLOSE),
            "stream_error": (_data(orjson.dumps(_STREAM_ERROR)), LAST_CHUNK, End.KEEP),
            "bad_json": (_data(_BROKEN_JSON), self._stream_tail(ask), End.KEEP),
        }[fault]
        return Script(
            outcome=fault,
            head=self._head,
            messages=(*messages[:half], strike),
            tail=tail,
            tokens=half,
            end=end,
        )

    def _unstreamed(self, ask: Ask, fault: str) -> Script:
        body = orjson.dumps(self._completion(ask, fault))
        half = len(body) // 2
        sent, end = {
            "stall": (b"", End.SILENT),
            "reset_mid": (body[:half], End.RESET),
            "stall_mid": (body[:half], End.SILENT),
            "truncate_eof": (body[:half], End.CLOSE),
            "bad_json": (_BROKEN_JSON, End.KEEP),
        }.get(fault, (body, End.KEEP))
        head = reply_head(200, len(sent) if fault == "bad_json" else len(body))
        whole = int(not fault)
        return Script(
            outcome=fault or "ok",
            head=b"",
            messages=(head + sent,),
            tokens=whole,
            lead=ask.tokens - 1,
            end=end,
        )

    def _completion(self, ask: Ask, fault: str) -> dict[str, Any]:
        if fault == "stream_error":
            return _STREAM_ERROR
        text = "".join(VOCABULARY[k % len(VOCABULARY)] for k in range(ask.tokens))
        finish_reason = None if fault == "truncate" else _finish_reason(ask)
        return {**self._common, "object": self._api.whole, **self._api.answer(ask, text, finish_reason)}

    def _token_messages(self, count: int) -> tuple[bytes, ...]:
        messages = self._tokens.get(count)
        if messages is None:
            words = self._words
            messages = (words * (count // len(words) + 1))[:count]
            messages = (self._first_prefix + messages[0], *messages[1:])
            self._tokens[count] = messages
        return messages

    def _stream_tail(self, ask: Ask) -> bytes:
        parts = [self._event(self._api.nothing, _finish_reason(ask))]
        if ask.wants_usage:
            event = {**self._common, "object": self._api.chunk, "choices": [], "usage": usage_of(ask)}
            parts.append(_data(orjson.dumps(event)))
        return b"".join((*parts, _data(b"[DONE]"), LAST_CHUNK))

    def _event(self, said: Mapping[str, Any], finish_reason: str | None = None) -> bytes:
        choices = [choice(said, finish_reason)]
        return _data(orjson.dumps({**self._common, "object": self._api.chunk, "choices": choices}))


def _data(payload: bytes) -> bytes:
    return chunk(b"data: %b\n\n" % payload)


def _finish_reason(ask: Ask) -> str:
    return "length" if ask.reaches_limit else "stop"
