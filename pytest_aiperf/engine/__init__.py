"""PYTEST_DONT_REWRITE. The instrument: an asyncio core that sends a planned load and keeps exact records.

It runs in any process; the load workers run it in processes of their own.
"""

from __future__ import annotations

from pytest_aiperf.common.records import Outcome, RecordBatch, RunFacts
from pytest_aiperf.engine.plan import LoadPlan
from pytest_aiperf.engine.run import Progress, run_load

__all__ = ["LoadPlan", "Outcome", "Progress", "RecordBatch", "RunFacts", "run_load"]
