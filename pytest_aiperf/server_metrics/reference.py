"""The tables of docs/server-metrics.md, from the data by which pages are read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pytest_aiperf.server_metrics.known_servers import SERVERS, KnownServer, Source, Told
from pytest_aiperf.server_metrics.quantities import QUANTITIES

BEGIN: Final = "<!-- generated: python docs/generate.py -->"
END: Final = "<!-- end -->"
_HOW: Final = {
    "added": "label sets added up",
    "largest": "the largest label set",
    "sum": "seconds in all",
    "count": "how many",
    "histogram": "histogram",
    "summary": "summary",
}


def with_tables(page: str) -> str:
    """Return a page whose tables, between the two marks, are of the present data.

    Raises:
        ValueError: the page does not have the two marks.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has no {BEGIN!r} and {END!r}, between which the tables stand")
    return f"{before}{BEGIN}\n\n{render_tables()}\n{END}{after}"


def render_tables() -> str:
    """Return the quantities, and for each server what they are on its page, as Markdown."""
    lines = ["| name | what | kind | unit |", "|---|---|---|---|"]
    lines += [
        f"| `{name}` | {quantity.title} | {quantity.kind} | {quantity.unit} |"
        for name, quantity in QUANTITIES.items()
    ]
    for server in SERVERS:
        lines += ["", *_table(server)]
    return "\n".join(lines) + "\n"


def _table(server: KnownServer) -> Iterator[str]:
    yield f"### {server.name}"
    yield ""
    if server.how:
        yield f"{server.how[0].upper()}{server.how[1:]}."
        yield ""
    yield "| name | metric on its page | read as | remark |"
    yield "|---|---|---|---|"
    for told in server.told:
        yield f"| `{told.quantity}` | {_metrics(told)} | {_read_as(told)} | {told.remark} |"


def _metrics(told: Told) -> str:
    return ", else ".join(" and ".join(map(_metric, sources)) for sources in told.alternatives)


def _metric(source: Source) -> str:
    where = ",".join(f'{label}="{value}"' for label, value in source.where.items())
    return f"`{source.name}{{{where}}}`" if where else f"`{source.name}`"


def _read_as(told: Told) -> str:
    ways = (
        " and ".join(dict.fromkeys(_HOW[source.reads] for source in sources)) for sources in told.alternatives
    )
    return ", else ".join(dict.fromkeys(ways))
