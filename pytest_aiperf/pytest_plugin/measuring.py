"""PYTEST_DONT_REWRITE. Which tests measure: those that are marked, or that ask for one of the measuring fixtures."""

from __future__ import annotations

from typing import Final

import pytest

NAME: Final = "aiperf"
DESCRIPTION: Final = (
    "aiperf(**load, tolerance={...}, metrics=[...], slo={...}, name=..., judge=...): describe a load on a "
    "model-serving endpoint; measure it with the aiperf fixture (see pytest-aiperf)."
)
FIXTURES: Final = frozenset({"aiperf", "aiperf_result"})


def measures(item: pytest.Item) -> bool:
    """Tell whether a test is marked or asks for one of the measuring fixtures."""
    return item.get_closest_marker(NAME) is not None or not FIXTURES.isdisjoint(
        getattr(item, "fixturenames", ())
    )
