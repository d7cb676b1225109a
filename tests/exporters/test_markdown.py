"""The Markdown summary, read back by a Markdown parser: what anybody's text holds stays text."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from measurements import (
    ALL,
    CREPT,
    ERRORS,
    FAILED,
    FAILING,
    INCONCLUSIVE,
    ITL,
    NODE_ID,
    PASSED,
    REGRESSED,
    THROUGHPUT,
    TTFT,
    judged,
)

from pytest_aiperf.exporters.columns import parse_columns
from pytest_aiperf.exporters.document import failed_document, measurement_document
from pytest_aiperf.exporters.markdown import markdown_summary
from pytest_aiperf.measure.slo import Missed, Slo

EVIL = (
    "a|b `tick` ``` ```` \\| <img src=x onerror=1> </code></details> @octocat #12 **bold** _em_ [l](http://e.vil) "
    "&amp; \\` ~~~ www.evil.example x@y.z\nsecond | line\x1b[31m"
)


def document(measurement, node_id=NODE_ID, **changes):
    return measurement_document(measurement, node_id=node_id) | {"failure": None} | changes


class Page(HTMLParser):
    """Rows of the table, folded texts, and every tag of a rendered page."""

    def __init__(self, markdown):
        super().__init__()
        self.rows, self.folded, self.tags, self.plain, self._open = [], [], [], "", []
        self.feed(MarkdownIt("commonmark").enable("table").render(markdown))

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
        elif tag == "pre":
            self.folded.append("")

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if "td" in self._open or "th" in self._open:
            self.rows[-1][-1] += data
        elif "pre" in self._open:
            self.folded[-1] += data
        if "code" not in self._open:
            self.plain += data


def page_of(*documents, **options):
    page = Page(markdown_summary(documents, **options))
    assert set(page.tags) <= {
        "p",
        "strong",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "code",
        "pre",
        "details",
        "summary",
    }
    assert not page._open
    return page


def test_it_reads_as_it_was_agreed_on():
    """The page on reports shows it."""
    found = markdown_summary([document(PASSED, "tests/test_long.py::test_long"), document(REGRESSED)])
    assert found == (Path(__file__).parent / "data" / "summary.md").read_text(encoding="utf-8")


def test_counts_table_and_texts_the_worst_first():
    text = markdown_summary([document(PASSED), document(INCONCLUSIVE), document(REGRESSED)])
    assert text.startswith("**aiperf:** 3 measured, 1 ok, 1 inconclusive, 1 regressed\n\n| test |")
    page = page_of(document(PASSED), document(INCONCLUSIVE), document(REGRESSED))
    title = "test_chat.py::test_chat[8]"
    assert page.rows == [
        ["test", "verdict", "figure", "baseline → now", "change (95 % CI)", "allowed"],
        [title, "REGRESSED", "ttft p50", "300 → 412 ms", "+37 % (+32 .. +43)", "+5 %"],
        ["", "", "itl p50", "9.31 → 9.38 ms", "+0.8 % (-0.4 .. +1.9)", "+5 %"],
        [title, "inconclusive", "ttft p50", "300 → 412 ms", "+4 % (-2.1 .. +11)", "+5 %"],
        [title, "ok", "ttft p50", "300 → 303 ms", "+1 % (-2 .. +4)", "+5 %"],
        ["", "", "itl p50", "9.31 → 9.38 ms", "+0.8 % (-0.4 .. +1.9)", "+5 %"],
    ]
    assert [part.rstrip("\n") for part in page.folded] == [
        document(REGRESSED)["text"],
        document(INCONCLUSIVE)["text"],
    ]
    assert page.tags.count("details") == 2


@pytest.mark.parametrize("name", ALL)
def test_every_outcome_has_a_row_and_those_that_failed_a_text(name):
    one = document(ALL[name])
    page = page_of(one)
    assert all(len(row) == 6 for row in page.rows)
    assert page.rows[1][0] == "test_chat.py::test_chat[8]"
    assert page.rows[1][1]
    assert page.rows[1][2]
    assert len(page.folded) == (name not in ("pass", "measured"))


def test_errors_stalls_limits_and_the_anchor_are_rows_where_they_say_something():
    worse = page_of(document(FAILING)).rows[1]
    assert worse[1:] == ["REGRESSED", "errors", "0 % → 6 %", "", ""]
    assert ["", "", "ttft p50 since 2026-11-02", "300 → 324 ms", "+8.1 % (+6.1 .. +10)", "+5 %"] in page_of(
        document(CREPT)
    ).rows
    slow = replace(
        PASSED, missed=(Missed(slo=Slo(tag="request_throughput", statistic="avg", limit=50), value=20.0),)
    )
    page = page_of(document(slow))
    assert page.rows[1][1:] == [
        "LIMIT MISSED",
        "throughput avg",
        "20 requests/s",
        "",
        "at least 50 requests/s",
    ]
    assert page.folded == ["throughput is 20 requests/s, must be at least 50 requests/s\n"]
    assert page_of(document(judged("regressed", THROUGHPUT))).rows[1][5] == "-5 %"


def test_what_was_compared_with_nothing_shows_its_figures():
    assert page_of(document(ALL["measured"])).rows[1][2] == "ttft 400 ms"
    wanted = parse_columns("throughput,ttft.p99")
    assert page_of(document(ALL["measured"]), columns=wanted).rows[1][2] == "20 req/s, ttft p99 459 ms"


def test_what_could_not_be_measured_says_why():
    down = failed_document(node_id=NODE_ID, name=None, reason="cannot reach it\nIs it running?")
    page = page_of(down)
    assert page.rows[1][1:3] == ["INVALID", "cannot reach it"]
    assert page.folded == ["cannot reach it\nIs it running?\n"]


def test_a_test_that_failed_by_its_own_assertion_is_not_called_ok():
    page = page_of(document(PASSED, failure="assert 612 < 400"))
    assert page.rows[1][1:3] == ["TEST FAILED", "assert 612 < 400"]
    assert page.rows[2][2] == "ttft p50"
    assert page.folded == ["assert 612 < 400\n"]


def test_no_text_breaks_the_table_the_fence_or_the_fold_and_nobody_is_mentioned():
    node_id = f"tests/test_a.py::test_b[{EVIL}]"
    group = replace(FAILED, message=EVIL)
    regressed = judged(
        "regressed", TTFT, ITL, replace(ERRORS, verdict="regressed", now=0.06), errors=(group,)
    )
    documents = [
        document(replace(regressed, name=EVIL), node_id),
        failed_document(node_id=node_id, name=EVIL, reason=f"{EVIL}\n```\n</details>\n````````\n@everyone"),
        document(PASSED, node_id, failure=EVIL),
    ]
    page = page_of(*documents)
    assert all(len(row) == 6 for row in page.rows)
    assert len(page.rows) == 1 + 3 + 1 + 3
    assert page.tags.count("details") == len(page.folded) == 3
    assert "@everyone" in page.folded[2]
    assert "@" not in page.plain
    assert "evil" not in page.plain
    title = page.rows[1][0]
    assert "a|b `tick` ``` ```` \\| <img src=x onerror=1>" in title
    assert "@octocat #12 **bold** _em_ [l](http://e.vil) &amp; \\` ~~~" in title
    assert "\x1b" not in markdown_summary(documents)


@pytest.mark.parametrize(
    "text", ["`", "``", "a`", "`a", " ", " a ", "\\", "a\\", "|", "\\|", "`|`", "```\n|"]
)
def test_short_ids_of_markup_are_shown_as_they_are(text):
    page = page_of(document(PASSED, f"t.py::{text}"))
    assert page.rows[1][0].strip() == " ".join(f"t.py::{text}".split())
    assert len(page.rows[1]) == 6


def test_what_does_not_fit_is_left_out_with_a_note_and_what_is_there_is_whole():
    documents = [document(REGRESSED, f"test_a.py::test_{i}") for i in range(300)]
    whole = markdown_summary(documents, limit_bytes=10**7)
    assert "Cut here" not in whole
    for limit in (1_000, 20_000, 60_000, 100_000):
        text = markdown_summary(documents, limit_bytes=limit)
        assert limit - 1500 < len(text.encode()) <= limit
        page = Page(text)
        assert not page._open
        shown = sum(1 for row in page.rows[1:] if row[0])
        cut = re.search(r"Cut here: (?:(\d+) measurements? and )?(\d+) texts? left out, for length", text)
        assert (shown + int(cut[1] or 0), len(page.folded) + int(cut[2])) == (300, 300)
    assert len(markdown_summary(documents).encode()) < 65_536


def test_nothing_measured_is_said_in_one_line():
    assert markdown_summary([]) == "**aiperf:** 0 measured\n"
