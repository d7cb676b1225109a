"""PYTEST_DONT_REWRITE. From a finished exchange to what it means: its outcome, its content stamps, its token counts.

Runs after the answer is complete, so it may take its time; it takes a few microseconds for a stream of 16 messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final, NamedTuple

import orjson

from pytest_aiperf.common.records import ABSENT, Outcome
from pytest_aiperf.endpoints.base_endpoint import BaseEndpoint, ResponseFacts
from pytest_aiperf.engine.folding import Folded, fold, spellings
from pytest_aiperf.engine.plan import LoadPlan
from pytest_aiperf.engine.refusals import http_failure, not_a_stream, refusal_of_head, snippet
from pytest_aiperf.engine.sse import Messages, read_messages
from pytest_aiperf.engine.transport import Exchange, Failure

DONE: Final = b"[DONE]"
_OK: Final = Outcome.OK  # looking up a member of an enum takes longer than looking up a global
_MEDIA: Final = (b"audio/", b"image/", b"video/", b"application/octet-stream")
_HANG_UPS: Final = ("reset", "truncated")
_MOST_SHAPES: Final = 256
_NOTHING: Final = ResponseFacts(content=(), finished=False)


class Answer(NamedTuple):
    """What an exchange means."""

    outcome: Outcome
    failure: Failure | None
    content_ns: Sequence[int]
    """Stamps (CLOCK_REALTIME ns) of the messages with content."""
    output_ns: int
    """Stamp of the first one that is not reasoning, 0 without."""
    coalesced: int
    facts: ResponseFacts
    """Its `content` counts the messages that were decoded, which need not be all."""
    correct: int = ABSENT
    """1 or 0 where it was graded."""


class AnswerReader:
    """Reads the answers of one endpoint."""

    def __init__(self, plan: LoadPlan, endpoint: BaseEndpoint) -> None:
        self._endpoint = endpoint
        self._streaming = plan.streaming
        self._message_limit = plan.message_limit_bytes
        self._spellings = list(spellings(endpoint.token_name)) if endpoint.token_name else []
        self._shapes: dict[bytes, ResponseFacts] = {}
        """What streams of a shape say, their tokens between the first and the last left out."""

    def read(self, exchange: Exchange) -> Answer:
        """Return what came of this exchange. Never raises for what a server sent."""
        refusal = exchange.failure or refusal_of_head(exchange)
        if exchange.status and not 200 <= exchange.status < 300:
            return _failed(exchange, refusal or http_failure(exchange))
        if refusal is not None and not self._streaming:
            return _failed(exchange, refusal)
        if not self._streaming:
            return self._read_body(exchange)
        return self._read_folded(exchange, refusal) or self._read_stream(exchange, refusal)

    def _read_folded(self, exchange: Exchange, refusal: Failure | None) -> Answer | None:
        """Read a stream by its shape; None if it has none, or an odd one."""
        parts, stamps = exchange.parts, exchange.stamps
        folded = self._fold(parts)
        if folded is None:
            return None
        first, end, shape = folded
        facts = self._shapes.get(shape) or self._facts_of(folded, parts)
        if facts is None:
            return None
        left_out = end - first - 2
        content_ns = [stamps[i] for i in facts.content if i < first]
        content_ns += stamps[first:end]
        content_ns += [stamps[i + left_out] for i in facts.content if i > first + 1]
        return self._told(exchange, refusal, facts, content_ns)

    def _fold(self, parts: Sequence[bytes]) -> Folded | None:
        for spelling in self._spellings:
            folded = fold(parts, spelling, self._message_limit)
            if folded is not None:
                self._spellings = [spelling]  # a server writes all its messages alike
                return folded
        return None

    def _facts_of(self, folded: Folded, parts: Sequence[bytes]) -> ResponseFacts | None:
        """Decode and read what is left of a stream; None if its row is not one of tokens, or anything is wrong."""
        data = folded.left_of(parts)
        if data is None:
            return None
        done = data[-1] == DONE
        if done:
            data.pop()
        messages, undecoded = self._load_all(data)
        if undecoded is not None or DONE in data:
            return None
        facts = self._endpoint.read_stream(messages, done=done)
        whole_row = folded.first in facts.content and folded.first + 1 in facts.content
        if not whole_row or facts.error_message is not None:  # an error may name a message by its number
            return None
        if len(self._shapes) >= _MOST_SHAPES:
            self._shapes.clear()
        self._shapes[folded.shape] = facts
        return facts

    def _read_stream(self, exchange: Exchange, refusal: Failure | None) -> Answer:
        read = read_messages(exchange.parts)
        data, part, unfinished = read
        if not data and refusal is None and unfinished is None:
            return _failed(exchange, not_a_stream(exchange))
        if data and data[-1] == DONE:
            done = True
            data.pop()
        else:
            data, part, done = _without_done(read)
        messages, failure = self._load_all(data)
        facts = self._endpoint.read_stream(messages, done=done)
        stamps = exchange.stamps
        content_ns = [stamps[part[i]] for i in facts.content]
        failure = _worst(refusal, failure, _server_error(facts))
        return self._told(exchange, failure, facts, content_ns)

    def _told(
        self, exchange: Exchange, failure: Failure | None, facts: ResponseFacts, content_ns: Sequence[int]
    ) -> Answer:
        if failure is None and not facts.finished and self._endpoint.needs_finish:
            failure = Failure("truncated", "the stream ended without finish_reason and without [DONE]")
        first = facts.first_output
        output_ns = content_ns[first] if first is not None and first < len(content_ns) else 0
        return Answer(
            _outcome(exchange, failure), failure, content_ns, output_ns, _coalesced(content_ns), facts
        )

    def _load_all(self, data: list[bytes]) -> tuple[list[Any], Failure | None]:
        """Decode all messages of a stream by one call: a third of the time that one call for each takes."""
        joined = b"[%b]" % b",".join(data)
        if len(joined) > self._message_limit and max(map(len, data)) > self._message_limit:
            return [], Failure("limit", f"a message of the stream is longer than {self._message_limit} bytes")
        try:
            loaded = orjson.loads(joined)
        except orjson.JSONDecodeError:
            loaded = []
        if len(loaded) == len(data):
            return loaded, None
        return _load_each(data, or_text=self._endpoint.reads_text)

    def _read_body(self, exchange: Exchange) -> Answer:
        try:
            body = self._body_of(exchange)
        except orjson.JSONDecodeError as error:
            text = f"the answer is not JSON ({error.msg}): {snippet(b''.join(exchange.parts))}"
            return _failed(exchange, Failure("json", text))
        facts = self._endpoint.read_response(body)
        content_ns = [exchange.t_end] if facts.content else []
        failure = _server_error(facts)
        return Answer(_outcome(exchange, failure), failure, content_ns, sum(content_ns), 0, facts)

    def _body_of(self, exchange: Exchange) -> Any:
        """Return a whole answer as `read_response` takes it.

        Raises:
            orjson.JSONDecodeError: it is neither JSON nor anything else that the endpoint reads.
        """
        body = b"".join(exchange.parts)
        if self._endpoint.reads_media and _is_media(exchange):
            return body
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError:
            if not self._endpoint.reads_text:
                raise
            return body.decode("utf-8", "replace")


def _is_media(exchange: Exchange) -> bool:
    return exchange.headers.get(b"content-type", b"").lower().startswith(_MEDIA)


def _without_done(read: Messages) -> tuple[list[bytes], list[int], bool]:
    """Messages and their pieces where [DONE] is not the last message: somewhere before it, unfinished, or missing."""
    if DONE not in read.data:
        return read.data, read.part, read.unfinished == DONE
    kept = [i for i, payload in enumerate(read.data) if payload != DONE]
    return [read.data[i] for i in kept], [read.part[i] for i in kept], True


def _load_each(data: list[bytes], *, or_text: bool = False) -> tuple[list[Any], Failure | None]:
    """Decode up to the first message that is not JSON, or leave such ones as text.

    What is not UTF-8 is replaced, as event streams have it.
    """
    loaded: list[Any] = []
    for number, payload in enumerate(data, 1):
        text = payload.decode("utf-8", "replace")
        try:
            loaded.append(orjson.loads(text))
        except orjson.JSONDecodeError as error:
            if or_text:
                loaded.append(text)
                continue
            return loaded, Failure("json", f"message {number} is not JSON ({error.msg}): {snippet(payload)}")
    return loaded, None


def _failed(exchange: Exchange, failure: Failure) -> Answer:
    return Answer(_outcome(exchange, failure), failure, (), 0, 0, _NOTHING)


def _outcome(exchange: Exchange, failure: Failure | None) -> Outcome:
    if failure is None:
        return _OK
    if exchange.cancelled:
        return Outcome.CANCELLED
    return Outcome.TRUNCATED if failure.type == "truncated" else Outcome.ERROR


def _coalesced(stamps: Sequence[int]) -> int:
    """Count the stamps that are not alone; equal ones stand together."""
    if len(stamps) < 2:
        return 0
    if stamps[0] == stamps[-1]:
        return len(stamps)
    if len(set(stamps)) == len(stamps):
        return 0
    same = [a == b for a, b in pairwise(stamps)]
    return sum(a or b for a, b in zip([*same, False], [False, *same], strict=True))


def _server_error(facts: ResponseFacts) -> Failure | None:
    if facts.error_message is None:
        return None
    return Failure("stream", f"the server sent an error: {facts.error_message}", facts.error_code)


def _worst(refusal: Failure | None, undecoded: Failure | None, told: Failure | None) -> Failure | None:
    """Which failure a stream is counted under: a server that says why it hangs up is believed before the hang-up."""
    if told is not None and (refusal is None or refusal.type in _HANG_UPS):
        return told
    return refusal or undecoded
