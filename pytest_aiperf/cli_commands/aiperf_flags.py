"""For those who know ``aiperf profile`` (0.13): which of its flags mean the same here, and what to use for the others.

Whoever types a flag that is not taken is told what to do instead, not that it is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pytest_aiperf.cli_commands.aiperf_refused import REFUSED
from pytest_aiperf.common.errors import ConfigurationError


def refuse(tokens: Iterable[str]) -> None:
    """Raise a ConfigurationError for the first flag of AIPerf's that is not taken; its value is never shown."""
    instead = {flag: refused.instead for refused in REFUSED for flag in refused.flags}
    for token in tokens:
        if token == "--":
            return
        flag = token.partition("=")[0]
        if flag in instead:
            raise ConfigurationError(f"{flag}, a flag of aiperf profile, is not taken here. {instead[flag]}")


def rendered_table() -> str:
    """Return the table of docs/profile.md."""
    return "".join(f"{line}\n" for line in _lines())


def _lines() -> Iterator[str]:
    from pytest_aiperf.cli_commands.aiperf_supported import SUPPORTED

    yield "| `aiperf profile` | here |"
    yield "|---|---|"
    for flags, note in SUPPORTED.items():
        yield f"| {_code(flags)} | {note or 'the same'} |"
    for refused in REFUSED:
        yield f"| {_code(refused.flags)} | **not taken.** {refused.instead} |"


def _code(flags: Sequence[str]) -> str:
    return ", ".join(f"`{flag}`" for flag in flags)
