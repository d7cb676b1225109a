"""A load that the configuration file describes; what a test says goes before it."""


def test_as_the_file_says(aiperf):
    result = aiperf.run()
    assert result.ttft.p95 < 2_000  # ms


def test_more_at_once(aiperf):
    result = aiperf.run(concurrency=8)  # the rest as the file says
    assert not result.errors
