"""GPU telemetry in a process of its own, on a driver library that can fail: a note, never a failed measurement."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from process_table import runs, wait_until

from pytest_aiperf.gpu_telemetry.findings import throttled
from pytest_aiperf.gpu_telemetry.gpu_log import SERVICE, GpuLog
from pytest_aiperf.gpu_telemetry.nvml_library import library_is_here
from pytest_aiperf.gpu_telemetry.window import gpu_window
from pytest_aiperf.plugin import plugins
from pytest_aiperf.plugin.testing import mock_plugin
from pytest_aiperf.services.controller import SystemController
from pytest_aiperf.services.gpu_telemetry_service import GpuTelemetryService

DRIVER = Path(__file__).parent.parent / "gpu_telemetry" / "fake_driver.c"
WAIT_S = 20.0


@pytest.fixture(scope="module")
def driver_library(tmp_path_factory):
    compiler = shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("needs a C compiler on Linux")
    directory = tmp_path_factory.mktemp("driver")
    command = [compiler, "-shared", "-fPIC", "-o", str(directory / "libnvidia-ml.so.1"), str(DRIVER)]
    subprocess.run(command, check=True, timeout=60)
    return directory


@pytest.fixture
def card(driver_library, monkeypatch, tmp_path):
    """Write what the card of the fake driver does from now on."""
    state = tmp_path / "state"
    monkeypatch.setenv("LD_LIBRARY_PATH", str(driver_library))
    monkeypatch.setenv("FAKE_DRIVER_STATE", str(state))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return state.write_text


class Running:
    """The service, its controller, and the log of what it tells."""

    def __init__(self, log_dir, **config):
        self.log = GpuLog()
        self.controller = SystemController(log_dir=log_dir)
        self.log.listen(self.controller.subscribe)
        self.controller.start(SERVICE, {"sources": [], "interval_s": None, **config})
        self.controller.wait_ready()

    def now(self):
        """Bring the log up to date."""
        assert self.log.bring_up_to_date(self.controller.publish, WAIT_S)
        return time.time_ns()

    @property
    def process(self):
        return self.controller._services[SERVICE].process

    def window(self, start_ns, end_ns):
        samples = self.log.between(start_ns, end_ns)
        return gpu_window(self.log.gpus, samples, start_ns=start_ns, end_ns=end_ns, requests=4)


@pytest.fixture
def running(tmp_path):
    made = []

    def make(collector="nvml", **config):
        made.append(Running(tmp_path / "logs", collector=collector, **config))
        return made[-1]

    yield make
    pids = [one.process.pid for one in made]
    for one in made:
        one.controller.stop()
    assert not [pid for pid in pids if runs(pid)]


def readings(service, count):
    """Wait for so many readings more; return when they began and ended."""
    start_ns = service.now()
    assert wait_until(lambda: len(service.log.between(start_ns, time.time_ns())) >= count, WAIT_S)
    end_ns = time.time_ns()
    service.now()
    return start_ns, end_ns


def test_a_card_is_read_and_its_energy_is_that_of_its_power(running, card):
    """C: the service runs beside the load; E7: columns travel as buffers."""
    service = running()
    start_ns, end_ns = readings(service, 12)
    window = service.window(start_ns, end_ns)
    (figures,) = window.gpus
    seconds = (end_ns - start_ns) / 1e9
    assert (figures.gpu.name, figures.power_mean_w, figures.energy_from) == ("NVIDIA H200", 400.0, "counter")
    assert figures.energy_j == pytest.approx(400 * seconds, rel=0.1)
    assert (figures.sm_clock_mean_mhz, figures.utilisation_max_pct) == (1980, 95)
    assert figures.throttle_share == {"sw_power_cap": 1.0}
    assert window.totals.energy_per_request_j == pytest.approx(figures.energy_j / 4)
    assert service.log.notes == window.notes == ()
    assert throttled(window) == []
    card("hot")
    start_ns, end_ns = readings(service, 5)
    (finding,) = throttled(service.window(start_ns, end_ns))
    assert "hw_thermal_slowdown" in finding.text


def test_a_card_that_falls_off_the_bus_in_the_middle_is_one_note(running, card):
    service = running()
    readings(service, 2)
    card("lost")
    assert wait_until(lambda: service.log.notes, WAIT_S)
    service.now()
    assert service.log.notes == ("GPU 0: GPU is lost; it is not read any more",)
    service.controller.check()


def test_a_driver_that_hangs_in_the_middle_holds_up_neither_the_answer_nor_the_stop(
    running, card, monkeypatch
):
    service = running()
    readings(service, 2)
    card("hang")
    start_ns = service.now()
    service.now()
    assert service.log.between(start_ns, time.time_ns())[1:] == []
    service.controller.check()
    pid = service.process.pid
    service.controller.stop(grace_s=1.0)
    assert not runs(pid)


@pytest.mark.parametrize(
    ("way", "said"), [("unloaded", "modprobe nvidia"), (None, "install the NVIDIA driver")]
)
def test_without_a_driver_there_is_a_note_that_says_what_to_do(
    running, card, monkeypatch, tmp_path, way, said
):
    if way is None:
        if library_is_here():
            pytest.skip("this machine has a driver")
        monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    else:
        monkeypatch.setenv("FAKE_DRIVER", way)
    service = running()
    service.now()
    (note,) = service.log.notes
    assert said in note
    assert (service.log.gpus, service.window(1, 2).totals.power_mean_w) == ((), None)


def test_a_collector_of_a_third_party_is_run_like_our_own(running):
    with mock_plugin(
        "gpu_telemetry_collector", "amd_smi", "amd_collector:AmdCollector", metadata={"is_local": True}
    ):
        service = running("amd_smi")
        start_ns, end_ns = readings(service, 20)
        window = service.window(start_ns, end_ns)
        (figures,) = window.gpus
        assert (figures.gpu.name, figures.power_mean_w) == ("AMD Instinct MI300X", 550.0)
        assert service.log.collector == "amd_smi"
        assert service.log.notes == ("the AMD driver does not tell the energy",)
        assert [finding.rule for finding in throttled(window)] == ["gpu_throttled"]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("amd_collector:BrokenCollector", "ZeroDivisionError: a bug of the third party"),
        ("amd_collector:NoSuchCollector", "NoSuchCollector"),
    ],
)
def test_a_collector_with_a_bug_is_warned_of_once_and_done_without(running, caplog, path, said):
    """C8: the service is not required."""
    with mock_plugin("gpu_telemetry_collector", "amd_smi", path, metadata={"is_local": True}):
        service = running("amd_smi")
        assert wait_until(lambda: service.controller._services[SERVICE].death is not None, WAIT_S)
        for _ in range(3):
            service.controller.check()
        assert caplog.text.count("the service gpu_telemetry is gone, and is done without") == 1
        assert said in caplog.text


def test_a_reading_that_does_not_end_is_noted_once():
    class Stuck:
        busy_s = staticmethod(lambda: 11.0)
        notes = staticmethod(lambda: ["a note of the collector"])
        take = staticmethod(lambda: ((), []))

    service = GpuTelemetryService(None, {"collector": "nvml"})
    service._sampler = Stuck()
    for _ in range(3):
        asyncio.run(service._send_all())
    assert [message.text for message in service._early] == [
        "a note of the collector",
        "nvml: no answer for 10 s; GPU figures are missing",
    ]


def test_the_service_is_neither_required_nor_started_by_itself():
    told = plugins.entry("service", SERVICE).metadata
    assert (told["required"], told["auto_start"]) == (False, False)
