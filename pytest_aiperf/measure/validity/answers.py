"""Are the answers what was asked for, and do they arrive as they were sent?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pytest_aiperf.config.aiperf_config import AIPerfConfig
from pytest_aiperf.measure.run_data import RunData
from pytest_aiperf.measure.validity.check import Check
from pytest_aiperf.measure.validity.limits import Limits


def check_osl(run: RunData, config: AIPerfConfig, limits: Limits) -> Iterator[Check]:
    """Has the median answer the length that was asked for?

    Not fatal: a server that stops early does so for the baseline too, and an answer of another length than the
    baseline's is a check of its own.
    """
    lengths, asked = run.values.get("output_sequence_length"), run.columns.context.asked_osl
    if lengths is None or not lengths.size or not asked:
        return
    median = float(np.median(lengths))
    yield limits.check(
        "osl_as_asked",
        abs(median - asked) / asked,
        f"The median output is {median:.0f} tokens, asked for were {asked}: make the server generate to the end "
        "(extra_inputs={'ignore_eos': True} on vLLM and SGLang), or ask for what it gives.",
        fatal=False,
    )


def check_coalesced(run: RunData, config: AIPerfConfig, limits: Limits) -> Iterator[Check]:
    """How many messages came together with another one in one read?"""
    messages = int(run.batch.content_count()[run.inside].sum())
    if not config.endpoint.streaming or not messages:
        return
    yield limits.check(
        "coalesced_share",
        float(run.batch.coalesced[run.inside].sum()) / messages,
        "Most messages came several to a read: the server or a proxy buffers the stream, "
        "so TTST and inter-chunk times say little, and TTFT where the first message is among them; "
        "ITL is not affected.",
        fatal=False,
    )
