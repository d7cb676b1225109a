"""A request whose answer is a job: it is polled, its slot stays taken, and it is over with its last answer."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from itertools import count

import numpy as np
import pytest
from scripted_server import LAST_CHUNK, chunk, head, whole

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.common.records import ABSENT, Outcome
from pytest_aiperf.endpoints.base_endpoint import FollowUp, ModelEndpointInfo
from pytest_aiperf.endpoints.video_generation import POLL_INTERVAL_S, VideoGenerationEndpoint
from pytest_aiperf.engine import LoadPlan, run_load
from pytest_aiperf.engine.pool import Pool

BODY = b'{"model":"m","prompt":"a cat"}'
VIDEO = b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 40
BRIEFLY = {"poll_interval_s": 0.005}


def state_of(job, status, **further):
    return whole(json.dumps({"id": job, "object": "video", "status": status, **further}).encode())


class Videos:
    """Plays `states` for each job, one for each poll, and then the last one again; its jobs are ``v0``, ``v1``, …"""

    def __init__(self, *states, content=None, first="queued"):
        self._states = states or ("queued", "in_progress", "completed")
        self._content = content or whole(VIDEO, content_type="video/mp4")
        self._first = first
        self._numbers = count()
        self._lock = threading.Lock()
        self.polls = Counter()
        self.running = 0
        self.most_running = 0

    def __call__(self, wire):
        while (request := wire.request()) is not None:
            answer = self._answer(request)
            if answer is None:
                wire.hold()
                return
            wire.send(answer)

    def _answer(self, request):
        path = request.line.split(" ")[1].partition("?")[0]
        with self._lock:
            if request.line.startswith("POST"):
                self.running += 1
                self.most_running = max(self.most_running, self.running)
                return state_of(f"v{next(self._numbers)}", self._first)
            if path.endswith("/content"):
                return self._content
            job = path.rpartition("/")[2]
            polled = self.polls[job]
            self.polls[job] += 1
            state = self._states[min(polled, len(self._states) - 1)]
            if state in ("completed", "failed"):
                self.running -= 1
            return state_of(job, state) if isinstance(state, str) else state


def video_plan(**fields):
    return {
        "endpoint_type": "video_generation",
        "endpoint_extra": BRIEFLY,
        "streaming": False,
        "bodies": [BODY] * fields.pop("requests", 1),
    } | fields


def lines(server):
    return [request.line.removesuffix(" HTTP/1.1") for request in server.requests]


def url_of(server, path="/v1/videos"):
    return f"http://127.0.0.1:{server.port}{path}"


# One request.


def test_a_job_is_polled_until_it_is_completed(serve, load_over):
    server = serve(Videos())
    batch = load_over(url_of(server), **video_plan())
    assert batch.outcome.tolist() == [Outcome.OK]
    assert lines(server) == ["POST /v1/videos", *["GET /v1/videos/v0"] * 3]
    assert batch.facts.transport == load_over.transport
    assert server.connections == 1


def test_the_latency_ends_with_the_last_answer(serve, load_over):
    batch = load_over(url_of(serve(Videos())), **video_plan(endpoint_extra={"poll_interval_s": 0.02}))
    assert batch.t_hdr[0] < batch.t_end[0] - 3 * 20_000_000
    assert batch.content_ns.tolist() == batch.t_end.tolist()
    assert batch.t0[0] <= batch.t_sent[0] <= batch.t_hdr[0]
    assert batch.sent_bytes[0] > len(BODY)


def test_a_video_is_downloaded_where_that_is_asked_for(serve, load_over):
    """Over chunks too: the last byte is that of the last chunk."""
    content = (
        head(content_type="video/mp4", transfer_encoding="chunked") + chunk(VIDEO) + chunk(VIDEO) + LAST_CHUNK
    )
    server = serve(Videos("completed", content=content))
    batch = load_over(url_of(server), **video_plan(download_video_content=True))
    assert batch.outcome.tolist() == [Outcome.OK]
    assert lines(server) == ["POST /v1/videos", "GET /v1/videos/v0", "GET /v1/videos/v0/content"]
    assert batch.received_bytes.tolist() == [2 * len(VIDEO)]
    assert batch.content_ns.tolist() == batch.t_end.tolist()


def test_a_job_that_is_done_at_once_is_not_polled(serve, load_over):
    server = serve(Videos(first="completed"))
    assert load_over(url_of(server), **video_plan()).outcome.tolist() == [Outcome.OK]
    assert lines(server) == ["POST /v1/videos"]


def test_polls_carry_the_key_and_the_headers_and_the_id_of_the_request(serve, load_over, monkeypatch):
    monkeypatch.setenv("AIPERF_API_KEY", "sesame")
    server = serve(Videos("completed"))
    load_over(url_of(server), **video_plan(headers={"X-Team": "red"}))
    posted, polled = server.requests
    for name in ("authorization", "x-team", "x-request-id", "user-agent", "host"):
        assert polled.headers[name] == posted.headers[name]
    assert not {"content-type", "content-length"} & polled.headers.keys()
    assert polled.body == b""


def test_a_query_of_the_url_stays_behind_the_path(serve, load):
    server = serve(Videos("completed"))
    load(url_of(server, "/api/v1/videos/?version=2"), **video_plan())
    assert lines(server) == ["POST /api/v1/videos/?version=2", "GET /api/v1/videos/v0?version=2"]


@pytest.mark.parametrize(
    ("job", "path"),
    [
        ("a/../../admin", "a%2F..%2F..%2Fadmin"),
        ("a?b#c d", "a%3Fb%23c%20d"),
        ("x\r\nevil: 1", "x%0D%0Aevil%3A%201"),
        ("ü\ud800", "%C3%BC%3F"),
    ],
)
def test_an_id_cannot_lead_out_of_its_path(job, path):
    endpoint = VideoGenerationEndpoint()
    assert endpoint.follow_up({"id": job, "status": "queued"}) == FollowUp(f"/{path}", POLL_INTERVAL_S)


@pytest.mark.parametrize("job", ["", ".", "..", 7, None, ["v"], "v" * 513])
def test_an_id_that_is_none_is_not_followed(job):
    endpoint = VideoGenerationEndpoint()
    body = {"id": job, "status": "queued"}
    assert endpoint.follow_up(body) is None
    assert "is not a video job" in endpoint.read_response(body).error_message


def test_a_pause_that_cannot_be_is_refused_before_any_request(serve, load):
    server = serve(Videos())
    for value in (-1, "soon", True, float("inf")):
        with pytest.raises(ConfigurationError, match=r"poll_interval_s must be a number of seconds.* got"):
            load(url_of(server), **video_plan(endpoint_extra={"poll_interval_s": value}))
    assert not server.requests


# What goes wrong.


@pytest.mark.parametrize(
    ("states", "download", "error"),
    [
        ([whole(b"busy", "503 Busy")], False, ("http", 503, "while it was polled: HTTP 503: busy")),
        (
            [whole(b'{"id":"v0","status":"failed","error":{"code":"moderated","message":"no cats"}}')],
            False,
            ("stream", None, "the server sent an error: no cats"),
        ),
        (["failed"], False, ("stream", None, "the job failed, and the server does not say why")),
        (["cancelled"], False, ("stream", None, "the answer is not a video job that is completed")),
        ([whole(b"<html>")], False, ("json", None, "the answer is not JSON")),
        ([whole(b"[1]")], False, ("stream", None, "the answer is not a video job")),
        ([b"nonsense"], False, ("protocol", None, "while it was polled: not an HTTP answer")),
    ],
    ids=["status", "error", "failed", "unknown-state", "no-json", "no-job", "no-http"],
)
def test_a_failed_poll_is_a_failed_request_with_the_reason(serve, load_over, states, download, error):
    batch = load_over(url_of(serve(Videos(*states))), **video_plan(download_video_content=download))
    kind, code, message = error
    assert batch.outcome.tolist() == [Outcome.ERROR]
    assert (batch.errors[0].type, batch.errors[0].code) == (kind, code)
    assert message in batch.errors[0].message
    assert batch.t_end[0] > 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (whole(b"gone", "404 Not Found"), "while it was polled: HTTP 404: gone"),
        (whole(b"", content_type="video/mp4"), "it has no bytes"),
        (whole(b'{"id":"v0","status":"completed"}'), "is not the video that should be downloaded"),
        (whole(b"<html>sorry</html>", content_type="text/html"), "the answer is not JSON"),
    ],
    ids=["status", "empty", "a-job", "a-page"],
)
def test_a_download_that_brings_no_video_is_a_failed_request(serve, load, content, message):
    server = serve(Videos("completed", content=content))
    batch = load(url_of(server), **video_plan(download_video_content=True))
    assert batch.outcome.tolist() == [Outcome.ERROR]
    assert message in batch.errors[0].message


def test_a_refused_post_is_not_polled(serve, load):
    def refusing(wire):
        while wire.request() is not None:
            wire.send(whole(b'{"error":{"message":"no prompt"}}', "400 Bad Request"))

    server = serve(refusing)
    batch = load(url_of(server), **video_plan())
    assert batch.errors[0].message == "HTTP 400: no prompt"
    assert len(server.requests) == 1


def test_a_job_that_pends_for_too_long_fails_at_the_limit_on_the_whole(serve, load_over):
    server = serve(Videos("in_progress"))
    batch = load_over(url_of(server), **video_plan(request_timeout_s=0.15))
    assert batch.outcome.tolist() == [Outcome.ERROR]
    assert batch.errors[0].type == "timeout"
    assert batch.errors[0].message == "the answer was still pending 0.15 s after the request"
    assert batch.t_end[0] - batch.t0[0] >= 140_000_000  # timers of uvloop have a resolution of 1 ms
    assert len(server.requests) > 3


def test_the_limit_on_the_whole_holds_during_a_pause_and_during_a_poll(serve, load):
    """A pause longer than the limit, and a poll that is never answered."""
    during_a_pause = video_plan(request_timeout_s=0.1, endpoint_extra={"poll_interval_s": 60.0})
    during_a_poll = video_plan(request_timeout_s=0.1)
    for plan in (during_a_pause, during_a_poll):
        batch = load(url_of(serve(Videos(None))), **plan)
        assert batch.errors[0].message == "the answer was still pending 0.1 s after the request"


def test_a_poll_has_the_time_limits_of_any_answer(serve, load):
    server = serve(Videos(None))
    batch = load(url_of(server), **video_plan(first_byte_timeout_s=0.1))
    assert "while it was polled: no byte of the answer within 0.1 s" in batch.errors[0].message


# Several requests.


@pytest.mark.parametrize("due", [None, np.arange(6) * 1_000_000], ids=["slots", "dispatcher"])
def test_a_slot_stays_taken_until_the_job_is_done(serve, load_over, due):
    """Of six jobs two run at the same time, whoever sends them."""
    server = serve(videos := Videos())
    batch = load_over(url_of(server), concurrency=2, due_ns=due, **video_plan(requests=6))
    assert batch.outcome.tolist() == [Outcome.OK] * 6
    assert videos.most_running == 2
    assert sorted(set(batch.slot.tolist())) == [0, 1]
    assert sorted(batch.request_index.tolist()) == list(range(6))
    assert set(videos.polls.values()) == {3}


@pytest.mark.parametrize("after_s", [0.0, 0.05], ids=["at-once", "while-it-pends"])
def test_a_job_is_cancelled_as_the_plan_has_it(serve, load_over, after_s):
    server = serve(Videos("in_progress"))
    batch = load_over(
        url_of(server),
        concurrency=2,
        cancel_after_ns=np.array([round(after_s * 1e9)] * 2),
        **video_plan(requests=2),
    )
    assert batch.outcome.tolist() == [Outcome.CANCELLED] * 2
    assert batch.errors[0].message == "cancelled, as the plan has it"
    assert (batch.t_end - batch.t0 < 5_000_000_000).all()


def test_a_job_is_cancelled_during_a_pause(serve, load):
    server = serve(Videos())
    batch = load(
        url_of(server),
        cancel_after_ns=np.array([50_000_000]),
        **video_plan(endpoint_extra={"poll_interval_s": 60.0}),
    )
    assert batch.outcome.tolist() == [Outcome.CANCELLED]
    assert len(server.requests) == 1


def test_an_aborted_run_ends_jobs_in_a_pause_and_jobs_that_are_polled(serve):
    """One of two jobs pauses for a minute, the other waits for an answer that never comes."""
    server = serve(Videos(None))

    async def aborted(pause_s):
        abort = asyncio.Event()
        plan = LoadPlan(
            url=url_of(server), concurrency=1, **video_plan(endpoint_extra={"poll_interval_s": pause_s})
        )
        before = len(server.requests)
        run = asyncio.ensure_future(run_load(plan, abort=abort))
        async with asyncio.timeout(20):
            while len(server.requests) < before + (1 if pause_s else 2):
                await asyncio.sleep(0.002)
            abort.set()
            return await run

    for pause_s in (60.0, 0.0):
        batch = asyncio.run(aborted(pause_s))
        assert batch.outcome.tolist() == [Outcome.CANCELLED]
        assert batch.errors[0].message == "cancelled: the run was cut short"
        assert "aborted" in batch.facts.cut_short


@pytest.mark.parametrize("reuse", ["never", "sticky", "pooled"])
def test_connections_are_kept_as_the_plan_says(serve, load, reuse):
    """Never: one for each question. Sticky: one for a request and its polls. Pooled: one for all."""
    server = serve(Videos("completed"))
    batch = load(url_of(server), connection_reuse=reuse, **video_plan(requests=3))
    assert batch.outcome.tolist() == [Outcome.OK] * 3
    opened_to_try = 1 if reuse != "pooled" else 0
    assert server.connections == opened_to_try + {"never": 6, "sticky": 3, "pooled": 1}[reuse]
    assert batch.conversation.tolist() == [ABSENT] * 3


def test_jobs_at_the_same_time_have_a_sticky_connection_each_which_ends_with_the_job(
    serve, load, monkeypatch
):
    ended = []
    monkeypatch.setattr(Pool, "end_conversation", lambda pool, conversation: ended.append(conversation))
    server = serve(Videos())
    load(url_of(server), concurrency=2, connection_reuse="sticky", **video_plan(requests=4))
    assert server.connections == 1 + 4
    assert len(ended) == len(set(ended)) == 4


@pytest.mark.parametrize("reuse", ["sticky", "pooled"])
def test_jobs_of_one_conversation_share_its_sticky_connection(serve, load, reuse):
    server = serve(Videos("completed"))
    turns = np.zeros(3, dtype=np.int32)
    batch = load(url_of(server), connection_reuse=reuse, conversation=turns, **video_plan(requests=3))
    assert batch.conversation.tolist() == [0, 0, 0]
    assert server.connections == (2 if reuse == "sticky" else 1)


def test_polls_go_to_the_server_that_has_the_job(serve, load):
    servers = [serve(Videos()), serve(Videos())]
    batch = load(
        url_of(servers[0]), further_urls=[url_of(servers[1])], concurrency=2, **video_plan(requests=4)
    )
    assert batch.outcome.tolist() == [Outcome.OK] * 4
    for server in servers:
        assert Counter(line.split(" ")[0] for line in lines(server)) == {"POST": 2, "GET": 6}


# The endpoint.


def test_it_polls_and_downloads_by_what_it_is_told():
    job = {"id": "v0", "status": "completed"}
    assert VideoGenerationEndpoint().follow_up(job) is None
    downloading = VideoGenerationEndpoint(ModelEndpointInfo(download_video_content=True))
    assert downloading.follow_up(job) == FollowUp("/v0/content", is_last=True)
    assert downloading.read_response(b"video").content == (0,)
    often = VideoGenerationEndpoint(ModelEndpointInfo(extra={"poll_interval_s": 0}))
    assert often.follow_up({"id": "v0", "status": "in_progress", "error": {"message": "no"}}) is None
    assert often.follow_up({"id": "v0", "status": "in_progress"}) == FollowUp("/v0")
