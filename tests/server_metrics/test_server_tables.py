"""The tables of the documentation are those by which pages are read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pytest_aiperf.server_metrics.known_servers import SERVERS
from pytest_aiperf.server_metrics.quantities import QUANTITIES
from pytest_aiperf.server_metrics.reference import render_tables, with_tables

PAGE = Path(__file__).parents[2] / "docs" / "server-metrics.md"


def test_the_page_has_the_present_tables():
    text = PAGE.read_text(encoding="utf-8")
    assert with_tables(text) == text, "run python docs/generate.py"


def test_a_page_without_a_place_for_them_is_told():
    with pytest.raises(ValueError, match="between which the tables stand"):
        with_tables("# Server metrics\n")


def test_every_metric_is_in_the_tables():
    tables = render_tables()
    for server in SERVERS:
        assert f"### {server.name}" in tables
        for told in server.told:
            for source in (source for sources in told.alternatives for source in sources):
                assert f"`{source.name}" in tables


@pytest.mark.parametrize("server", SERVERS, ids=lambda server: server.name)
def test_what_is_mapped_fits_its_quantity(server):
    """Names are in the format, and counters are not read as times."""
    reads = {
        "gauge": {"added", "largest"},
        "counter": {"added", "largest"},
        "times": {"histogram", "summary", "sum", "count"},
    }
    for told in server.told:
        for source in (source for sources in told.alternatives for source in sources):
            assert re.fullmatch(r"[a-z]+[:_][a-z0-9_]+", source.name)
            assert source.reads in reads[QUANTITIES[told.quantity].kind]
