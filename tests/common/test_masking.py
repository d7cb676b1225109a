"""Error texts: what they must not show, and what makes two of them one."""

from __future__ import annotations

import base64
import html
import json
from urllib.parse import quote

import pytest

from pytest_aiperf.common.cut_text import cut_text
from pytest_aiperf.common.masking import MESSAGE_LIMIT, Masking
from pytest_aiperf.engine.refusals import snippet

PLAIN = Masking(api_key=None, headers={})


@pytest.mark.parametrize(
    "text",
    [
        "sent Bearer topsecretvalue today",
        "Authorization: Basic dG9wc2VjcmV0dmFsdWU=",
        '{"authorization":"topsecretvalue"}',
        "x-api-key=topsecretvalue",
        "api_key: topsecretvalue",
        "authorization: Bearer topsecretvalue",
    ],
)
def test_credentials_are_recognised_by_their_form(text):
    shown = PLAIN.shown(text)
    assert "topsecretvalue" not in shown
    assert "dG9wc2VjcmV0" not in shown
    assert "***" in shown


def test_the_key_itself_is_masked_wherever_it_stands():
    masking = Masking(api_key="hunter2-long", headers={})
    assert masking.shown("<<hunter2-long>>") == "<<***>>"


def test_a_secret_header_is_masked_with_and_without_its_scheme():
    masking = Masking(api_key=None, headers={"Authorization": "Token abcdefgh", "x-team": "red"})
    assert masking.shown("got Token abcdefgh; got abcdefgh; red") == "got ***; got ***; red"


def test_a_secret_that_contains_another_is_masked_whole():
    masking = Masking(api_key="abcd", headers={"x-token": "abcd-efgh"})
    assert masking.shown("abcd-efgh") == "***"


@pytest.mark.parametrize(
    "one",
    [
        "123e4567-e89b-42d3-a456-426614174000",
        "0x7ffdeadbeef0",
        "9f86d081884c7d65",
        "req_011CSHoEeqs5C35K2UUqR7Fy",
        "chatcmpl-9f86d081884c",
        "1717171717123",
    ],
)
def test_ids_are_not_shown(one):
    assert PLAIN.shown(f"request {one} failed") == "request <id> failed"


@pytest.mark.parametrize(
    "word", ["defaced", "facade", "context", "max_completion_tokens", "gpt-4o-mini-2024-07-18"]
)
def test_words_are_not_ids(word):
    assert PLAIN.shown(word) == word


def test_numbers_are_shown_and_do_not_tell_failures_apart():
    a, b = (PLAIN.shown(f"at most 4096 tokens, you asked for {n}") for n in (5000, 6000))
    assert a == "at most 4096 tokens, you asked for 5000"
    assert PLAIN.same_as(a) == PLAIN.same_as(b)


def test_texts_are_cut():
    assert len(PLAIN.shown("no " * 10_000)) == MESSAGE_LIMIT


SECRET = "sw0rd/Fi+sh=long"


@pytest.mark.parametrize(
    "quoted",
    [
        quote(SECRET, safe=""),
        json.dumps(SECRET).replace("/", "\\/"),
        base64.b64encode(SECRET.encode()).decode(),
        html.escape(f"Bearer {SECRET}"),
        f"http://{SECRET[:5]}:{SECRET[6:]}@host",
    ],
)
def test_a_secret_is_masked_as_others_write_it(quoted):
    shown = Masking(api_key=SECRET, headers={}).shown(f"you sent {quoted} there")
    assert "***" in shown
    assert not any(
        part in shown for part in ("sw0", "Fi", "long", base64.b64encode(SECRET.encode()).decode()[:6])
    )


def test_quotes_and_backslashes_of_a_secret_are_masked_in_a_quote_of_a_quote():
    secret = "a\"b'c\\d-long"
    twice = json.dumps(repr({"x": secret}))
    assert "long" not in Masking(api_key=secret, headers={}).shown(twice)


@pytest.mark.parametrize("length", range(4, 40))
def test_half_a_secret_at_a_cut_is_masked(length):
    masking = Masking(api_key=SECRET, headers={})
    text = f"you sent {SECRET}, and that is wrong"
    for cut in (cut_text(text, length), snippet(text.encode(), length)):
        assert "sw0" not in masking.shown(cut)
        assert masking.shown(cut).endswith("…")


def test_a_text_that_ends_like_a_secret_begins_is_left_alone():
    assert Masking(api_key="swordfish-long", headers={}).shown("a sword") == "a sword"
