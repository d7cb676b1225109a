from __future__ import annotations

import dataclasses
import itertools
import json
import sys

import pynvml
import real_card
from fake_nvml import FakeCard, Recorder, hopper

from pytest_aiperf.gpu_telemetry.nvml import NvmlCollector


def test_a_card_that_was_recorded_and_is_replayed_tells_the_same(install, monkeypatch):
    library = install(hopper(0, **{"nvmlDeviceGetFieldValues:198": {"error": 3}}))
    recorder = Recorder(library)
    monkeypatch.setattr(pynvml, "nvmlLib", recorder)
    first = NvmlCollector({})
    told = first.inventory(), first.sample()
    first.close()

    table = json.loads(json.dumps(recorder.answers))
    install(FakeCard(uuid="GPU-another", answers=table))
    again = NvmlCollector({})
    replayed = again.inventory(), again.sample()
    again.close()

    assert [anonymous(gpu) for gpu in replayed[0]] == [anonymous(gpu) for gpu in told[0]]
    assert [anonymous(sample) for sample in replayed[1]] == [anonymous(sample) for sample in told[1]]


def test_a_recording_holds_no_uuid(install, monkeypatch):
    library = install(card := hopper(0))
    recorder = Recorder(library)
    monkeypatch.setattr(pynvml, "nvmlLib", recorder)
    gpus = NvmlCollector({})
    gpus.sample()
    gpus.close()
    assert card.uuid not in json.dumps(recorder.answers)


def anonymous(told):
    fields = dataclasses.asdict(told)
    return {name: value for name, value in fields.items() if name not in ("uuid_hash", "stamp_ns")}


def test_the_script_for_a_real_card_prints_its_table_and_saves_what_the_tests_replay(
    install, monkeypatch, capsys, tmp_path
):
    energy = itertools.count(1_000_000, 35_000)
    install(hopper(0, nvmlDeviceGetTotalEnergyConsumption=lambda: next(energy)))
    monkeypatch.setattr(real_card, "SMI", [sys.executable, "-c", "print('351.5')"])
    saved = tmp_path / "card.json"
    load = "import time; print('ready', flush=True); time.sleep(60)"
    real_card.main(["--seconds", "0.35", "--load", load, "--save", str(saved)])
    printed = capsys.readouterr().out
    assert "loaded (running)" in printed
    assert "CUDA_VISIBLE_DEVICES='': 0 GPU" in printed
    assert "never told: []" in printed
    table = json.loads(saved.read_text())
    assert table["loaded"]["nvmlDeviceGetComputeRunningProcesses_v3"][0]["pid"] == 1000
    install(FakeCard(uuid="GPU-another", answers={**table["idle"], **table["loaded"]}))
    again = NvmlCollector({})
    assert again.sample()[0].power_w == 690.0
    again.close()
