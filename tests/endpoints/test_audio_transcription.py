"""Audio transcription (systems.md Q)."""

from __future__ import annotations

import base64

import pytest
from form_parts import BOUNDARY, FORM_DATA, read
from scripted_api import endpoint_of, exchange, json_answer, sse_answer, text_answer

from pytest_aiperf.common.conversation import Turn
from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.common.records import Outcome
from pytest_aiperf.endpoints.base_endpoint import RequestInfo

WAV = b"RIFF\x00\x00\x00\x00WAVE\r\n--"
WAV_URL = f"data:audio/wav;base64,{base64.b64encode(WAV).decode()}"
USAGE = {"type": "tokens", "input_tokens": 14, "output_tokens": 5, "total_tokens": 19}


def request(*, streaming=False, extra=None, audios=(WAV_URL,), **turn):
    turn = Turn(audios=audios, **turn)
    return RequestInfo(turns=[turn], model="m", streaming=streaming, extra=extra or {})


def delta(text):
    return {"type": "transcript.text.delta", "delta": text}


def done(text):
    return {"type": "transcript.text.done", "text": text, "usage": USAGE}


def test_a_recording_is_uploaded_in_a_form_and_its_transcript_is_one_content():
    asked = request(text="not sent", max_tokens=64, extra={"language": "en"})
    sent, records = exchange("audio_transcription", asked, json_answer({"text": "Hello.", "usage": USAGE}))
    assert (sent.line, sent.headers["content-type"]) == ("POST /v1/audio/transcriptions HTTP/1.1", FORM_DATA)
    field = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
    assert (
        sent.body
        == (
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="audio.wav"\r\n'
            "Content-Type: audio/wav\r\n\r\n"
        ).encode()
        + WAV
        + f"\r\n{field % ('model', 'm')}{field % ('language', 'en')}--{BOUNDARY}--\r\n".encode()
    )
    assert records.outcome.tolist() == [Outcome.OK]
    assert records.content_count().tolist() == [1]
    assert (records.input_tokens.tolist(), records.output_tokens.tolist()) == ([14], [5])


@pytest.mark.parametrize("response_format", ["text", "srt", "vtt"])
@pytest.mark.parametrize("text", ["Hello.\n", "", "42\n", '"Hello."', "[music]"])
def test_a_bare_transcript_is_read_where_it_was_asked_for(response_format, text):
    asked = request(extra={"response_format": response_format})
    _, records = exchange("audio_transcription", asked, text_answer(text))
    assert (records.outcome.tolist(), records.content_count().tolist()) == ([Outcome.OK], [1])


def test_a_page_that_nobody_asked_for_is_no_transcript():
    _, records = exchange("audio_transcription", request(), text_answer("<html>Welcome", "text/html"))
    assert records.outcome.tolist() == [Outcome.ERROR]
    assert "the answer is not a transcript: <html>Welcome" in str(records.errors)


def test_silence_is_a_transcript():
    facts = endpoint_of("audio_transcription").read_response({"text": ""})
    assert (facts.content, facts.finished, facts.error_message) == ((0,), True, None)


def test_a_model_that_is_billed_by_duration_tells_no_tokens():
    answer = {"text": "Hello.", "usage": {"type": "duration", "seconds": 9}}
    facts = endpoint_of("audio_transcription").read_response(answer)
    assert (facts.input_tokens, facts.output_tokens) == (None, None)


def test_a_streamed_transcript_is_read_as_it_comes():
    sent, records = exchange(
        "audio_transcription",
        request(streaming=True),
        sse_answer([delta("Hel"), delta("lo."), done("Hello.")], events=True),
    )
    assert ("stream", None, None, b"true") in read(sent.body)
    assert (records.outcome.tolist(), records.content_count().tolist()) == ([Outcome.OK], [2])
    assert (records.input_tokens.tolist(), records.output_tokens.tolist()) == ([14], [5])


def test_a_streamed_transcript_of_vllm_is_read_as_it_comes():
    chunks = [
        {"object": "transcription.chunk", "choices": [{"delta": {"content": text}, "finish_reason": finish}]}
        for text, finish in ((" Hel", None), ("lo.", None), ("", "stop"))
    ]
    _, records = exchange("audio_transcription", request(streaming=True), sse_answer(chunks, done=True))
    assert (records.outcome.tolist(), records.content_count().tolist()) == ([Outcome.OK], [2])
    assert endpoint_of("audio_transcription").text_of(chunks) == " Hello."


@pytest.mark.parametrize(
    ("messages", "content", "finished"),
    [
        ([delta(""), done("")], [1], True),
        ([delta("a")], [0], False),
        ([{"type": "transcript.text.segment", "text": "a", "speaker": "A"}, done("a")], [0], True),
        ([delta("a"), 3, None, {"type": []}, {"type": "transcript.text.delta", "delta": 3}], [0], False),
        ([], [], False),
    ],
)
def test_what_a_stream_says(messages, content, finished):
    facts = endpoint_of("audio_transcription").read_stream(messages, done=False)
    assert (facts.content, facts.finished, facts.error_message) == (content, finished, None)


def test_an_error_in_a_streamed_transcript_is_found():
    error = {"type": "error", "error": {"message": "no"}}
    assert (
        endpoint_of("audio_transcription").read_stream([delta("a"), error], done=False).error_message == "no"
    )


@pytest.mark.parametrize(
    ("messages", "text"),
    [
        ([{"text": "Hello."}], "Hello."),
        (["Hello.\n"], "Hello."),
        ([42], "42"),
        ([delta("Hel"), delta("lo."), done("Hello.")], "Hello."),
        ([delta("Hel"), delta("lo.")], "Hello."),
        ([{}], ""),
    ],
)
def test_a_transcript_can_be_graded(messages, text):
    assert endpoint_of("audio_transcription").text_of(messages) == text


def test_the_file_is_the_endpoints_own():
    made = endpoint_of("audio_transcription").format_payload(request(extra={"file": "x", "file[]": "y"}))
    assert made["file"].data == WAV
    assert "file[]" not in made


@pytest.mark.parametrize(
    ("audios", "why"),
    [
        ((), "a transcription needs one recording, and this request has 0"),
        ((WAV_URL, WAV_URL), "this request has 2"),
        (("https://example.org/a.wav",), "is not a file that can be uploaded: write data:audio/"),
    ],
)
def test_what_cannot_be_transcribed_is_refused(audios, why):
    with pytest.raises(ConfigurationError, match=why):
        endpoint_of("audio_transcription").format_payload(request(audios=audios))
