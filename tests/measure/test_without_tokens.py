"""Measurements of endpoints whose answers are no tokens: no TTFT, no ITL, no length, and else as any other."""

from __future__ import annotations

import json
from typing import ClassVar

import pytest

from pytest_aiperf.baseline import store
from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.config.cli_config import CLIConfig
from pytest_aiperf.config.converter import to_aiperf_config
from pytest_aiperf.measure.judged import judged_metrics
from pytest_aiperf.measure.measure import MeasureRequest, measure
from pytest_aiperf.measure.workload import build_workload
from pytest_aiperf.mock_server.options import MockOptions
from pytest_aiperf.services.load_pool import LoadPool
from pytest_aiperf.services.mock_service import MockServerProcess

OF_TOKENS = {"osl_as_asked", "osl_as_baseline", "osl_source_as_baseline", "coalesced_share"}
QUIET_OR_NOT = dict.fromkeys(("turnaround_p99_ms", "loop_lag_p99_ms", "late_start_ms"), 9999.0) | {
    "schedule_lag_share": 1.0,
    "littles_law": 1.0,
    "client_cpu_share": 9.0,
}


class Watched(LoadPool):
    """Keeps what it sends."""

    bodies: ClassVar[set[bytes]] = set()

    def run(self, plan, *given, **named):
        self.bodies.update(plan.bodies)
        return super().run(plan, *given, **named)


def config_of(endpoint_type, *, url="http://h", **options):
    options = {"request_count": 40, "concurrency": 2, "isl": 8} | options
    return to_aiperf_config(CLIConfig(endpoint_type=endpoint_type, **options), url=url)


@pytest.mark.parametrize(
    ("endpoint_type", "streams"),
    [
        ("chat", True),
        ("completions", True),
        ("solido_rag", True),
        ("embeddings", False),
        ("cohere_rankings", False),
        ("image_retrieval", False),
        ("image_generation", False),
        ("image_edit", False),
        ("audio_transcription", False),
    ],
)
def test_what_is_usually_streamed_is_unless_the_user_says_otherwise(endpoint_type, streams):
    assert config_of(endpoint_type).endpoint.streaming is streams


def test_images_are_streamed_where_that_is_asked_for_and_vectors_cannot_be():
    assert config_of("image_generation", streaming=True).endpoint.streaming
    with pytest.raises(ConfigurationError, match="'embeddings' does not stream"):
        config_of("embeddings", streaming=True)


def test_the_median_latency_is_judged_and_drafts_of_images_have_no_itl():
    assert [m.label for m in judged_metrics(config_of("embeddings"))] == ["latency p50"]
    assert [m.label for m in judged_metrics(config_of("image_generation", streaming=True))] == ["ttft p50"]


def test_embeddings_are_measured_recorded_and_judged(tmp_path):
    """Q: the whole way, from the prompts to the verdict, with nothing that speaks of tokens."""
    with (
        MockServerProcess(MockOptions(ttft_ms=4), log_dir=tmp_path) as mock,
        Watched(log_dir=tmp_path) as load,
    ):
        config = config_of("embeddings", url=mock.url, validity=QUIET_OR_NOT, osl=64)

        def measured(update=frozenset()):
            request = MeasureRequest(
                config=config,
                test="test_vectors.py::test_vectors",
                baseline_path=tmp_path / "baseline.json",
                update=update,
            )
            return measure(request, load=load)

        stored = measured(frozenset({"all"}))
        store.save(tmp_path / "baseline.json", store.dump(stored.to_store))
        judged = measured()
    assert stored.verdict == "measured"
    assert judged.verdict in ("pass", "improved", "regressed", "inconclusive")  # whatever the machine does
    names = {c.metric for c in judged.judgement.comparisons if c.against != "anchor"}
    assert names <= {"request_latency.p50", "error_share", "stall_share"}
    assert "request_latency.p50" in names
    assert judged.osl_source == "absent"
    assert not OF_TOKENS & {check.check for check in judged.validity if not check.ok}
    figures = judged.sessions[0][0].metrics
    assert figures["request_latency"].p50 > 4
    assert figures["request_throughput"].value > 0
    assert figures["input_sequence_length"].p50 == 8
    assert not {"time_to_first_token", "inter_token_latency", "output_sequence_length"} & figures.keys()
    assert {tuple(json.loads(body)) for body in load.bodies} == {("model", "input")}  # and no max_tokens


def test_no_length_is_expected_of_an_api_that_is_not_asked_for_one():
    for endpoint_type, asked in (("completions", 64), ("solido_rag", None), ("embeddings", None)):
        assert build_workload(config_of(endpoint_type, osl=64), model="m").asked_osl == asked
