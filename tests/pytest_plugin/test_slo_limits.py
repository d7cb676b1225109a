"""``slo=`` in the marker and in a call: a test fails when a figure does not keep its limit."""

from __future__ import annotations

LIMITED = """
    import pytest

    pytestmark = pytest.mark.aiperf(
        concurrency=8, isl=8, osl=4, request_count=20, judge=False, slo={"ttft.p95": 400, "latency.p95": 5000}
    )

    def test_kept(aiperf):
        assert aiperf.run().verdict == "measured"

    @pytest.mark.aiperf(slo={"ttft.p95": 5})
    def test_missed(aiperf):
        aiperf.run()

    def test_missed_by_a_call(aiperf):
        aiperf.run(slo={"throughput": 1e6})

    @pytest.mark.aiperf(slo={"ttft.p59": 5})
    def test_wrong(aiperf):
        aiperf.run()
"""


def test_limits_are_merged_metric_by_metric_and_told_in_one_line(any_suite):
    any_suite.pytester.makepyfile(test_perf=LIMITED)
    result = any_suite.run()
    result.assert_outcomes(passed=1, failed=2, errors=1)
    result.stdout.fnmatch_lines_random(
        [
            "FAILED test_perf.py::test_missed - SloMissed: ttft p95 is * ms, must be at most 5 ms",
            "FAILED test_perf.py::test_missed_by_a_call - SloMissed: * must be at least 1e+06 req*",
            "ERROR test_perf.py::test_wrong - *unknown statistic*",
        ]
    )
