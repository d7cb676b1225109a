from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from mock_process import MockProcess


@pytest.fixture
def start_mock() -> Iterator[Any]:
    """Start servers with given options; all are stopped after the test, and must have ended well."""
    running: list[MockProcess] = []

    def start(prefix: str = "", **options: Any) -> MockProcess:
        running.append(MockProcess({"ttft_ms": 0, "itl_ms": 0, **options}, prefix))
        return running[-1]

    yield start
    assert [mock.stop() for mock in running] == [0] * len(running)
