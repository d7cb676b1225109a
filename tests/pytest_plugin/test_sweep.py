"""``aiperf.sweep(concurrency=[1, 4])``: a measurement and a baseline for each value."""

from __future__ import annotations

import pytest

from pytest_aiperf.common.errors import ConfigurationError, Regression
from pytest_aiperf.pytest_plugin.sweep import sweep

SWEEP = """
    import pytest

    @pytest.mark.aiperf(isl=8, osl=4, request_count=20)
    def test_chat(aiperf):
        results = aiperf.sweep(concurrency=[4, 8], judge=True)
        assert list(results) == [4, 8]
        assert results[8].throughput.avg > 1.2 * results[4].throughput.avg
"""


def test_each_value_is_measured_and_stored_under_its_own_name(suite):
    suite.pytester.makepyfile(test_perf=SWEEP)
    suite.run("--aiperf-update").assert_outcomes(passed=1)
    measurements = suite.document()["measurements"]
    assert [m["name"] for m in measurements] == ["concurrency=4", "concurrency=8"]
    assert [m["load"]["concurrency"] for m in measurements] == [4, 8]
    assert len(suite.baselines()) == 2


def test_all_values_are_measured_before_the_first_failure_is_raised():
    called = []

    def run(name, *, concurrency, osl):
        called.append((name, concurrency, osl))
        if concurrency > 1:
            raise Regression(f"ttft p50 at {concurrency}\nmore")
        return "result"

    with pytest.raises(Regression, match=r"\Attft p50 at 8\nmore\n\n  Also:\n  ttft p50 at 32\Z"):
        sweep(run, "long", {"concurrency": [1, 8, 32], "osl": 4})
    assert called == [(f"long concurrency={value}", value, 4) for value in (1, 8, 32)]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"concurrency": 4}, "none is here"),
        ({"concurrency": [4], "osl": [1, 2]}, "concurrency and osl are here"),
        ({"concurrency": []}, "at least one value"),
        ({"concurrency": [4, 4]}, "each one once"),
        ({"metrics": ["ttft"]}, "none is here"),
    ],
)
def test_exactly_one_option_is_a_list(options, words):
    with pytest.raises(ConfigurationError, match=words):
        sweep(pytest.fail, None, options)
