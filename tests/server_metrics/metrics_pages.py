"""The recorded pages, samples made from pages, and their later states."""

from __future__ import annotations

import re
from array import array
from pathlib import Path

from pytest_aiperf.server_metrics.page import PageReader
from pytest_aiperf.server_metrics.sample import ServerSample

PAGES = Path(__file__).parent / "pages"
URL = "http://server:8000/metrics"
SECOND = 1_000_000_000
_GROWS = ("counter", "histogram")


def page(name):
    return (PAGES / f"{name}.txt").read_text(encoding="utf-8")


def doubled(text):
    """The page when all that counts has counted twice as much: what grew is what the first page has."""
    grows, lines = set(), []
    for line in text.splitlines():
        if match := re.match(r"# TYPE (\S+) (\w+)", line):
            if match[2] in _GROWS:
                grows.add(match[1])
        elif line and not line.startswith("#"):
            head, value = line.rsplit(" ", 1)
            family = re.sub(r"_(bucket|sum|count)$", "", head.partition("{")[0])
            if family in grows or head.partition("{")[0] in grows:
                line = f"{head} {float(value) * 2!r}"
        lines.append(line)
    return "\n".join(lines) + "\n"


def sample(text, at_s, *, url=URL, took_s=0.0):
    """What a look at `at_s` would give that took so long."""
    read = PageReader().read(text)
    return ServerSample(
        url=url,
        before_ns=round(at_s * SECOND),
        after_ns=round((at_s + took_s) * SECOND),
        server=read.server,
        started_s=read.started_s,
        keys=tuple(read.series),
        values=array("d", read.series.values()),
    )


def gauge(value, at_s, **more):
    """A look at a page with one gauge."""
    return sample(f"vllm:num_requests_waiting {value}\n", at_s, **more)


def counter(value, at_s, **more):
    """A look at a page with one counter."""
    return sample(f"vllm:generation_tokens_total {value}\n", at_s, **more)
