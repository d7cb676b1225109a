"""Who the server says it is; what it must not say stays out."""

from __future__ import annotations

import asyncio
import json

import pytest
from scripted_http import ScriptedServer, answer

from pytest_aiperf.server_metrics.client import Client
from pytest_aiperf.server_metrics.identity import MAX_ARGUMENTS, ask_identity
from pytest_aiperf.server_metrics.settings import ServerMetricsSettings


def told(body, **headers):
    return answer(json.dumps(body), content_type="application/json", **headers)


def ask(paths, **known):
    """Ask a server that answers these paths, and no other."""
    with ScriptedServer(**paths) as server:

        async def asking():
            given = ServerMetricsSettings(
                bases=(server.url,), pages=(), deadline_s=known.pop("deadline_s", 20)
            )
            client = Client.open(given)
            try:
                return await ask_identity(client, server.url, **known)
            finally:
                await client.close()

        return asyncio.run(asking()), [path for path, _ in server.asked]


MODELS = {"object": "list", "data": [{"id": "m", "owned_by": "vllm", "max_model_len": 4096, "created": 17}]}
PROPS = {
    "default_generation_settings": {"id": 0, "n_ctx": 1024, "params": {"seed": 1}, "prompt": "x"},
    "total_slots": 4,
    "model_path": "/home/somebody/models/tiny-q4.gguf",
    "chat_template": "{% for m in messages %}",
    "modalities": {"vision": False},
    "media_marker": "<__media_8sd7f__>",
    "build_info": "b9999-abcdef0",
}
SGLANG = {
    "version": "0.9.1",
    "model_path": "acme/tiny",
    "tp_size": 2,
    "mem_fraction_static": 0.85,
    "disable_radix_cache": False,
    "random_seed": 829131,
    "port": 30000,
    "api_key": "sk-very-secret",
    "admin_api_key": "other",
    "tokenizer_path": "acme/tiny",
    "max_total_tokens": 1000,
    "quantization": None,
    "internal_states": [{"last_gen_throughput": 3.5}],
}
TGI = {
    "model_id": "acme/tiny",
    "router": "text-generation-router",
    "version": "3.3.4",
    "max_input_tokens": 1024,
}


@pytest.mark.parametrize(
    ("paths", "name", "version", "arguments"),
    [
        (
            {"/version": told({"version": "0.11.0"}), "/v1/models": told(MODELS, Server="uvicorn")},
            "vLLM",
            "0.11.0",
            {"max_model_len": "4096"},
        ),
        (
            {"/server_info": told(SGLANG)},
            "SGLang",
            "0.9.1",
            {
                "admin_api_key": "***",
                "api_key": "***",
                "disable_radix_cache": "false",
                "max_total_tokens": "1000",
                "mem_fraction_static": "0.85",
                "model_path": "acme/tiny",
                "tokenizer_path": "acme/tiny",
                "tp_size": "2",
            },
        ),
        (
            {"/get_server_info": told({"model_path": "m", "version": "0.4"})},
            "SGLang",
            "0.4",
            {"model_path": "m"},
        ),
        (
            {"/info": told(TGI)},
            "TGI",
            "3.3.4",
            {"max_input_tokens": "1024", "model_id": "acme/tiny", "router": "text-generation-router"},
        ),
        (
            {"/props": told(PROPS, Server="llama.cpp")},
            "llama.cpp",
            "b9999-abcdef0",
            {"model_path": "tiny-q4.gguf", "n_ctx": "1024", "total_slots": "4", "vision": "false"},
        ),
        (
            {"/v2": told({"name": "triton", "version": "2.60.0", "extensions": ["statistics"]})},
            "Triton",
            "2.60.0",
            {},
        ),
        ({"/version": told({"version": "1"}, Server="acme/7")}, "acme/7", "1", {}),
    ],
)
def test_each_server_is_known_by_what_it_tells(paths, name, version, arguments):
    found, _ = ask(paths)
    assert (found.name, found.version, dict(found.arguments)) == (name, version, arguments)


def test_where_its_page_told_the_server_only_its_own_paths_are_asked():
    found, asked = ask(
        {"/version": told({"version": "0.11.0"})},
        server="vLLM",
        arguments={"block_size": "16", "engine": "0", "num_gpu_blocks": "7"},
    )
    assert sorted(asked) == ["/v1/models", "/version"]
    assert (found.name, found.version, dict(found.arguments)) == ("vLLM", "0.11.0", {"block_size": "16"})


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        ("hfToken", "abc", "***"),
        ("ssl_keyfile_password", "abc", "***"),
        ("AUTHORIZATION", "abc", "***"),
        ("pin_key", 1234, "***"),
        ("note", "uses sk-0123456789abcdefgh here", "uses *** here"),
        ("hub", "hf_abcdefghijklmnopqrst", "***"),
        ("proxy", "http://me:pw@proxy:3128", "http://***@proxy:3128"),
        ("extra", "Authorization: Bearer abcdefgh", "Authorization: ***"),
        ("monkey", "chimp", "chimp"),
        ("skip_tokenizer_init", True, "true"),
        ("cache", "C:\\Users\\me\\cache", "cache"),
        ("long", "x" * 5_000, "x" * 200 + "…"),
    ],
)
def test_secrets_and_machine_paths_are_no_arguments(key, value, shown):
    """G4."""
    found, _ = ask({"/info": told({key: value})}, server="TGI")
    assert found.arguments == {key: shown}


def test_our_own_key_is_not_shown_when_the_server_quotes_it(monkeypatch):
    """G4."""
    monkeypatch.setenv("AIPERF_API_KEY", "correct-horse")
    found, _ = ask(
        {"/info": told({"version": "correct-horse", "started_by": "x correct-horse y"})}, server="TGI"
    )
    assert "started_by" in found.arguments
    assert "correct-horse" not in repr(found)


def test_a_server_with_a_thousand_arguments_does_not_fill_the_document():
    found, _ = ask({"/info": told({f"argument_{i}": i for i in range(1000)})}, server="TGI")
    assert len(found.arguments) == MAX_ARGUMENTS


@pytest.mark.parametrize(
    "reply",
    [
        told(["a list"]),
        told("text"),
        told(None),
        told({"version": {"of": "what"}, "data": "none"}),
        answer("[" * 100_000),
        answer("{", content_type="application/json"),
        answer(b"\xff\xfe", content_type="application/json"),
        answer("", status="500 Oh"),
        answer("", status="302 Found", Location="http://127.0.0.1:1/"),
        b"not HTTP",
        None,
    ],
)
def test_a_server_that_tells_nothing_usable_is_nobody(reply):
    paths = dict.fromkeys(("/version", "/server_info", "/get_server_info", "/info", "/props", "/v2"), reply)
    found, _ = ask({**paths, "/v1/models": reply}, deadline_s=0.3)
    assert (found.name, found.version, found.arguments) == (None, None, {})
