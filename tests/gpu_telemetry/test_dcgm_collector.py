"""DCGM's exporter: its page in the units of the samples, and whatever else may answer at its address."""

from __future__ import annotations

import dataclasses
import gzip
import json
import socket
import threading
import time

import pytest
from dcgm_pages import BUSY, UUID, busy, endless, exporter, labels, page, plain, silent
from fake_nvml import FakeCard, hopper
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from pytest_aiperf.gpu_telemetry import dcgm
from pytest_aiperf.gpu_telemetry.collector import GpuCollector
from pytest_aiperf.gpu_telemetry.dcgm import DcgmCollector
from pytest_aiperf.gpu_telemetry.dcgm_page import PageError, known_lines, rows_of
from pytest_aiperf.gpu_telemetry.dcgm_source import PAGE_LIMIT_BYTES
from pytest_aiperf.gpu_telemetry.environment import validate_environments
from pytest_aiperf.gpu_telemetry.nvml import NvmlCollector
from pytest_aiperf.plugin import plugins

MIB = 1024 * 1024
DEADLINE_S = 20.0


@pytest.fixture
def collect():
    """Make collectors that read what these servers answer."""
    made, servers = [], []

    def make(*answers, deadline_s=DEADLINE_S):
        servers.extend(map(exporter, answers))
        urls = [server.__enter__() for server in servers]
        made.append(DcgmCollector([server.url for server in urls], deadline_s=deadline_s))
        return made[-1], *urls

    yield make
    for one in made:
        one.close()
    for server in servers:
        server.__exit__(None, None, None)


def test_a_page_is_read_field_by_field_in_the_units_of_the_sample(collect):
    gpus, server = collect(plain(busy()))
    before_ns = time.time_ns()
    (sample,) = gpus.sample()
    assert before_ns <= sample.stamp_ns <= time.time_ns()
    assert dataclasses.asdict(sample) | {"stamp_ns": 0} == {
        "index": 0,
        "stamp_ns": 0,
        "power_w": 690.5,
        "energy_mj": 5_006_900_000,
        "utilisation_pct": 100.0,
        "memory_utilisation_pct": 40.0,
        "memory_used_bytes": 76000 * MIB,
        "sm_clock_mhz": 1755,
        "memory_clock_mhz": 2619,
        "temperature_c": 62,
        "throttle_reasons": ("sw_power_cap",),
        "pcie_tx_bytes": None,
        "pcie_rx_bytes": None,
        "pcie_tx_bytes_per_s": 5_000_000.0,
        "pcie_rx_bytes_per_s": 9_000_000.0,
        "ecc_corrected": 3,
        "ecc_uncorrected": 0,
        "xid_errors": (),
        "processes": None,
    }
    assert gpus.notes == ()
    ((path, headers),) = server.asked
    assert (path, headers["Accept-Encoding"]) == ("/metrics", "identity")


def test_the_identity_is_that_of_the_nvml_collector_and_keeps_no_uuid(collect, install):
    install(FakeCard(uuid=UUID, answers=hopper().answers))
    (known,) = NvmlCollector({}).inventory()
    gpus, _ = collect(plain(busy()))
    told = gpus.sample()
    (gpu,) = gpus.inventory()
    assert (gpu.name, gpu.uuid_hash, gpu.driver, gpu.power_limit_w) == (
        known.name,
        known.uuid_hash,
        known.driver,
        known.power_limit_w,
    )
    assert gpu.memory_bytes == (5000 + 76000 + 559) * MIB
    shown = json.dumps([dataclasses.asdict(gpu), *map(dataclasses.asdict, told), *gpus.notes])
    assert UUID[4:12] not in shown
    assert "node1" not in shown


def test_the_newer_and_the_older_spellings_mean_the_same(collect):
    renamed = {
        "DCGM_FI_DEV_BOARD_POWER_WATTS": "120.250000",
        "DCGM_FI_DEV_GPU_UTIL_RATIO": 55,
        "DCGM_FI_DEV_GPU_TEMP_CELSIUS": 44,
        "DCGM_FI_DEV_CLOCK_THROTTLE_REASONS": 0x40,
        "DCGM_FI_DEV_POWER_MGMT_LIMIT": "650.000000",
        "DCGM_FI_PROF_PCIE_TX_BYTES_TOTAL": 17,
    }
    gpus, _ = collect(plain(page((labels().replace("UUID=", "uuid="), renamed))))
    (sample,) = gpus.sample()
    assert (sample.power_w, sample.utilisation_pct, sample.temperature_c) == (120.25, 55.0, 44)
    assert (sample.throttle_reasons, sample.pcie_tx_bytes) == (("hw_thermal_slowdown",), 17)
    (gpu,) = gpus.inventory()
    assert (gpu.power_limit_w, gpu.uuid_hash is not None) == (650.0, True)


