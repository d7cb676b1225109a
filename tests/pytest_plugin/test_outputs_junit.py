"""JUnit XML of real runs: verdict and figures as properties, one line a message, errors told from failures."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from perf_suite import SLOW, Suite

TESTS = """
    import pytest

    @pytest.mark.aiperf(concurrency=8, isl=8, osl=4, request_count=20)
    def test_chat(aiperf):
        aiperf.run(name="long")

    @pytest.mark.aiperf(concurrency=8, isl=8, osl=4, request_count=20)
    def test_wrong(aiperf):
        aiperf.run(fixed_schedule="nowhere.jsonl")

    @pytest.mark.aiperf(concurrency=8, isl=8, osl=4, request_count=20, judge=False)
    def test_own(aiperf_result):
        assert aiperf_result.ttft.p50 < 0.001, "too slow"
"""


@pytest.mark.parametrize(("arguments", "family"), [((), "xunit1"), (("-n2",), "xunit2")], ids=["alone", "n2"])
def test_the_file_has_verdict_headline_and_each_judged_figure(pytester, arguments, family):
    suite = Suite(pytester, arguments)
    pytester.makepyfile(test_perf=TESTS)
    suite.run("--aiperf-update", "-k", "chat").assert_outcomes(passed=1)
    result = suite.run(
        "--junit-xml=junit.xml",
        "-o",
        f"junit_family={family}",
        "-W",
        "error",
        "-p",
        "no:asyncio",
        endpoint=SLOW,
    )
    result.assert_outcomes(failed=2, errors=1)

    cases = {case.get("name"): case for case in ET.parse(pytester.path / "junit.xml").iter("testcase")}
    known = {
        name: {p.get("name"): p.get("value") for p in case.iter("property")} for name, case in cases.items()
    }
    chat = known["test_chat"]
    (measurement,) = (one for one in suite.document()["measurements"] if one["name"] == "long")
    assert chat["aiperf.long.verdict"] == measurement["verdict"] == "regressed"
    assert chat["aiperf.long.headline"] == measurement["headline"]
    for row in measurement["comparisons"]:
        if row["against"] == "baseline":
            for key in ("now", "baseline", "change"):
                assert float(chat[f"aiperf.long.{row['metric']}.{key}"]) == row[key]
    assert float(chat["aiperf.long.time_to_first_token.p50"]) > 40
    assert known["test_wrong"]["aiperf.verdict"] == "invalid"
    assert known["test_own"]["aiperf.verdict"] == "measured"

    failure = cases["test_chat"].find("failure")
    assert failure.get("message") == f"Regression: {measurement['headline']}"
    assert "REGRESSED" in failure.text
    error = cases["test_wrong"].find("error")
    assert cases["test_wrong"].find("failure") is None
    assert error.get("message").startswith('failed on setup with "MalformedDataError: ')
    assert "\n" not in error.get("message")
    assert cases["test_own"].find("failure").get("message") == "AssertionError: too slow"
