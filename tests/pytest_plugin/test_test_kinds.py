"""Every kind of test that pytest knows can measure, and ends as it would have with any other failure."""

from __future__ import annotations

import pytest
from perf_suite import Suite

OUTCOMES = """
    def pytest_terminal_summary(terminalreporter):
        for outcome, reports in terminalreporter.stats.items():
            for report in reports:
                if outcome and hasattr(report, "nodeid"):
                    terminalreporter.write_line(f"@ {report.nodeid.partition('::')[2]} {outcome}")
"""


@pytest.fixture(params=[(), ("-n2",)], ids=["alone", "n2"])
def either_suite(request, pytester):
    """A suite that runs alone and under -n2, and tells the outcome of each test."""
    pytester.makeconftest(OUTCOMES)
    return Suite(pytester, request.param)


def outcomes(result) -> dict[str, str]:
    """The outcome of each test."""
    lines = (line.split() for line in result.outlines if line.startswith("@ "))
    return {test: outcome for _, test, outcome in lines}


UNITTEST = """
    import unittest
    import pytest

    LOAD = pytest.mark.aiperf(concurrency=8, isl=8, osl=4, request_count=20, judge=False)
    SLOW = pytest.mark.aiperf(slo={"ttft.p50": 0.001})

    @LOAD
    class TestCase(unittest.TestCase):
        @pytest.fixture(autouse=True)
        def _own_aiperf(self, aiperf):
            self.aiperf = aiperf

        def test_good(self):
            self.assertGreater(self.aiperf.run().ttft.p50, 1)

        @SLOW
        def test_too_slow(self):
            self.aiperf.run()

        @SLOW
        @unittest.expectedFailure
        def test_expected(self):
            self.aiperf.run()

        def test_invalid(self):
            self.aiperf.run(fixed_schedule="no-such-file")

        def test_own_assertion(self):
            self.assertEqual(1, 2)

        def test_forgot(self):
            pass

        def test_skips(self):
            self.skipTest("not here")

        @unittest.skip("never")
        def test_skipped(self):
            self.aiperf.run()

        @pytest.mark.aiperf(concurency=8)
        def test_misspelt(self):
            self.aiperf.run()

    @LOAD
    @pytest.mark.usefixtures("aiperf_result")
    class TestBefore(unittest.TestCase):
        def test_good(self):
            pass

        @SLOW
        def test_too_slow(self):
            raise RuntimeError("the body is not reached")

    @LOAD
    class TestAsync(unittest.IsolatedAsyncioTestCase):
        @pytest.fixture(autouse=True)
        def _own_aiperf(self, aiperf):
            self.aiperf = aiperf

        async def test_good(self):
            await self.aiperf.arun()
"""


def test_unittest_cases_measure_and_fail_like_functions(either_suite):
    either_suite.pytester.makepyfile(test_cases=UNITTEST)
    result = either_suite.run()
    assert outcomes(result) == {
        "TestCase::test_good": "passed",
        "TestCase::test_too_slow": "failed",
        "TestCase::test_expected": "xfailed",
        "TestCase::test_invalid": "error",
        "TestCase::test_own_assertion": "failed",
        "TestCase::test_forgot": "failed",
        "TestCase::test_skips": "skipped",
        "TestCase::test_skipped": "skipped",
        "TestCase::test_misspelt": "error",
        "TestBefore::test_good": "passed",
        "TestBefore::test_too_slow": "failed",
        "TestAsync::test_good": "passed",
    }
    result.stdout.fnmatch_lines_random(
        [
            "E *SloMissed: ttft p50 is * ms, must be at most 0.001 ms",
            "E *MalformedDataError: no-such-file: cannot be read: *",
            "E *AssertionError: 1 != 2",
            "marked aiperf, but it measured nothing: *",
            "aiperf marker: unknown argument 'concurency' (did you mean 'concurrency'?)",
        ]
    )
    assert len(either_suite.document()["measurements"]) == 7


EXPECTED = """
    import pytest
    from pytest_aiperf import MeasurementError, Regression, SloMissed

    pytestmark = pytest.mark.aiperf(concurrency=8, isl=8, osl=4, request_count=20, judge=False)
    SLOW = pytest.mark.aiperf(slo={"ttft.p50": 0.001})

    @SLOW
    @pytest.mark.xfail(raises=SloMissed, strict=True)
    def test_expected(aiperf):
        aiperf.run()

    @SLOW
    @pytest.mark.xfail
    def test_expected_before_the_body(aiperf_result):
        pass

    @SLOW
    @pytest.mark.xfail(raises=Regression)
    def test_something_else_was_expected(aiperf):
        aiperf.run()

    @pytest.mark.xfail(raises=Regression, strict=True)
    def test_a_regression_was_expected(aiperf):
        raise Regression("ttft p50 +37 %")

    @pytest.mark.xfail
    def test_better_than_expected(aiperf):
        aiperf.run()

    @pytest.mark.xfail(strict=True)
    def test_better_than_expected_and_strict(aiperf_result):
        pass

    @pytest.mark.xfail(raises=SloMissed)
    def test_could_not_be_measured(aiperf):
        aiperf.run(fixed_schedule="no-such-file")

    @pytest.mark.xfail(raises=MeasurementError)
    def test_nobody_expects_to_forget(aiperf):
        pass

    @pytest.mark.xfail(run=False)
    def test_not_run(aiperf_result):
        pass

    @pytest.mark.skip(reason="never")
    def test_skip(aiperf_result):
        pass

    @pytest.mark.skipif("True", reason="not today")
    def test_skipif(aiperf_result):
        pass

    def test_skips_itself(aiperf):
        pytest.skip("not here")

    def test_expects_itself_to_fail(aiperf):
        pytest.xfail("known")
"""


def test_expected_failures_and_skips_are_what_they_are_elsewhere(either_suite):
    either_suite.pytester.makepyfile(test_marks=EXPECTED)
    result = either_suite.run()
    assert outcomes(result) == {
        "test_expected": "xfailed",
        "test_expected_before_the_body": "xfailed",
        "test_something_else_was_expected": "failed",
        "test_a_regression_was_expected": "xfailed",
        "test_better_than_expected": "xpassed",
        "test_better_than_expected_and_strict": "failed",
        "test_could_not_be_measured": "error",
        "test_nobody_expects_to_forget": "failed",
        "test_not_run": "xfailed",
        "test_skip": "skipped",
        "test_skipif": "skipped",
        "test_skips_itself": "skipped",
        "test_expects_itself_to_fail": "xfailed",
    }
