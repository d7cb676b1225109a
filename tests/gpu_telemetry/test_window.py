"""What GPUs did over a window: figures that follow from the readings, and reasons where none do."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from readings import START, S, gpu, steady

from pytest_aiperf.gpu_telemetry.collector import GpuProcess, GpuSample
from pytest_aiperf.gpu_telemetry.gpu_metrics import GPU_METRICS, values_of
from pytest_aiperf.gpu_telemetry.span import Span, TooFewReadingsError, clipped, mean_over, rise_over
from pytest_aiperf.gpu_telemetry.window import GpuTotals, gpu_window


def window_of(samples, gpus=None, *, start_s=10.0, end_s=20.0, **counts):
    return gpu_window(
        gpus or [gpu()],
        samples,
        start_ns=START + round(start_s * S),
        end_ns=START + round(end_s * S),
        **counts,
    )


def only(window):
    (figures,) = window.gpus
    return figures


def test_a_steady_card_gives_its_figures():
    samples = steady(
        0,
        30,
        power_w=400.0,
        energy_mj=lambda s: round(5e9 + 400_000 * s),
        utilisation_pct=90.0,
        memory_utilisation_pct=30.0,
        memory_used_bytes=8_000,
        sm_clock_mhz=1900,
        memory_clock_mhz=2600,
        temperature_c=61,
        pcie_tx_bytes=lambda s: round(1e6 * s),
        pcie_rx_bytes=lambda s: round(3e6 * s),
        throttle_reasons=("sw_power_cap",),
        ecc_corrected=2,
        ecc_uncorrected=0,
        xid_errors=(),
        processes=(GpuProcess(pid=1, memory_bytes=5),),
    )
    window = window_of(samples, requests=50, output_tokens=8000)
    one = only(window)
    assert one.readings == 101
    assert (one.power_mean_w, one.power_peak_w) == (pytest.approx(400), 400)
    assert (one.energy_j, one.energy_from) == (pytest.approx(4000), "counter")
    assert (one.utilisation_mean_pct, one.utilisation_max_pct) == (pytest.approx(90), 90)
    assert one.memory_utilisation_mean_pct == pytest.approx(30)
    assert one.memory_peak_bytes == 8_000
    assert (one.sm_clock_mean_mhz, one.sm_clock_min_mhz) == (pytest.approx(1900), 1900)
    assert (one.memory_clock_mean_mhz, one.memory_clock_min_mhz) == (pytest.approx(2600), 2600)
    assert one.temperature_max_c == 61
    assert (one.pcie_tx_bytes_per_s, one.pcie_rx_bytes_per_s) == (pytest.approx(1e6), pytest.approx(3e6))
    assert one.throttle_share == {"sw_power_cap": pytest.approx(1.0)}
    assert (one.xid_errors, one.ecc_corrected, one.ecc_uncorrected) == ((), 0, 0)
    assert (one.processes, one.came_or_went) == ((GpuProcess(pid=1, memory_bytes=5),), ())
    assert (one.absent, window.notes) == ({}, ())
    totals = window.totals
    assert (totals.energy_per_request_j, totals.energy_per_output_token_j) == (
        pytest.approx(80),
        pytest.approx(0.5),
    )
    assert totals.output_tokens_per_joule == pytest.approx(2.0)
    assert window.for_baseline() == {
        "power_w": pytest.approx(400),
        "energy_j": pytest.approx(4000),
        "sm_clock_mhz": pytest.approx(1900),
    }


def test_only_what_happened_within_the_window_counts():
    samples = steady(
        0,
        30,
        power_w=lambda s: 500.0 if 10 <= s <= 20 else 50.0,
        temperature_c=lambda s: 90 if s < 9 or s > 21 else 60,
        sm_clock_mhz=lambda s: 300 if s < 9 or s > 21 else 1900,
    )
    one = only(window_of(samples))
    assert one.power_mean_w == pytest.approx(500)
    assert (one.temperature_max_c, one.sm_clock_min_mhz) == (60, 1900)


def test_without_a_counter_the_energy_is_the_area_under_the_power_and_says_so():
    ramp = steady(0, 30, power_w=lambda s: 100.0 + 10 * s)
    one = only(window_of(ramp))
    assert (one.energy_j, one.energy_from) == (pytest.approx(2500), "power")
    assert one.power_mean_w == pytest.approx(250)


def test_the_counter_is_interpolated_at_both_edges():
    rising = steady(0.05, 29.75, every_s=0.9, energy_mj=lambda s: round(1e6 * s * s))
    assert only(window_of(rising)).energy_j == pytest.approx(300_000, rel=2e-3)


def test_a_short_end_without_readings_is_taken_at_the_mean_rate():
    early = steady(0, 19.5, energy_mj=lambda s: round(1e6 * s))
    assert only(window_of(early)).energy_j == pytest.approx(10_000)


def test_a_counter_that_went_back_leaves_the_power_to_tell_the_energy():
    samples = steady(0, 30, power_w=200.0, energy_mj=lambda s: 10**9 if s < 15 else round(s))
    one = only(window_of(samples))
    assert (one.energy_j, one.energy_from) == (pytest.approx(2000), "power")


def test_the_energy_of_a_gap_in_the_readings_is_counted_and_the_gap_noted():
    samples = [
        one
        for one in steady(0, 30, energy_mj=lambda s: round(300_000 * s), power_w=300.0)
        if not START + 12 * S < one.stamp_ns < START + 16 * S
    ]
    window = window_of(samples)
    assert only(window).energy_j == pytest.approx(3000)
    assert window.notes == ("GPU 0: no reading for 4 s of 10 s",)


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_readings_are_a_note_and_no_figures(count):
    samples = steady(15, 15 + 0.1 * (count - 1), power_w=100.0) if count else []
    window = window_of(samples)
    said = ["no", "one"][count]
    assert window.notes == (f"GPU 0: {said} reading in 10 s; its figures are missing",)
    one = only(window)
    assert {name for name, value in dataclasses.asdict(one).items() if value is None} >= set(one.absent)
    assert (one.power_mean_w, one.energy_j, window.totals) == (None, None, GpuTotals())


def test_readings_too_far_apart_for_the_window_give_no_energy_and_say_how_far():
    slow = steady(0, 120, every_s=6, energy_mj=lambda s: round(1000 * s), power_w=10.0)
    one = only(window_of(slow, start_s=10, end_s=25))
    assert one.energy_j is None
    assert "readings cover 80% of 15 s; readings came every 6 s" in one.absent["energy_j"]
    assert only(window_of(slow, start_s=1, end_s=119)).energy_j == pytest.approx(118)


def test_a_card_that_fell_off_the_bus_half_way_has_no_energy():
    one = only(window_of(steady(0, 15, energy_mj=lambda s: round(1000 * s), power_w=100.0)))
    assert (one.energy_j, one.power_mean_w, one.power_peak_w) == (None, None, 100.0)
    assert "readings cover 50%" in one.absent["power_mean_w"]


def test_what_no_reading_tells_is_none_with_the_reason_and_never_nan():
    one = only(window_of(steady(0, 30, power_w=100.0)))
    assert one.absent["sm_clock_mean_mhz"] == one.absent["processes"] == "no reading tells it"
    assert one.absent["throttle_share"] == "no reading tells it"
    assert "energy_j" not in one.absent
    slice_ = only(window_of(steady(0, 30, sm_clock_mhz=5), [gpu(mig_slice="1g.10gb")]))
    assert "shared between the slices" in slice_.absent["power_mean_w"]
    assert "shared between the slices" in slice_.absent["energy_j"]


def test_reasons_for_lower_clocks_have_their_share_of_the_time():
    def reasons(s):
        return ("gpu_idle",) if s < 12 else ("sw_power_cap", "hw_thermal_slowdown") if s < 15 else ()

    one = only(window_of(steady(0, 30, throttle_reasons=reasons)))
    assert one.throttle_share == {
        "gpu_idle": pytest.approx(0.2, abs=0.011),
        "hw_thermal_slowdown": pytest.approx(0.3, abs=0.011),
        "sw_power_cap": pytest.approx(0.3, abs=0.011),
    }


def test_an_error_that_the_first_reading_after_the_window_tells_is_the_windows():
    def xids(s):
        return {9.5: (13,), 10.0: (31,), 20.5: (79,), 21.0: (94,)}.get(s, ())

    assert only(window_of(steady(0, 30, every_s=0.5, xid_errors=xids))).xid_errors == (31, 79)


def test_counters_of_errors_are_differences_and_one_that_went_back_is_none():
    samples = steady(0, 30, ecc_corrected=lambda s: 7 if s < 15 else 9, ecc_uncorrected=lambda s: -round(s))
    one = only(window_of(samples))
    assert (one.ecc_corrected, one.ecc_uncorrected) == (2, None)
    assert "went back" in one.absent["ecc_uncorrected"]


def test_a_process_that_came_and_one_that_went_are_told_with_the_most_that_they_held():
    def on_gpu(s):
        server = GpuProcess(pid=1, memory_bytes=50 if s > 17 else 40)
        return (server, *([GpuProcess(pid=7, memory_bytes=None)] if 12 < s < 14 else []))

    one = only(window_of(steady(0, 30, processes=on_gpu)))
    assert one.processes == (GpuProcess(pid=1, memory_bytes=50), GpuProcess(pid=7, memory_bytes=None))
    assert one.came_or_went == (7,)


def test_pcie_traffic_of_a_source_with_rates_is_their_mean():
    one = only(window_of(steady(0, 30, pcie_tx_bytes_per_s=5e6)))
    assert (one.pcie_tx_bytes_per_s, one.pcie_rx_bytes_per_s) == (pytest.approx(5e6), None)


def test_several_gpus_are_summed_and_a_sum_with_an_unknown_part_is_unknown():
    fields = {"power_w": 300.0, "sm_clock_mhz": 1900, "memory_used_bytes": 10, "utilisation_pct": 80.0}
    both = window_of(steady(0, 30, **fields) + steady(0, 30, index=1, **fields), [gpu(0), gpu(1)])
    assert both.totals.power_mean_w == pytest.approx(600)
    assert (both.totals.energy_j, both.totals.energy_from) == (pytest.approx(6000), "power")
    assert both.totals.memory_peak_bytes == 20
    silent = window_of(steady(0, 30, **fields) + steady(0, 30, index=1, sm_clock_mhz=1700), [gpu(0), gpu(1)])
    assert (silent.totals.power_mean_w, silent.totals.energy_j) == (None, None)
    assert silent.totals.sm_clock_mean_mhz == pytest.approx(1800)
    lost = window_of(steady(0, 30, **fields), [gpu(0), gpu(1)])
    assert lost.totals.power_mean_w is None
    assert lost.notes == ("GPU 1: no reading in 10 s; its figures are missing",)


def test_the_clocks_of_an_idle_card_do_not_count():
    busy = steady(0, 30, sm_clock_mhz=1900, utilisation_pct=95.0, power_w=400.0)
    idle = steady(0, 30, index=1, sm_clock_mhz=300, utilisation_pct=0.0, power_w=60.0)
    totals = window_of(busy + idle, [gpu(0), gpu(1)]).totals
    assert (totals.sm_clock_mean_mhz, totals.utilisation_mean_pct) == (pytest.approx(1900), pytest.approx(95))
    assert totals.power_mean_w == pytest.approx(460)


def test_without_counts_or_with_none_there_is_no_energy_for_each():
    samples = steady(0, 30, power_w=100.0)
    for counts in ({}, {"requests": 0, "output_tokens": 0}):
        totals = window_of(samples, **counts).totals
        assert (totals.energy_per_request_j, totals.energy_per_output_token_j) == (None, None)
        assert not totals.output_tokens_per_joule


def test_the_document_holds_builtin_types_and_names_no_process():
    samples = steady(
        0,
        30,
        power_w=100.0,
        throttle_reasons=("x",),
        xid_errors=(),
        processes=(GpuProcess(pid=4242, memory_bytes=1),),
    )
    told = window_of(samples).to_builtin()
    text = json.dumps(told, allow_nan=False)
    assert json.loads(text) == told
    assert "4242" not in text
    (row,) = told["gpus"]
    assert (row["name"], row["process_count"], row["processes_came_or_went"]) == ("NVIDIA L4", 1, 0)
    assert told["total"]["power_mean_w"] == pytest.approx(100)


def test_each_metric_is_a_figure_of_the_totals_in_its_unit():
    samples = steady(
        0,
        30,
        power_w=400.0,
        energy_mj=lambda s: round(400_000 * s),
        utilisation_pct=90.0,
        memory_used_bytes=8_000_000_000,
        sm_clock_mhz=1900,
        memory_clock_mhz=2600,
        temperature_c=61,
    )
    values = values_of(window_of(samples, requests=50, output_tokens=8000))
    assert values == {
        "gpu_power": pytest.approx(400),
        "gpu_power_peak": 400,
        "gpu_energy_per_request": pytest.approx(80),
        "gpu_energy_per_token": pytest.approx(0.5),
        "gpu_tokens_per_joule": pytest.approx(2),
        "gpu_utilisation": pytest.approx(90),
        "gpu_memory_peak": pytest.approx(8.0),
        "gpu_sm_clock": pytest.approx(1900),
        "gpu_memory_clock": pytest.approx(2600),
        "gpu_temperature": 61,
    }
    assert {metric.direction for metric in GPU_METRICS} == {"lower", "higher", "neutral"}
    assert set(values_of(window_of([])).values()) == {None}


def test_a_window_must_end_after_its_start():
    with pytest.raises(ValueError, match="must end after its start"):
        window_of([], start_s=5, end_s=5)


stamps = st.lists(st.integers(START, START + 30 * S), max_size=30, unique=True)


@given(stamps, st.integers(START, START + 15 * S), st.integers(1, 15 * S), st.floats(0, 1e4))
def test_a_constant_is_its_own_mean_or_there_is_none(at, start_ns, length_ns, value):
    span = Span(start_ns=start_ns, end_ns=start_ns + length_ns)
    points = [(stamp, value) for stamp in sorted(at)]
    try:
        assert mean_over(points, span) == pytest.approx(value)
    except TooFewReadingsError:
        assert len([1 for stamp in at if span.has(stamp)]) < 2 or len(clipped_or_none(points, span)) == 0


def clipped_or_none(points, span):
    try:
        return clipped(points, span)
    except TooFewReadingsError:
        return []


@given(stamps, st.integers(START, START + 15 * S), st.integers(1, 15 * S), st.integers(0, 10**6))
def test_a_counter_with_a_steady_rate_rises_by_rate_times_length(at, start_ns, length_ns, rate):
    span = Span(start_ns=start_ns, end_ns=start_ns + length_ns)
    points = [(stamp, (stamp - START) / S * rate) for stamp in sorted(at)]
    try:
        assert rise_over(points, span) == pytest.approx(rate * span.seconds, rel=1e-6, abs=1e-6)
    except TooFewReadingsError:
        pass


fields = st.fixed_dictionaries(
    {},
    optional={
        "power_w": st.floats(0, 1e5),
        "energy_mj": st.integers(0, 2**53),
        "utilisation_pct": st.floats(0, 100),
        "sm_clock_mhz": st.integers(0, 10**5),
        "throttle_reasons": st.lists(st.text(max_size=5), max_size=3),
        "xid_errors": st.lists(st.integers(0, 200), max_size=3),
    },
)


@given(st.lists(st.tuples(st.integers(START, START + 20 * S), fields), max_size=20), st.integers(0, 10**6))
def test_no_readings_at_all_make_a_figure_that_is_no_number(rows, tokens):
    samples = [GpuSample(index=0, stamp_ns=at, **told) for at, told in sorted(rows, key=lambda row: row[0])]
    window = window_of(samples, start_s=5, end_s=15, requests=tokens, output_tokens=tokens)
    json.dumps(window.to_builtin(), allow_nan=False)
    assert all(value is None or math.isfinite(value) for value in values_of(window).values())
    for figures in window.gpus:
        left = {"energy_from"} | set(figures.absent)
        assert {name for name, value in dataclasses.asdict(figures).items() if value is None} <= left
