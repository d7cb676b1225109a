from __future__ import annotations

import pytest

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.mock_server.options import MockOptions


def test_a_url_without_a_query_means_the_defaults():
    assert MockOptions.from_url("mock://") == MockOptions()
    assert MockOptions().ttft_ms == 30
    assert MockOptions().itl_ms == 4
    assert MockOptions().osl == 32


def test_a_url_sets_what_its_query_names():
    options = MockOptions.from_url("mock://?ttft_ms=12.5&osl=8&fault=reset_mid&fault_pct=50&model=a%2Fb")
    assert options == MockOptions(ttft_ms=12.5, osl=8, fault="reset_mid", fault_pct=50, model="a/b")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mock://?ttft=30", r"unknown option 'ttft' \(did you mean 'ttft_ms'\?\); known: ttft_ms, itl_ms"),
        ("mock://?osl=0", r"osl=0 is not valid; give a whole number from 1 to 1,000,000"),
        ("mock://?osl=3.5", r"osl='3.5' is not valid; give a whole number"),
        ("mock://?osl=", r"osl='' is not valid"),
        ("mock://?osl", r"osl='' is not valid"),
        ("mock://?ttft_ms=nan", r"ttft_ms=nan is not valid; give a number from 0 to"),
        ("mock://?itl_ms=-1", r"itl_ms=-1.0 is not valid"),
        ("mock://?error_pct=101", r"error_pct=101.0 is not valid; give a number from 0 to 100"),
        ("mock://?fault=rest", r"fault='rest' is not known \(did you mean 'reset'\?\)"),
        ("mock://?fault=refused&fault_pct=50", r"fault_pct=50 with fault=refused"),
        ("mock://?stall_pct=5", r"stall_pct=5 with stall_ms=0 delays nothing"),
        ("mock://?osl=1&osl=2", r"osl is given twice"),
        ("mock://?model=", r"model='' is empty"),
        ("mock://host?osl=1", r"is not a mock server's URL"),
        ("mock://:80/v1", r"is not a mock server's URL"),
        ("http://?osl=1", r"is not a mock server's URL"),
    ],
)
def test_a_url_is_read_strictly(url, message):
    with pytest.raises(ConfigurationError, match=message):
        MockOptions.from_url(url)


def test_options_survive_the_way_through_a_dict():
    options = MockOptions(ttft_ms=1.5, fault="html", seed=7, capacity=3)
    assert MockOptions.from_dict(options.to_dict()) == options


@pytest.mark.parametrize("value", [True, "3", None, 2.5])
def test_a_dict_must_hold_values_of_the_right_type(value):
    with pytest.raises(ConfigurationError, match=r"osl=.* is not valid; give a whole number"):
        MockOptions.from_dict({"osl": value})


def test_changed_options_keep_the_others():
    options = MockOptions(ttft_ms=5, osl=7).changed({"slow_pct": 10})
    assert options == MockOptions(ttft_ms=5.0, osl=7, slow_pct=10)


def test_planted_slowdowns_multiply():
    options = MockOptions(ttft_ms=100, itl_ms=10, slow_pct=10, ttft_slow_pct=50, itl_slow_pct=-50)
    assert options.first_delay_ns == 165_000_000
    assert options.next_delay_ns == 5_500_000
