"""Options given in several places: who wins, and what is said about a wrong one (systems.md B5, B6)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.config.cli_config import CLIConfig
from pytest_aiperf.config.resolver import Layer, resolve

SOURCES = ("aiperf.run", "aiperf marker", "command line", "environment", "ini file")


def test_b5_the_strongest_layer_that_gives_an_option_wins():
    for strongest in range(len(SOURCES)):
        layers = [
            Layer(source, {"concurrency": i + 1} if i >= strongest else {})
            for i, source in enumerate(SOURCES)
        ]
        assert resolve(layers).concurrency == strongest + 1


def test_zero_and_false_are_given():
    layers = [
        Layer("aiperf.run", {"seed": 0, "streaming": False}),
        Layer("ini file", {"seed": 7, "streaming": True}),
    ]
    found = resolve(layers)
    assert found.seed == 0
    assert found.streaming is False
    assert {"seed", "streaming"} <= found.model_fields_set


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["isl", "osl", "seed", "concurrency"]), st.integers(1, 9)))
def test_b6_what_nobody_gave_is_not_set(values):
    assert resolve([Layer("command line", values)]).model_fields_set == values.keys()


def test_different_options_come_together_from_different_layers():
    found = resolve(
        [Layer("aiperf.run", {"isl": 5}), Layer("ini file", {"osl": 6}), Layer("environment", {})]
    )
    assert (found.isl, found.osl, found.seed) == (5, 6, 1)


def test_an_unknown_option_is_refused_with_its_source_and_the_nearest_known_one():
    with pytest.raises(ConfigurationError) as caught:
        resolve([Layer("aiperf marker at tests/test_chat.py:7", {"concurency": 4})])
    assert str(caught.value) == (
        "aiperf marker at tests/test_chat.py:7: unknown argument 'concurency' (did you mean 'concurrency'?)"
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"concurrency": 0}, "concurrency=0: input should be greater than or equal to 1"),
        ({"concurrency": "many"}, "concurrency='many': input should be a valid integer"),
        ({"request_timeout": "soon"}, "request_timeout='soon': 'soon' is not a time; write 90s"),
        ({"request_timeout": float("nan")}, "request_timeout=nan: must be finite, got nan"),
        ({"max_time": "1e999"}, "max_time=inf: must be finite, got inf"),
        ({"max_mde": "much%"}, "max_mde='much%': 'much%' is not a share; write 10% or 0.1"),
        ({"update": "sometimes"}, "update='sometimes': input should be 'missing'"),
        ({"streaming": "maybe"}, "streaming='maybe': input should be a valid boolean"),
        ({"profile": ""}, "profile='': "),
        ({"request_rate": 0}, "request_rate=0: input should be greater than 0"),
        ({"request_rate": "inf"}, "request_rate='inf': must be finite, got inf"),
        (
            {"arrival_pattern": "bursts"},
            "arrival_pattern='bursts': input should be 'constant', 'poisson' or 'gamma'",
        ),
        (
            {"request_cancellation_rate": 101},
            "request_cancellation_rate=101: input should be less than or equal to 100",
        ),
        ({"benchmark_duration": "soon"}, "benchmark_duration='soon': 'soon' is not a time; write 90s"),
        ({"workers": 0}, "workers=0: write a number of processes from 1, or auto"),
        ({"workers": "some"}, "workers='some': input should be a valid integer"),
        ({"goodput": "ttft:fast"}, "goodput='ttft:fast': ttft:fast: 'fast' is not a number"),
        ({"validity": {"error_share": float("nan")}}, "validity=nan: must be finite, got nan"),
        ({"warmup_request_count": -1}, "warmup_request_count=-1: input should be greater than or equal to 0"),
    ],
)
def test_a_wrong_value_is_refused_with_the_layer_that_gave_it(values, message):
    with pytest.raises(ConfigurationError) as caught:
        resolve([Layer("command line", {}), Layer("ini file", values)])
    assert str(caught.value).startswith(f"ini file: {message}")


def test_a_wrong_value_that_a_stronger_layer_overrides_does_no_harm():
    assert (
        resolve([Layer("aiperf.run", {"concurrency": 2}), Layer("ini file", {"concurrency": 0})]).concurrency
        == 2
    )


SECRET = "sk-1234567890"


@pytest.mark.parametrize(
    "headers",
    [
        f"authorization: Bearer {SECRET}",
        {"x-api-key": SECRET},
        f'{{"x-token": "{SECRET}"',
        f"{SECRET}",
        {"x-tenant": 5, "cookie": SECRET},
    ],
)
def test_a_secret_that_was_written_down_is_refused_and_never_shown(headers):
    with pytest.raises(ConfigurationError, match=r"^command line: headers: ") as caught:
        resolve([Layer("command line", {"headers": headers})])
    assert SECRET not in str(caught.value)


def test_options_may_come_as_text():
    texts = {"concurrency": "8", "streaming": "false", "update": "missing, improved", "max_mde": "10 %"}
    found = CLIConfig(**texts)
    assert (found.concurrency, found.streaming, found.update, found.max_mde) == (
        8,
        False,
        ["missing", "improved"],
        pytest.approx(0.1),
    )
