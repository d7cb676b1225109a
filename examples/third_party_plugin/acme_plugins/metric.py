"""How much an answer weighs on the wire."""

from __future__ import annotations

from typing import ClassVar

from pytest_aiperf.metrics.base_metric import BaseRecordMetric, Direction, Floats, Group
from pytest_aiperf.metrics.run_columns import RunColumns, ratio
from pytest_aiperf.metrics.types.http import HttpReqDataReceived
from pytest_aiperf.metrics.types.length import OutputSequenceLength


class BytesPerToken(BaseRecordMetric):
    """``http_req_data_received / output_sequence_length``."""

    tag = "acme_bytes_per_token"
    header = "Acme Bytes Per Token"
    unit = "bytes"
    direction: ClassVar[Direction] = "lower"
    group: ClassVar[Group] = "http"
    display_order = 10_000
    stored = True  # in baselines, so that it can be judged

    def values(self, run: RunColumns) -> Floats:
        """Return ``(n,)`` bytes; NaN where a request has no tokens."""
        return 1024 * ratio(run.of(HttpReqDataReceived), run.of(OutputSequenceLength))  # that is in KB
