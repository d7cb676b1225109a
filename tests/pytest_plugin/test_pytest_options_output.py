"""However pytest is told to print, capture and warn: the failure can be read, and nothing of a measurement is lost."""

from __future__ import annotations

import pytest
from perf_suite import ONE_TEST

FAILING = """
    import pytest
    import pytest_aiperf

    TEXT = "ttft p50 +37 % (300 -> 412 ms), allowed +5 %\\n\\n  ttft p50   300 ms   412 ms   +37 %   REGRESSED"

    @pytest.mark.aiperf(concurrency=2)
    def test_chat():
        raise pytest_aiperf.Regression(TEXT)
"""
HEADLINE = "Regression: ttft p50 +37 % (300 -> 412 ms), allowed +5 %"


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (("--tb=short",), ["test_perf.py:*: in test_chat", f"E   {HEADLINE}", "E *REGRESSED"]),
        (("--tb=native",), [HEADLINE, "*REGRESSED"]),
        (("--tb=line",), [f"*test_perf.py:*: {HEADLINE}"]),
        (("--tb=no", "-rA"), [f"FAILED test_perf.py::test_chat - {HEADLINE}"]),
        (("--color=yes", "--durations=0", "-vv"), [f"*E *{HEADLINE}*", "*REGRESSED*"]),
    ],
    ids=["short", "native", "line", "no", "colour"],
)
def test_the_failure_can_be_read_in_every_style(suite, monkeypatch, arguments, shown):
    monkeypatch.setenv("CI", "true")  # else pytest cuts the short summary to the screen's width
    monkeypatch.delenv("PY_COLORS")
    suite.pytester.makepyfile(test_perf=FAILING)
    result = suite.run(*arguments)
    result.stdout.fnmatch_lines(shown)
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_a_failure_before_the_body_is_placed_at_the_test(suite):
    suite.pytester.makepyfile(
        test_perf="""
        import pytest

        @pytest.mark.aiperf(concurrency=8, isl=8, osl=4, request_count=20, judge=False, slo={"ttft.p50": 0.001})
        def test_chat(aiperf_result):
            pass
        """
    )
    result = suite.run("--tb=line")
    result.stdout.fnmatch_lines(
        ["*test_perf.py:[1-9]: SloMissed: ttft p50 is * ms, must be at most 0.001 ms"]
    )
    result.stdout.no_fnmatch_line("*traceback entries are hidden*")


TALKING = ONE_TEST + '        print("said by the test")\n'


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("-s", "-p", "no:logging", "-p", "no:xdist"), True),
        (("--capture=tee-sys", "-p", "no:cacheprovider", "--strict-markers", "--strict-config"), True),
        (("-p", "no:terminal", "-W", "error", "-p", "no:asyncio"), False),
        (("-p", "no:terminal", "-n2"), False),
        (("-W", "error", "-p", "no:asyncio", "-p", "no:cacheprovider", "-n2"), False),
    ],
    ids=["no-capture", "tee-sys", "no-terminal", "no-terminal-n2", "warnings-n2"],
)
def test_measurements_are_kept_whatever_else_is_off(suite, arguments, said):
    suite.pytester.makepyfile(test_perf=TALKING)
    result = suite.run("--aiperf-update", *arguments)
    assert result.ret == pytest.ExitCode.OK, result.stdout.str() + result.stderr.str()
    assert ("said by the test" in result.stdout.str()) == said
    assert suite.verdicts() == ["measured"]
    assert len(suite.baselines()) == 1
