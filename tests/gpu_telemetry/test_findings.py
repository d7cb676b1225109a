"""Which states of the GPUs make a run invalid, which explain a regression, and which do neither."""

from __future__ import annotations

import pytest
from readings import START, S, gpu, steady

from pytest_aiperf.gpu_telemetry.collector import GpuProcess
from pytest_aiperf.gpu_telemetry.findings import (
    clocks_fell,
    faults,
    findings_of,
    is_throttling,
    other_tenants,
    throttled,
)
from pytest_aiperf.gpu_telemetry.throttling import _NAMES
from pytest_aiperf.gpu_telemetry.window import gpu_window


def window(**fields):
    return gpu_window([gpu()], steady(0, 20, **fields), start_ns=START + 5 * S, end_ns=START + 15 * S)


def between(begin_s, end_s, value, other):
    return lambda s: value if begin_s <= s < end_s else other


def test_heat_makes_a_run_invalid_and_says_for_how_long():
    hot = window(throttle_reasons=between(5, 8, ("hw_thermal_slowdown",), ()), temperature_c=93)
    (finding,) = throttled(hot)
    assert (finding.rule, finding.invalidates, finding.limit) == ("gpu_throttled", True, 0.05)
    assert finding.value == pytest.approx(0.3, abs=0.02)
    assert "GPU 0 was held back for 30% of the time (hw_thermal_slowdown 30%), at up to 93 °C" in finding.text


def test_a_power_cap_all_the_time_is_how_a_card_works():
    assert throttled(window(throttle_reasons=("sw_power_cap", "gpu_idle"))) == []


def test_a_throttle_of_a_moment_is_none():
    assert throttled(window(throttle_reasons=between(7, 7.3, ("hw_slowdown",), ()))) == []


def test_which_of_the_drivers_reasons_make_a_run_invalid():
    assert {name for name in _NAMES if is_throttling(name)} == {
        "hw_slowdown",
        "sw_thermal_slowdown",
        "hw_thermal_slowdown",
        "hw_power_brake_slowdown",
    }
    assert is_throttling("ppt_thermal_throttle")  # as another vendor may call it


def test_a_process_that_comes_in_the_middle_is_another_tenant():
    server, other = GpuProcess(pid=1, memory_bytes=10), GpuProcess(pid=99, memory_bytes=10)
    shared = window(processes=between(9, 11, (server, other), (server,)))
    (finding,) = other_tenants(shared)
    assert (finding.rule, finding.invalidates, finding.value) == ("gpu_other_tenants", True, 1)
    assert "another process came to GPU 0 or left it during the run (99)" in finding.text
    assert other_tenants(shared, own_pids={99}) == []


def test_who_was_there_all_the_time_is_no_finding_and_neither_is_what_cannot_be_known():
    both = (GpuProcess(pid=1, memory_bytes=10), GpuProcess(pid=2, memory_bytes=None))
    assert other_tenants(window(processes=both)) == []
    assert other_tenants(window(power_w=1.0)) == []


def test_driver_errors_and_memory_errors_make_a_run_invalid():
    broken = window(xid_errors=between(9, 9.15, (79, 79), ()), ecc_uncorrected=lambda s: int(s > 10))
    xid, memory = faults(broken)
    assert (xid.rule, xid.invalidates) == ("gpu_xid", True)
    assert "XID 79 of GPU 0" in xid.text
    assert (memory.rule, memory.value) == ("gpu_memory_errors", 1)
    assert faults(window(xid_errors=(), ecc_uncorrected=5, ecc_corrected=lambda s: round(s))) == []


def test_clocks_that_fell_are_a_cause_and_invalidate_nothing():
    slow = window(sm_clock_mhz=1500, utilisation_pct=98.0, throttle_reasons=("sw_power_cap",))
    (finding,) = clocks_fell(slow, 1980.0)
    assert (finding.rule, finding.invalidates) == ("gpu_clocks_fell", False)
    assert finding.text == "the GPU clocks fell from 1980 to 1500 MHz (-24%); the driver says sw_power_cap"
    assert clocks_fell(slow, 1520.0) == []
    assert clocks_fell(slow, None) == []


def test_the_clocks_of_a_card_with_little_to_do_are_no_cause():
    assert clocks_fell(window(sm_clock_mhz=900, utilisation_pct=12.0), 1980.0) == []
    assert len(clocks_fell(window(sm_clock_mhz=900), 1980.0)) == 1


def test_all_rules_are_asked():
    bad = window(
        throttle_reasons=("hw_slowdown",),
        processes=between(9, 11, (GpuProcess(pid=3, memory_bytes=1),), ()),
        xid_errors=between(9, 9.15, (31,), ()),
        sm_clock_mhz=1000,
    )
    rules = [finding.rule for finding in findings_of(bad, baseline_sm_clock_mhz=1980)]
    assert rules == ["gpu_throttled", "gpu_other_tenants", "gpu_xid", "gpu_clocks_fell"]
    assert findings_of(window(power_w=1.0)) == []
