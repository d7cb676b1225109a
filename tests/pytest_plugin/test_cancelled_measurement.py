"""A task that is cancelled while it measures: the load ends with it, whatever the measurement was about to do."""

from __future__ import annotations

CANCELLED = """
    import asyncio
    import time
    import pytest

    pytestmark = pytest.mark.aiperf(concurrency=4, isl=8, osl=4, judge=False)

    @pytest.mark.parametrize("after_s", [0.0, 0.05, 0.6])
    def test_given_up(aiperf, after_s):
        async def main():
            begun = time.monotonic()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(aiperf.arun("long", request_count=4000), after_s)
            assert time.monotonic() - begun < 20  # it would take three minutes
            return await aiperf.arun("next", request_count=20)
        assert asyncio.run(main()).ttft.count == 60
"""


def test_a_cancelled_measurement_ends_at_once_and_the_next_is_not_disturbed(suite):
    suite.pytester.makepyfile(test_perf=CANCELLED)
    suite.run().assert_outcomes(passed=3)
    told = [(m["name"], m["verdict"]) for m in suite.document()["measurements"]]
    assert [verdict for name, verdict in told if name == "next"] == ["measured"] * 3
    assert {verdict for name, verdict in told if name == "long"} == {"invalid"}