def test_what_dcgm_writes_for_nothing_is_absent_and_not_a_huge_figure(collect):
    blank = {
        "DCGM_FI_DEV_SM_CLOCK": 0x7FFFFFF2,
        "DCGM_FI_DEV_MEM_CLOCK": 9223372036854775794,
        "DCGM_FI_DEV_POWER_USAGE": "140737488355330.000000",
        "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION": 9223372036854775792,
        "DCGM_FI_DEV_FB_USED": 2147483632,
        "DCGM_FI_DEV_GPU_UTIL": "NaN",
        "DCGM_FI_DEV_MEM_COPY_UTIL": "+Inf",
        "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL": -1,
        "DCGM_FI_DEV_XID_ERRORS": 9223372036854775794,
        "DCGM_FI_DEV_GPU_TEMP": 41,
    }
    gpus, _ = collect(plain(page((labels(), blank))))
    (sample,) = gpus.sample()
    told = {name: value for name, value in dataclasses.asdict(sample).items() if value is not None}
    assert told.keys() == {"index", "stamp_ns", "temperature_c"}


def test_a_page_without_news_is_no_reading_though_its_own_counters_go_on(collect):
    gpus, server = collect(plain(busy()))
    assert len(gpus.sample()) == 1
    server.answer = plain(busy().replace(b"requests_total 7", b"requests_total 8"))
    assert gpus.sample() == []
    server.answer = plain(busy(DCGM_FI_DEV_POWER_USAGE="1.000000"))
    assert [sample.power_w for sample in gpus.sample()] == [1.0]


def test_an_xid_is_told_when_it_is_new_and_not_when_it_is_an_old_one(collect):
    gpus, server = collect(plain(busy(DCGM_FI_DEV_XID_ERRORS=31)))
    told = [gpus.sample()[0].xid_errors]
    for power, xid in enumerate([31, 79, 79, 0]):
        server.answer = plain(busy(DCGM_FI_DEV_XID_ERRORS=xid, DCGM_FI_DEV_POWER_USAGE=power))
        told.append(gpus.sample()[0].xid_errors)
    assert told == [(), (), (79,), (), ()]


def test_several_gpus_of_several_machines_are_one_inventory_that_may_grow(collect):
    two = page((labels(0, "GPU-a"), BUSY), (labels(1, "GPU-b"), BUSY))
    gpus, first, second = collect(plain(two), plain(b"", status=503))
    assert [sample.index for sample in gpus.sample()] == [0, 1]
    assert len(gpus.inventory()) == 2
    (note,) = gpus.notes
    assert note == f"{second.url}: HTTP 503; GPU figures from there are missing"
    first.answer = plain(two.replace(b"690", b"691"))
    second.answer = plain(page((labels(0, "GPU-c", host="node2"), BUSY)))
    found = [*gpus.sample(), *gpus.sample()]  # it rests for a turn after its failure
    assert sorted(sample.index for sample in found) == [0, 1, 2]
    assert [gpu.card for gpu in gpus.inventory()] == [0, 1, 0]
    assert len({gpu.uuid_hash for gpu in gpus.inventory()}) == 3


def test_a_slice_has_its_own_memory_the_cards_clocks_and_no_share_of_its_power(collect):
    whole = {**BUSY, "DCGM_FI_DEV_FB_USED": 70000}
    del whole["DCGM_FI_DEV_GPU_UTIL"]
    slices = [
        (labels(part=("1g.10gb", 7)), {"DCGM_FI_DEV_FB_USED": 1000, "DCGM_FI_DEV_POWER_USAGE": "690.000000"}),
        (labels(part=("2g.20gb", 9)), {"DCGM_FI_DEV_FB_USED": 2000}),
    ]
    gpus, _ = collect(plain(page((labels(), whole), *slices, (labels(1, "GPU-b"), BUSY))))
    samples = gpus.sample()
    assert [(gpu.card, gpu.mig_slice) for gpu in gpus.inventory()] == [
        (0, "1g.10gb"),
        (0, "2g.20gb"),
        (1, None),
    ]
    assert [one.memory_used_bytes for one in samples] == [1000 * MIB, 2000 * MIB, 76000 * MIB]
    assert [one.power_w for one in samples] == [None, None, 690.5]
    assert [(one.sm_clock_mhz, one.temperature_c) for one in samples] == [(1755, 62)] * 3
    assert [one.energy_mj for one in samples[:2]] == [None, None]


