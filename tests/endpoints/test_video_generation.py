"""Videos: what a job is asked for with, and what its last answer says (Q)."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from scripted_api import Answer, Received, endpoint_of, exchange, json_answer

from pytest_aiperf.common.conversation import Turn
from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.common.records import Outcome
from pytest_aiperf.endpoints.base_endpoint import RequestInfo

QUEUED = {"id": "video_1", "object": "video", "status": "queued", "progress": 0, "model": "sora-2"}
DONE = QUEUED | {"status": "completed", "progress": 100, "error": None}


def request_of(*turns: Turn, extra=None) -> RequestInfo:
    return RequestInfo(
        turns=turns, model="m", streaming=False, extra={"poll_interval_s": 0.001} | (extra or {})
    )


def jobs(*states: object) -> Callable[[Received], Answer]:
    """One answer after the other."""
    left = [state if isinstance(state, Answer) else json_answer(state) for state in states]
    return lambda _: left.pop(0)


def test_a_video_request_byte_for_byte():
    """Q: video_generation."""
    turn = Turn(text="a cat", max_tokens=16, extra_body={"size": "1280x720"})
    request, records = exchange(
        "video_generation", request_of(turn, extra={"seconds": "4"}), jobs(QUEUED, QUEUED, DONE)
    )
    assert request.line == "POST /v1/videos HTTP/1.1"
    assert request.headers["content-type"] == "application/json"
    assert request.body == b'{"model":"m","prompt":"a cat","seconds":"4","size":"1280x720"}'
    assert records.outcome.tolist() == [Outcome.OK]
    assert records.output_tokens.tolist() == [-1]


def test_the_last_extra_wins_and_the_turns_model_does():
    """R1, R2."""
    turn = Turn(text="a cat", model="own", extra_body={"seconds": "8"})
    payload = endpoint_of("video_generation").format_payload(request_of(turn, extra={"seconds": "4"}))
    assert payload == {"model": "own", "prompt": "a cat", "seconds": "8"}


def test_a_video_is_downloaded_when_that_is_asked_for():
    video = Answer(pieces=[b"\0\1", b"\2"], content_type="video/mp4")
    _, records = exchange(
        "video_generation",
        request_of(Turn(text="a cat")),
        jobs(QUEUED, DONE, video),
        download_video_content=True,
    )
    assert records.outcome.tolist() == [Outcome.OK]
    assert records.received_bytes.tolist() == [3]


def test_without_download_the_state_is_the_answer():
    _, records = exchange("video_generation", request_of(Turn(text="a cat")), jobs(QUEUED, DONE))
    assert records.received_bytes.tolist() == [len(json.dumps(DONE))]


@pytest.mark.parametrize(
    ("turns", "message"),
    [
        ([Turn(text="")], "takes one prompt, and this one has 0 texts"),
        ([Turn(text="a", texts=["b"])], "takes one prompt, and this one has 2 texts"),
        ([Turn(text="a"), Turn(text="b", role="assistant"), Turn(text="c")], "a request holds 3 turns"),
        ([Turn(text="a", images=["data:image/png;base64,AA"])], "image"),
    ],
)
def test_a_request_that_the_api_cannot_have_is_refused(turns, message):
    with pytest.raises(ConfigurationError, match=message):
        endpoint_of("video_generation").format_payload(request_of(*turns))


def test_nothing_that_is_given_is_changed():
    """R9."""
    extra, body = {"seconds": "4"}, {"size": "1x1"}
    endpoint_of("video_generation").format_payload(request_of(Turn(text="a", extra_body=body), extra=extra))
    assert (extra, body) == ({"seconds": "4"}, {"size": "1x1"})


def test_an_interval_is_for_the_endpoint_and_not_for_the_server():
    payload = endpoint_of("video_generation").format_payload(request_of(Turn(text="a")))
    assert payload == {"model": "m", "prompt": "a"}
