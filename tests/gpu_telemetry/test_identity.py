from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from fake_nvml import hopper

from pytest_aiperf.gpu_telemetry import identity
from pytest_aiperf.gpu_telemetry.collector import GpuIdentity
from pytest_aiperf.gpu_telemetry.identity import (
    Accelerator,
    accelerator_of,
    accelerator_of_this_machine,
    ask,
    profile_name,
)

H100 = Accelerator(
    name="NVIDIA H100 80GB HBM3",
    count=1,
    memory_bytes=85_520_809_984,
    power_limit_w=700.0,
    mig=None,
    driver="580.0.1",
    cuda="13.0",
)


@pytest.mark.parametrize(
    ("name", "count", "mig", "profile"),
    [
        ("NVIDIA H100 80GB HBM3", 1, None, "h100x1"),
        ("NVIDIA H100 80GB HBM3", 8, None, "h100x8"),
        ("NVIDIA H100 PCIe", 1, None, "h100-pcie-x1"),
        ("NVIDIA H100 NVL", 2, None, "h100-nvl-x2"),
        ("NVIDIA H200", 8, None, "h200x8"),
        ("NVIDIA A100-SXM4-80GB", 4, None, "a100x4"),
        ("NVIDIA A100 80GB PCIe", 1, None, "a100-pcie-x1"),
        ("NVIDIA GH200 480GB", 1, None, "gh200x1"),
        ("Tesla V100-SXM2-16GB", 8, None, "v100x8"),
        ("NVIDIA L40S", 2, None, "l40sx2"),
        ("NVIDIA GeForce RTX 4090", 2, None, "rtx-4090-x2"),
        ("NVIDIA RTX 6000 Ada Generation", 1, None, "rtx-6000-ada-x1"),
        ("AMD Instinct MI300X", 8, None, "mi300xx8"),
        ("NVIDIA A100-SXM4-80GB + NVIDIA L4", 2, None, "a100-l4-x2"),
        ("NVIDIA H100 80GB HBM3", 1, "1g.10gb", "h100-mig-1g-10gb-x1"),
        ("NVIDIA", 1, None, "gpux1"),
        ("../../etc/passwd", 1, None, "etc-passwd-x1"),
    ],
)
def test_a_profile_is_named_after_part_and_count(name, count, mig, profile):
    assert profile_name(dataclasses.replace(H100, name=name, count=count, mig=mig)) == profile


def test_without_an_accelerator_the_profile_is_default():
    assert profile_name(None) == "default"
    assert accelerator_of([]) is None


def gpu(index=0, **facts):
    return GpuIdentity(**{"index": index, "card": index, "name": "NVIDIA L4", "uuid_hash": None, **facts})


def test_unequal_cards_are_summed_up_by_the_weakest():
    both = accelerator_of(
        [
            gpu(0, memory_bytes=24, power_limit_w=72.0),
            gpu(1, name="NVIDIA A10", memory_bytes=22, power_limit_w=150.0),
        ]
    )
    assert (both.name, both.count) == ("NVIDIA A10 + NVIDIA L4", 2)
    assert (both.memory_bytes, both.power_limit_w) == (22, 72.0)


def test_a_limit_that_one_card_does_not_tell_is_unknown_for_all():
    assert accelerator_of([gpu(0, power_limit_w=72.0), gpu(1)]).power_limit_w is None


def test_without_a_driver_library_no_process_is_started(no_library, monkeypatch, caplog):
    monkeypatch.setattr(subprocess, "Popen", lambda *_a, **_k: pytest.fail("a process was started"))
    assert accelerator_of_this_machine() is None
    assert caplog.records == []


def test_the_asked_process_prints_what_is_read_back(install, monkeypatch, capsys):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    install(hopper(0), hopper(1))
    identity.main()
    printed = capsys.readouterr().out
    found = ask([sys.executable, "-c", f"print({printed!r})"], deadline_s=30.0)
    assert found == dataclasses.replace(H100, count=2)
    assert "GPU-" not in printed


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("import sys; print('half {'); sys.exit(3)", "status 3"),
        ("raise SystemExit('the driver said no')", "the driver said no"),
        ("pass", "said nothing"),
    ],
)
def test_an_answer_that_cannot_be_read_is_a_warning_and_no_accelerator(caplog, program, said):
    assert ask([sys.executable, "-c", program], deadline_s=30.0) is None
    assert said in caplog.text


