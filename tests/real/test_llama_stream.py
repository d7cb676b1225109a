"""What the tests of this folder rely on: a change of the server shows here, not as a riddle there."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.client import HTTPConnection

import pytest
from llama_process import MODEL_ALIAS, ServerNotReady, llama_process
from raw_stream import read_stream

PROMPTS = ["time year", "naïve 界 🙂", "<|im_end|> in a prompt", "a\nb\n\n", "x" * 500]


@pytest.mark.parametrize("max_tokens", [1, 2, 48])
@pytest.mark.parametrize("prompt", PROMPTS)
def test_as_many_messages_with_text_as_tokens_asked_for(llama_server, prompt, max_tokens):
    stream = read_stream(llama_server, prompt, max_tokens=max_tokens)
    assert len(stream.text_ms) == max_tokens
    assert stream.finish_reason == "length"
    assert stream.done
    assert stream.whole


def test_the_first_message_has_a_role_and_no_content(llama_server):
    stream = read_stream(llama_server, "hello", max_tokens=4)
    assert stream.deltas[0] == {"role": "assistant"}
    assert stream.deltas[-1] == {}


def test_no_usage_even_when_asked_for(llama_server):
    stream = read_stream(llama_server, "hello", max_tokens=4, stream_options={"include_usage": True})
    assert not any("usage" in message for message in stream.messages)


def test_a_blank_start_is_messages_with_empty_content(blank_start_server):
    stream = read_stream(blank_start_server, "hello", max_tokens=20)
    contents = [delta["content"] for delta in stream.deltas if "content" in delta]
    assert contents[:12] == [""] * 12
    assert all(contents[12:])
    assert len(contents) == 20


def test_bytes_that_are_no_text_are_held_back_and_then_empty(serve):
    from tiny_model import ANY_BYTE

    with serve("any_byte", alphabet=ANY_BYTE) as url:
        streams = [read_stream(url, prompt, max_tokens=32) for prompt in PROMPTS]
    assert all(stream.finish_reason == "length" for stream in streams)
    assert any("" in [delta.get("content") for delta in stream.deltas] for stream in streams)


def test_a_prompt_beyond_the_context_is_an_empty_answer_with_status_200(llama_server):
    stream = read_stream(llama_server, "word " * 1000, max_tokens=4)
    assert (stream.status, stream.messages, stream.done) == (200, [], False)  # whole, or not even that


def test_an_interrupted_stream_says_done_without_a_reason_and_lacks_its_last_chunk(interrupting_server):
    ask = partial(read_stream, interrupting_server, max_tokens=800)  # far longer than it takes to send both
    with ThreadPoolExecutor(2) as pool:
        cut, complete = sorted(pool.map(ask, ["first", "second"]), key=lambda stream: stream.whole)
    assert complete.finish_reason == "length"
    assert cut.finish_reason is None
    assert cut.done
    assert not cut.whole


def test_the_same_arguments_give_the_same_model(tmp_path):
    from tiny_model import write_model

    one, two = (write_model(tmp_path / name, seed=3).read_bytes() for name in ("one.gguf", "two.gguf"))
    other = write_model(tmp_path / "other.gguf", seed=4).read_bytes()
    assert one == two
    assert one != other
    assert len(one) < 600_000


def test_a_server_that_cannot_start_shows_the_end_of_its_log(tmp_path):
    (tmp_path / "broken.gguf").write_bytes(b"not a model")
    served = llama_process(tmp_path / "broken.gguf", tmp_path / "server.log", interrupt_requests=False)
    with pytest.raises(ServerNotReady, match=r"(?s)ended: 1; its log ends.*Failed to load model"), served:
        pass


def test_the_model_has_a_name(llama_server):
    connection = HTTPConnection(llama_server.removeprefix("http://"), timeout=10)
    connection.request("GET", "/v1/models")
    answer = connection.getresponse().read().decode()
    connection.close()
    assert f'"id":"{MODEL_ALIAS}"' in answer