def test_a_live_prometheus_client_as_the_exporter_is_read(collect):
    registry = CollectorRegistry()
    names = ("gpu", "UUID", "modelName", "Hostname")
    for name in ("DCGM_FI_DEV_POWER_USAGE", "DCGM_FI_DEV_SM_CLOCK"):
        Gauge(name, "Figure.", names, registry=registry).labels("0", "GPU-a", 'A "quoted"\nname', "n").set(
            350.25
        )
    gpus, _ = collect(plain(generate_latest(registry)))
    (sample,) = gpus.sample()
    assert (sample.power_w, sample.sm_clock_mhz) == (350.25, 350)
    assert gpus.inventory()[0].name == 'A "quoted"\N{REPLACEMENT CHARACTER}name'


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "it begins with 'nothing'"),
        (b"<html><body>Sign in</body></html>", "begins with '<html><body>Sign in</body></html>'"),
        (b'{"status": "ok"}', 'begins with \'{"status": "ok"}\''),
        (b"\x00\xff\xfe" * 50, "no figure of DCGM"),
        (b"vllm:num_requests_running 3\n", "no figure of DCGM that is known here"),
        (b'DCGM_FI_DEV_POWER_USAGE{gpu="0" 12\n', "not Prometheus' text format"),
        (b'DCGM_FI_DEV_POWER_USAGE{gpu="0"} twelve\n', "not Prometheus' text format"),
        (b'DCGM_FI_DEV_POWER_USAGE{gpu="\xff"} 1\n', "not Prometheus' text format"),
        (b"DCGM_FI_DEV_POWER_USAGE 12\n", "no figure of DCGM that is known here"),
        (gzip.compress(busy()), "no figure of DCGM"),
    ],
)
def test_garbage_and_the_wrong_type_are_one_note(collect, body, said):
    gpus, _ = collect(plain(body, content_type="text/html"))
    assert [gpus.sample() for _ in range(8)] == [[]] * 8
    (note,) = gpus.notes
    assert said.replace("it begins", "the page begins") in note


def test_fifty_megabytes_are_left_unread_and_are_a_note(collect):
    gpus, server = collect(endless(busy()[:-1] + b" " * 60_000 + b"\n"))
    assert gpus.sample() == []
    assert gpus.notes == (f"{server.url}: a page of more than 4 MiB; GPU figures from there are missing",)


def test_fifty_megabytes_of_unknown_lines_cost_no_parsing(monkeypatch):
    assert PAGE_LIMIT_BYTES < 50e6
    monkeypatch.setattr("pytest_aiperf.gpu_telemetry.dcgm_page.text_string_to_metric_families", pytest.fail)
    assert known_lines(b'DCGM_FI_DEV_ENC_UTIL{gpu="0"} 1\nother 2\n' * 100_000) == b""


@pytest.mark.parametrize("way", ["silent", "trickling"])
def test_an_exporter_that_stalls_costs_the_deadline_and_then_rests(collect, way):
    until = threading.Event()
    try:
        answer = silent(until) if way == "silent" else endless(b"#", pause=until)
        gpus, server = collect(answer, deadline_s=0.2)
        began_s = time.monotonic()
        for _ in range(8):
            assert gpus.sample() == []
        assert time.monotonic() - began_s < 10
        assert gpus.notes == (
            f"{server.url}: no whole page within 0.2 s; GPU figures from there are missing",
        )
        assert len(server.asked) < 5
    finally:
        until.set()


def test_an_exporter_that_is_gone_is_a_note_and_is_read_again_when_it_is_back(collect):
    gpus, server = collect(plain(busy()))
    assert len(gpus.sample()) == 1
    server.answer = plain(b"starting", status=500)
    assert gpus.sample() == []
    server.answer = plain(busy(DCGM_FI_DEV_POWER_USAGE=1))
    assert [len(gpus.sample()) for _ in range(2)] == [0, 1]
    assert len(gpus.notes) == 1


def test_nobody_at_the_address_is_a_note():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/metrics"
        gpus = DcgmCollector([url])
        assert gpus.sample() == []
        gpus.close()
    assert "Cannot connect" in gpus.notes[0]
    empty = DcgmCollector([])
    assert empty.sample() == []
    empty.close()
    assert "give its URL" in empty.notes[0]


def test_a_page_of_endless_gpus_is_not_believed(collect, monkeypatch):
    monkeypatch.setattr(dcgm, "MOST_GPUS", 3)
    gpus, _ = collect(
        plain(page(*((labels(at, f"GPU-{at}"), {"DCGM_FI_DEV_SM_CLOCK": 1}) for at in range(5))))
    )
    assert [sample.index for sample in gpus.sample()] == [0, 1, 2]
    assert "more than 3 GPUs" in gpus.notes[0]


def test_closing_is_fine_twice_and_reads_nothing_more(collect):
    gpus, server = collect(plain(busy()))
    gpus.sample()
    gpus.close()
    gpus.close()
    assert gpus.sample() == ()
    assert len(server.asked) == 1


def test_the_collector_is_registered_and_not_local():
    """F11: nothing is needed on this machine."""
    cls = plugins.get_class("gpu_telemetry_collector", "DCGM")
    assert cls is DcgmCollector
    assert not cls.is_local
    validate_environments(["dcgm"])
    assert cls.validate_environment() is None
    seam: GpuCollector = cls.for_sources(["http://127.0.0.1:1/metrics"])
    seam.close()


@given(st.binary(max_size=400), st.integers(0, 2000))
def test_no_bytes_at_all_raise_anything_but_a_page_error(noise, at):
    text = busy()
    for page_ in (noise, b"DCGM_FI_DEV_POWER_USAGE{" + noise, text[:at] + noise + text[at:]):
        try:
            rows_of(known_lines(page_))
        except PageError:
            pass