def test_notes_of_the_asked_process_are_logged(caplog):
    answer = json.dumps({"accelerator": None, "notes": ["GPU 3: GPU is lost; it is not read any more"]})
    assert ask([sys.executable, "-c", f"print({answer!r})"], deadline_s=30.0) is None
    assert "GPU 3" in caplog.text


@pytest.fixture(scope="module")
def driver_library(tmp_path_factory):
    """A directory in which the dynamic loader finds a ``libnvidia-ml.so.1``."""
    compiler = shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("needs a C compiler on Linux")
    directory = tmp_path_factory.mktemp("driver")
    source = Path(__file__).parent / "fake_driver.c"
    command = [compiler, "-shared", "-fPIC", "-o", str(directory / "libnvidia-ml.so.1"), str(source)]
    subprocess.run(command, check=True, timeout=60)
    return directory


@pytest.fixture
def with_driver(driver_library, monkeypatch):
    monkeypatch.setenv("LD_LIBRARY_PATH", str(driver_library))
    monkeypatch.setattr("pytest_aiperf.gpu_telemetry.nvml_library.library_is_here", lambda: True)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return monkeypatch


def test_a_real_library_file_is_found_and_asked_in_a_process_of_its_own(with_driver, caplog):
    assert accelerator_of_this_machine(30.0) == Accelerator(
        name="NVIDIA H200",
        count=1,
        memory_bytes=150_754_820_096,
        power_limit_w=700.0,
        mig=None,
        driver="580.0.1",
        cuda="13.0",
    )
    assert caplog.records == []


def test_visible_devices_reach_the_asked_process(with_driver, caplog):
    with_driver.setenv("CUDA_VISIBLE_DEVICES", "")
    assert accelerator_of_this_machine(30.0) is None
    assert "hides every GPU" in caplog.text


@pytest.mark.parametrize(("way", "said"), [("crash", "status -6"), ("unloaded", "modprobe nvidia")])
def test_a_driver_that_fails_is_a_warning_and_no_accelerator(with_driver, caplog, way, said):
    with_driver.setenv("FAKE_DRIVER", way)
    assert accelerator_of_this_machine(30.0) is None
    assert said in caplog.text


def test_a_driver_that_hangs_costs_the_deadline_and_no_more(with_driver, caplog):
    with_driver.setenv("FAKE_DRIVER", "hang")
    before = time.monotonic()
    assert accelerator_of_this_machine(0.5) is None
    assert time.monotonic() - before < 20
    assert "did not answer within 0.5 s" in caplog.text
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and thread.daemon:
            thread.join(30)


def test_the_asked_process_is_killed_when_the_deadline_has_passed(monkeypatch):
    started = []

    class Kept(subprocess.Popen):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Kept)
    assert ask([sys.executable, "-c", "import time; time.sleep(60)"], deadline_s=0.3) is None
    assert started[0].wait(timeout=30) == -9


def test_a_process_stuck_in_the_driver_ends_by_itself_when_nobody_waits(with_driver, driver_library):
    environment = {**os.environ, "FAKE_DRIVER": "hang", "PYTHONPATH": str(Path(identity.__file__).parents[2])}
    command = [sys.executable, "-m", "pytest_aiperf.gpu_telemetry.identity", "0.5"]
    assert subprocess.run(command, env=environment, timeout=60, check=False).returncode == -14


def test_the_loader_is_asked_for_the_library_by_name(driver_library):
    program = "from pytest_aiperf.gpu_telemetry.nvml_library import library_is_here; print(library_is_here())"
    environment = {
        **os.environ,
        "LD_LIBRARY_PATH": str(driver_library),
        "PYTHONPATH": str(Path(identity.__file__).parents[2]),
    }
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip() == "True"
