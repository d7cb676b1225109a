"""What tests can ask for."""

from __future__ import annotations

import pytest
from perf_suite import FAST, ONE_TEST


def test_the_result_has_metrics_by_tag_and_short_name(suite):
    suite.pytester.makepyfile(
        """
        import pytest

        @pytest.mark.aiperf(concurrency=8, isl=8, osl=4, request_count=20, judge=False)
        def test_chat(aiperf):
            result = aiperf.run()
            assert result.verdict == "measured"
            assert result.ttft is result["time_to_first_token"]
            assert 39 < result.ttft.p50 < 80
            low, high = result.ttft.ci("p50")
            assert low < result.ttft.p50 < high
            assert result.ttft.min <= result.ttft.p1 <= result.ttft.p99 <= result.ttft.max
            assert result.itl.unit == "ms"
            assert result.throughput.unit == "requests/s"
            assert result.token_throughput.avg == pytest.approx(4 * result.throughput.avg)
            assert result.osl.avg == 4
            assert result.errors == []
            assert len(result.runs) == 3
            with pytest.raises(AttributeError, match="did you mean 'time_to_first_token'"):
                result.time_to_first_tokn
        """
    )
    suite.run().assert_outcomes(passed=1)


def test_aiperf_result_is_measured_and_judged_before_the_test(suite):
    suite.pytester.makepyfile(
        """
        import pytest

        @pytest.mark.aiperf(concurrency=8, isl=8, osl=4, request_count=20)
        def test_chat(aiperf_result):
            assert aiperf_result.ttft.count == 100
        """
    )
    suite.run("--aiperf-update").assert_outcomes(passed=1)
    assert len(suite.baselines()) == 1


def test_a_regression_of_aiperf_result_fails_the_test_in_the_call_phase(suite):
    suite.pytester.makepyfile(ONE_TEST.replace("aiperf):", "aiperf_result):").replace("aiperf.run()", "pass"))
    suite.run("--aiperf-update")
    result = suite.run(endpoint=f"{FAST}&slow_pct=60")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["FAILED * - Regression: * p50 +*"])
    result.stdout.no_fnmatch_line("*raise verdict*")
    result.stdout.no_fnmatch_line("*traceback entries are hidden*")


def test_named_runs_have_baselines_of_their_own(suite):
    suite.pytester.makepyfile(
        """
        import pytest

        @pytest.mark.aiperf(concurrency=8, isl=8, request_count=20)
        def test_chat(aiperf):
            aiperf.run(name="short", osl=2)
            aiperf.run(name="long", osl=6)
        """
    )
    suite.run("--aiperf-update").assert_outcomes(passed=1)
    names = [path.name.partition("-")[0] for path in suite.baselines()]
    assert names == ["test_chat_long", "test_chat_short"]
    assert {m["name"] for m in suite.document()["measurements"]} == {"short", "long"}


def test_an_overridden_endpoint_starts_the_users_own_server(suite):
    suite.pytester.makeconftest(
        """
        import pytest

        @pytest.fixture(scope="session")
        def aiperf_endpoint(aiperf_mock_server):
            return aiperf_mock_server(ttft_ms=40, itl_ms=2)
        """
    )
    suite.pytester.makepyfile(ONE_TEST)
    suite.run("--aiperf-update", endpoint=None).assert_outcomes(passed=1)


def test_arun_leaves_the_event_loop_free(suite):
    suite.pytester.makepyfile(
        """
        import asyncio
        import pytest

        @pytest.mark.aiperf(concurrency=8, isl=8, osl=4, request_count=20, judge=False)
        def test_chat(aiperf):
            async def main():
                task = asyncio.create_task(aiperf.arun())
                ticks = 0
                while not task.done():
                    await asyncio.sleep(0.02)
                    ticks += 1
                return (await task), ticks
            result, ticks = asyncio.run(main())
            assert result.ttft.count == 60
            assert ticks > 10
        """
    )
    suite.run().assert_outcomes(passed=1)


