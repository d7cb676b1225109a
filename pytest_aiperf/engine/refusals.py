"""PYTEST_DONT_REWRITE. Answers that are no answers: what is said of them."""

from __future__ import annotations

from typing import Final

import orjson

from pytest_aiperf.common.cut_text import CUT, cut_text
from pytest_aiperf.engine.transport import Exchange, Failure

_ERROR_BODY_BYTES: Final = 4096
_SNIPPET_BYTES: Final = 120
_TEXT_LETTERS: Final = 300


def refusal_of_head(exchange: Exchange) -> Failure | None:
    """Return why an answer with this head is not read on, if it is not."""
    encoding = exchange.headers.get(b"content-encoding", b"identity").lower()
    if encoding not in (b"identity", b""):
        name = encoding.decode("latin-1")
        return Failure(
            "encoding",
            f"the answer is compressed ({name}), and only identity was asked for; turn that off in the server or proxy",
        )
    return None


def http_failure(exchange: Exchange) -> Failure:
    """Return the failure that a status outside 2xx is."""
    status = exchange.status
    if status in (301, 302, 303, 307, 308):
        to = exchange.headers.get(b"location", b"(no Location)").decode("latin-1")
        text = f"HTTP {status}: redirected to {to}; redirects are not followed, give that URL instead"
        return Failure("http", text, status)
    text = _error_text(b"".join(exchange.parts))
    return Failure("http", f"HTTP {status}: {text}" if text else f"HTTP {status} with an empty body", status)


def _error_text(body: bytes) -> str:
    """The message of an error object if the body is one, else the beginning of the body."""
    try:
        decoded = orjson.loads(body)
    except orjson.JSONDecodeError:
        decoded = None
    if isinstance(decoded, dict):
        error = decoded.get("error", decoded)
        for text in (
            (error, error.get("message"), error.get("detail")) if isinstance(error, dict) else (error,)
        ):
            if isinstance(text, str) and text:
                return text
    beginning = body[:_ERROR_BODY_BYTES].decode("utf-8", "replace").strip()
    return beginning + CUT if len(body) > _ERROR_BODY_BYTES else beginning


def not_a_stream(exchange: Exchange) -> Failure:
    """Return the failure that a body without a single message is."""
    body = b"".join(exchange.parts)
    if not body.strip():
        return Failure("stream", "the answer is empty, and an event stream was asked for")
    kind = exchange.headers.get(b"content-type", b"no content type").decode("latin-1")
    text = cut_text(_error_text(body), _TEXT_LETTERS)
    return Failure("stream", f"the answer is not an event stream ({kind}): {text}")


def snippet(data: bytes, length: int = _SNIPPET_BYTES) -> str:
    """Return the beginning of some bytes, as a person would want to see it."""
    text = data[:length].decode("utf-8", "replace")
    return repr(text) + (CUT if len(data) > length else "")
