"""No endpoint raises for what a server sends, of whatever shape."""

from __future__ import annotations

import itertools

import orjson
import pytest
from scripted_api import endpoint_of

from pytest_aiperf.plugin import plugins

DEEP = orjson.loads("[" * 500 + '{"a":' * 500 + "1" + "}" * 500 + "]" * 500)
"""As deep as the decoder goes, nearly."""
ODD = [None, 3, -1.5, True, "x", "", [], [None], {}, {"a": None}, [[]], [{}]]
NAMES = [
    "choices", "delta", "message", "content", "text", "finish_reason", "usage", "error", "type", "object", "status",
    "response", "output", "content_block", "index", "token", "generated_text", "details", "data", "embedding",
    "results", "rankings", "b64_json", "embeddings",
]  # fmt: skip
TYPES = [
    "message_start", "message_delta", "content_block_start", "content_block_delta", "error", "response.completed",
    "response.failed", "response.output_text.delta", "response.output_text.done", "message", "response.",
]  # fmt: skip
SHAPES = [
    *ODD,
    *({name: value} for name, value in itertools.product(NAMES, ODD)),
    *({"type": kind} for kind in TYPES),
    *({"type": kind, name: value} for kind, name, value in itertools.product(TYPES, NAMES, ODD)),
    *({"choices": [{name: value}]} for name, value in itertools.product(NAMES, ODD)),
    *({"choices": [{"delta": {"content": value}, "finish_reason": value}], "usage": value} for value in ODD),
    *({"usage": {"completion_tokens": v, "prompt_tokens_details": v, "input_tokens": w}} for v in ODD for w in ODD),
    *({"type": "message_start", "message": {"usage": {"input_tokens": v}}} for v in ODD),
    *({"token": {"text": value}, "generated_text": value} for value in ODD),
    *({"output": [{"type": "message", "content": value}]} for value in ODD),
    DEEP,
    *({name: DEEP} for name in NAMES),
    *({"type": kind, name: DEEP} for kind, name in itertools.product(TYPES, ["delta", "response", "error"])),
    *({"choices": [{name: DEEP}]} for name in NAMES),
    *({"content": [{"type": "text", "text": value}]} for value in ODD),
]  # fmt: skip
TEXT = [
    name
    for name in (entry.name for entry in plugins.entries("endpoint"))
    if name in ("chat", "completions", "responses", "messages", "huggingface_generate", "raw", "template")
]


@pytest.mark.parametrize("name", [entry.name for entry in plugins.entries("endpoint")])
def test_odd_shapes_never_raise(name):
    endpoint = endpoint_of(name)
    for shape in SHAPES:
        whole = endpoint.read_response(shape)
        assert whole.finished == (whole.error_message is None)
        for stream in ([shape], [shape, shape, {}]):
            facts = endpoint.read_stream(stream, done=True)
            assert all(0 <= i < len(stream) for i in facts.content)
            if facts.first_output is not None:
                assert facts.first_output < len(facts.content)


@pytest.mark.parametrize("name", TEXT)
def test_the_text_of_odd_shapes_is_text(name):
    endpoint = endpoint_of(name)
    for shape in SHAPES:
        assert isinstance(endpoint.text_of([shape]), str)
        assert isinstance(endpoint.text_of([shape, shape]), str)