def test_options_win_by_precedence(suite, monkeypatch):
    suite.pytester.makeini(
        "[pytest]\naiperf_isl = 3\naiperf_seed = 3\naiperf_osl = 3\naiperf_request_count = 20\n"
    )
    monkeypatch.setenv("AIPERF_SEED", "4")
    monkeypatch.setenv("AIPERF_OSL", "4")
    suite.pytester.makepyfile(
        """
        import pytest

        pytestmark = pytest.mark.aiperf(concurrency=2, judge=False)

        @pytest.mark.aiperf(concurrency=8)
        def test_chat(aiperf):
            aiperf.run(osl=6)
        """
    )
    suite.run("--aiperf-osl=5", "--aiperf-request-count=25").assert_outcomes(passed=1)
    load = suite.document()["measurements"][0]["load"]
    assert load["osl"] == 6  # run() over the command line
    assert load["concurrency"] == 8  # the nearest marker over the module's
    assert load["request_count"] == 25  # the command line over the ini file
    assert load["seed"] == 4  # the environment over the ini file
    assert load["isl"] == 3  # the ini file over the default


def test_not_streamed_answers_have_no_time_to_first_token(suite):
    suite.pytester.makepyfile(
        """
        import pytest

        @pytest.mark.aiperf(concurrency=8, isl=8, osl=4, request_count=20, streaming=False)
        def test_chat(aiperf):
            result = aiperf.run()
            assert "ttft" not in result
            with pytest.raises(AttributeError, match="it needs streaming=True"):
                result.ttft
        """
    )
    suite.run("--aiperf-update").assert_outcomes(passed=1)
    assert set(suite.document()["measurements"][0]["metrics"]) >= {"request_latency", "request_throughput"}


def test_a_missing_baseline_only_warns_when_the_project_says_so(suite):
    suite.pytester.makeini("[pytest]\naiperf_missing = warn\n")
    suite.pytester.makepyfile(ONE_TEST)
    result = suite.run()
    result.assert_outcomes(passed=1, warnings=1)


def test_inconclusive_fails_or_is_expected_when_the_project_says_so(suite):
    suite.pytester.makepyfile(ONE_TEST.replace("osl=4,", "osl=4, tolerance={'ttft.p50': '0.1%'},"))
    suite.run("--aiperf-update")
    failed = suite.run("--aiperf-inconclusive=fail")
    failed.assert_outcomes(failed=1)
    failed.stdout.fnmatch_lines(["FAILED * - InconclusiveError: inconclusiv*"])
    suite.run("--aiperf-inconclusive=xfail").assert_outcomes(xfailed=1)


CLIENT_ARGS = """
    import pytest

    @pytest.fixture(scope="session")
    def aiperf_client_args():
        return {given}

    @pytest.mark.aiperf(concurrency=4, isl=8, request_count=20, judge=False)
    def test_chat(aiperf):
        aiperf.run()
"""


def test_client_args_are_farther_than_the_marker_and_nearer_than_the_command_line(suite):
    suite.pytester.makepyfile(CLIENT_ARGS.replace("{given}", "{'osl': 4, 'concurrency': 2}"))
    suite.run("--aiperf-osl=7", "--aiperf-seed=3").assert_outcomes(passed=1)
    [measurement] = suite.document()["measurements"]
    assert measurement["load"]["osl"] == 4
    assert measurement["load"]["concurrency"] == 4
    assert measurement["load"]["seed"] == 3


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("{'concurency': 2}", "*unknown option 'concurency' (did you mean 'concurrency'?)*"),
        ("['osl']", "*aiperf_client_args fixture gave*return a mapping such as {'osl': 64}*"),
        ("{'osl': 0}", "*aiperf_client_args*osl*"),
    ],
)
def test_client_args_that_cannot_be_are_an_error_that_names_the_fixture(suite, given, said):
    suite.pytester.makepyfile(CLIENT_ARGS.replace("{given}", given))
    result = suite.run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([said])
