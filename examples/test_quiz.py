"""Answers that are known: fast and wrong is no improvement."""

from pathlib import Path

import pytest

QUIZ = str(Path(__file__).with_name("quiz.jsonl"))


@pytest.fixture(scope="module")
def aiperf_endpoint(aiperf_mock_server):
    return aiperf_mock_server(ttft_ms=20, itl_ms=2).url


@pytest.mark.aiperf(input_file=QUIZ, concurrency=4, osl=16, request_count=60)
def test_quiz(aiperf):
    result = aiperf.run()
    assert result.accuracy.avg == pytest.approx(2 / 3, abs=0.1)
