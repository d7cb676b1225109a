"""Which server it is: its name, its version, and what it was started with, as far as it tells.

Each path is asked once, with a deadline. Of what comes back only plain values are kept, no secrets, no machine's
paths, and nothing that differs from start to start.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from pytest_aiperf.common.masking import SECRET_MARK
from pytest_aiperf.server_metrics.client import Answer, Client
from pytest_aiperf.server_metrics.known_servers import SERVERS
from pytest_aiperf.server_metrics.sample import shown_url

MAX_ARGUMENTS: Final = 200
_JSON: Final = "application/json"
_NAME_LENGTH: Final = 80
_SECRET_WORDS: Final = frozenset(
    {
        "auth",
        "authorization",
        "bearer",
        "cookie",
        "credential",
        "credentials",
        "key",
        "apikey",
        "keys",
        "passphrase",
        "passwd",
        "password",
        "secret",
        "secrets",
        "token",
    }
)
_WORD: Final = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+")
_KEY_LIKE: Final = re.compile(r"\b(?:sk|hf|nvapi|gh[pousr]|xox[abp]|glpat|AKIA)[-_]?[A-Za-z0-9_-]{12,}")
_LEFT_OUT: Final = frozenset(
    {
        "version",
        "build_info",
        "random_seed",
        "port",
        "nccl_port",
        "host",
        "pid",
        "dist_init_addr",
        "media_marker",
        "is_sleeping",
        "chat_template",
        "id",
        "created",
        "prompt",
        "uptime",
        "engine",
        "num_gpu_blocks",
        "num_cpu_blocks",
        "last_gen_throughput",
    }
)
"""What is no argument, or differs between two starts of the same server, or is too long to be read."""
_NESTED: Final = frozenset({"default_generation_settings", "modalities", "server_args"})
"""Objects within an answer whose values are arguments too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerIdentity:
    """A server as it describes itself."""

    url: str
    """Base URL that was asked."""
    name: str | None = None
    version: str | None = None
    arguments: Mapping[str, str] = field(default_factory=dict)
    """What it was started with; no secrets."""


async def ask_identity(
    client: Client, base: str, *, server: str | None = None, arguments: Mapping[str, str] | None = None
) -> ServerIdentity:
    """Ask a server who it is; what it does not tell is None.

    Args:
        client: its deadline and its size hold for each question; all are asked at a time.
        base: URL without the API's path.
        server: name, where its page told it; else all paths are tried.
        arguments: what its page told.
    """
    known = [one for one in SERVERS if server in (None, one.name)]
    paths = dict.fromkeys(path for one in known for path in one.asked_at)
    answers = await asyncio.gather(*(client.get(base + path, accept=_JSON) for path in paths))
    told = {
        path: (answer, body)
        for path, answer in zip(paths, answers, strict=True)
        if isinstance(answer, Answer) and (body := _object_of(answer)) is not None
    }
    name = server or _name_of({path: body for path, (_, body) in told.items()})
    its_own = {path for one in SERVERS if one.name == name for path in one.asked_at}
    found = dict(arguments or {})
    for path, (_, body) in told.items():
        if path in its_own:  # what something else says there may be anything
            found.update(_arguments(path, body))
    header = next((answer.server for answer, _ in told.values() if answer.server), None)
    return ServerIdentity(
        url=shown_url(base),
        name=name or _shown(client, header),
        version=_shown(client, _version([body for _, body in told.values()])),
        arguments=dict(sorted(_safe(client, found))),
    )


def _object_of(answer: Answer) -> Mapping[str, Any] | None:
    try:
        body = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return None
    return body if isinstance(body, dict) else None


def _name_of(told: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Tell the server by the answers that only one of them gives."""
    models = told.get("/v1/models", {}).get("data")
    first = models[0] if isinstance(models, list) and models and isinstance(models[0], dict) else {}
    owner = first.get("owned_by")
    if isinstance(owner, str) and (known := next((one for one in SERVERS if one.owner == owner), None)):
        return known.name
    marks: Sequence[tuple[str, str, str]] = (
        ("/props", "build_info", "llama.cpp"),
        ("/props", "total_slots", "llama.cpp"),
        ("/info", "router", "TGI"),
        ("/v2", "extensions", "Triton"),
        ("/server_info", "model_path", "SGLang"),
        ("/get_server_info", "model_path", "SGLang"),
    )
    return next((name for path, key, name in marks if key in told.get(path, {})), None)


def _version(bodies: Sequence[Mapping[str, Any]]) -> str | None:
    for body in bodies:
        for key in ("version", "build_info"):
            if isinstance(body.get(key), str) and body[key]:
                return str(body[key])
    return None


def _arguments(path: str, body: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    if path in ("/version", "/v2"):
        return
    if path == "/v1/models":
        models = body.get("data")
        first = models[0] if isinstance(models, list) and models and isinstance(models[0], dict) else {}
        yield from ((key, first[key]) for key in ("max_model_len",) if key in first)
        return
    for key, value in body.items():
        if isinstance(value, dict) and key in _NESTED:
            yield from value.items()
        else:
            yield key, value


def _safe(client: Client, found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    kept = 0
    for key, value in found.items():
        if not isinstance(key, str) or key in _LEFT_OUT or len(key) > _NAME_LENGTH:
            continue
        if isinstance(value, bool):
            text = str(value).lower()
        elif not isinstance(value, (int, float, str)) or value == "":
            continue
        else:
            text = SECRET_MARK if _is_secret(key) else _safe_text(client, str(value))
        kept += 1
        if kept > MAX_ARGUMENTS:
            return
        yield key, text


def _is_secret(name: str) -> bool:
    return any(word.lower() in _SECRET_WORDS for word in _WORD.findall(name))


def _safe_text(client: Client, text: str) -> str:
    """Without secrets; of a path on the server's machine the last part only."""
    if text.startswith(("/", "~", "./", "../")) or re.match(r"[A-Za-z]:\\", text):
        text = re.split(r"[/\\]", text.rstrip("/\\"))[-1]
    return _KEY_LIKE.sub(SECRET_MARK, client.masked(text))


def _shown(client: Client, text: str | None) -> str | None:
    return None if text is None else _safe_text(client, text)
