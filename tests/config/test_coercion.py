"""From what people type to values."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_aiperf.config.coercion import (
    parse_duration_s,
    parse_fraction,
    parse_headers,
    parse_mapping,
    parse_str_or_list,
    parse_thresholds,
    parse_urls,
    parse_workers,
)
from pytest_aiperf.config.tolerance import Tolerance, parse_tolerance


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120),
        ("90s", 90),
        ("5m", 300),
        ("5 min", 300),
        ("1h", 3600),
        ("250ms", 0.25),
        (" 1.5 s ", 1.5),
        ("1e3", 1000),
        (".5s", 0.5),
        ("-5s", -5),
        ("0", 0),
    ],
)
def test_a_time_is_read_in_seconds(text, seconds):
    assert parse_duration_s(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "s", "5 parsecs", "5S", "1.2.3", "e", "5e", "--5s", "nan", "inf", "٣s"])
def test_what_is_no_time_is_refused_in_words(text):
    with pytest.raises(ValueError, match="is not a time; write 90s, 5m or a number of seconds"):
        parse_duration_s(text)


@pytest.mark.parametrize(("text", "share"), [("5%", 0.05), (" 5 % ", 0.05), ("0.1", 0.1), ("12.5%", 0.125)])
def test_a_share_is_read_as_a_fraction(text, share):
    assert parse_fraction(text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["", "%", "x%", "5%%", "5%x", "five"])
def test_what_is_no_share_is_refused_in_words(text):
    with pytest.raises(ValueError, match=r"is not a share; write 10% or 0\.1"):
        parse_fraction(text)


@pytest.mark.parametrize("value", [None, 3, 0.5, True, ["a"]])
def test_what_is_no_text_passes_unchanged(value):
    assert parse_duration_s(value) is value
    assert parse_fraction(value) is value


def test_a_list_is_split_at_commas():
    assert parse_str_or_list(" a, b ,,c") == ["a", "b", "c"]
    assert parse_str_or_list("") == []
    assert parse_str_or_list(("a", "b")) == ["a", "b"]
    assert parse_str_or_list(None) is None
    assert parse_str_or_list(["a,b"]) == ["a,b"]


@pytest.mark.parametrize(
    ("text", "mapping"),
    [
        ("ignore_eos:true", {"ignore_eos": True}),
        ("a:1, b : text ,c:0.5,d:null", {"a": 1, "b": "text", "c": 0.5, "d": None}),
        ("url:http://x", {"url": "http://x"}),
        ('{"a": {"b": [1, 2]}}', {"a": {"b": [1, 2]}}),
        ("temperature:NaN", {"temperature": "NaN"}),
        ("", {}),
    ],
)
def test_pairs_and_json_objects_become_a_mapping(text, mapping):
    assert parse_mapping(text) == mapping


@pytest.mark.parametrize("text", ["ignore_eos", ":true", "a:1,b", '{"a": ', '{"a": NaN}'])
def test_what_is_no_mapping_is_refused(text):
    with pytest.raises(ValueError, match=r"is not key:value|Expecting|NaN is not a number of JSON"):
        parse_mapping(text)


@pytest.mark.parametrize(
    "text", ["ttft:400 itl:20.5", "ttft:400,itl:20.5", " ttft:400,  itl:20.5 ", '{"ttft": 400, "itl": 20.5}']
)
def test_limits_are_set_apart_by_spaces_or_commas(text):
    assert parse_thresholds(text) == {"ttft": 400, "itl": 20.5}


@pytest.mark.parametrize("text", ["ttft", "ttft:fast", "ttft:true", "ttft: 400", ":4"])
def test_what_is_no_limit_is_refused(text):
    with pytest.raises(ValueError, match=r"is not key:value|is not a number"):
        parse_thresholds(text)


def test_the_value_of_a_header_stays_text():
    assert parse_headers("x-tenant: 5, x-key:$KEY,x-url:http://a") == {
        "x-tenant": "5",
        "x-key": "$KEY",
        "x-url": "http://a",
    }
    assert parse_headers('{"x-list": "a,b"}') == {"x-list": "a,b"}


def test_urls_are_set_apart_by_commas():
    assert parse_urls("http://a, http://b:80/v1") == ["http://a", "http://b:80/v1"]
    assert parse_urls("") == [""]


def test_workers_are_a_number_or_auto():
    assert (parse_workers("auto"), parse_workers("3"), parse_workers(2)) == (0, "3", 2)


def test_a_mapping_is_copied_not_kept():
    given_ = {"a": 1}
    parsed = parse_mapping(given_)
    assert parsed == given_
    assert parsed is not given_


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.05, Tolerance(relative=0.05)),
        (0, Tolerance(relative=0)),
        (2, Tolerance(relative=2)),
        ("5%", Tolerance(relative=0.05)),
        ("12.5 %", Tolerance(relative=0.125)),
        ("5ms", Tolerance(relative=0, floor=5, unit="ms")),
        ("0.5 requests/s", Tolerance(relative=0, floor=0.5, unit="requests/s")),
        ("15% or 5ms", Tolerance(relative=0.15, floor=5, unit="ms")),
        ("5 ms or 15 %", Tolerance(relative=0.15, floor=5, unit="ms")),
        (Tolerance(relative=0.3), Tolerance(relative=0.3)),
    ],
)
def test_a_tolerance_is_a_share_an_amount_or_the_larger_of_both(value, expected):
    found = parse_tolerance(value)
    assert (found.floor, found.unit) == (expected.floor, expected.unit)
    assert found.relative == pytest.approx(expected.relative)


@pytest.mark.parametrize(
    "value",
    ["0.05", "5", "", "-5%", "5% or", "5% or 10%", "5ms or 6ms", "5% and 5ms", True, None, "nan%", [5]],
)
def test_what_is_no_tolerance_is_refused_with_examples(value):
    with pytest.raises(ValueError, match="write '5%', '5ms' or '15% or 5ms'"):
        parse_tolerance(value)


@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf, 101, "20000%"])
def test_a_tolerance_out_of_range_is_refused_in_one_line_that_shows_it(value):
    with pytest.raises(ValueError, match=f"tolerance {value!r} is out of range") as caught:
        parse_tolerance(value)
    assert "\n" not in str(caught.value)


@settings(deadline=None)
@given(st.floats(0, 1e6, allow_nan=False))
def test_a_duration_means_the_same_in_every_unit(seconds):
    for unit, factor in (("ms", 1e-3), ("s", 1), ("m", 60), ("h", 3600)):
        assert parse_duration_s(f"{seconds / factor!r}{unit}") == pytest.approx(
            seconds, rel=1e-12, abs=1e-300
        )
