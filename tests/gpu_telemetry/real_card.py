"""Hold the collector against a real NVIDIA card: ``python tests/gpu_telemetry/real_card.py --save FILE.json``,
with pytest-aiperf installed or the repository's root in ``PYTHONPATH``.

Ten samples a second through an idle phase and a loaded one (matrix products by torch in a process of their own),
beside ``nvidia-smi``. Prints what docs/telemetry.md tabulates, and saves the card's raw answers, free of UUIDs and
process numbers, as a table that the tests replay. Changes no setting of the card. Needs about 45 seconds.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import statistics
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pynvml
from fake_nvml import Recorder

from pytest_aiperf.gpu_telemetry.counter import counter_delta
from pytest_aiperf.gpu_telemetry.identity import accelerator_of, accelerator_of_this_machine, profile_name
from pytest_aiperf.gpu_telemetry.nvml import NvmlCollector

PERIOD_S = 0.1
LOAD = """
import time, torch
a, b = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
torch.cuda.synchronize()
print("ready", flush=True)
end = time.monotonic() + 120
while time.monotonic() < end:
    for _ in range(20):
        a @ b
    torch.cuda.synchronize()
"""
SMI = ["nvidia-smi", "--query-gpu=power.draw", "--format=csv,noheader,nounits", "-i", "0", "-lms", "500"]


def main(arguments: list[str]) -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=15.0, help="of each phase")
    options.add_argument(
        "--load", default=LOAD, help="program of the loaded phase; prints a line when it runs"
    )
    options.add_argument("--save", type=Path, help="where the card's raw answers go")
    given = options.parse_args(arguments)

    before = time.perf_counter()
    accelerator = accelerator_of_this_machine()
    print(f"asked in its own process: {accelerator} in {time.perf_counter() - before:.3f} s")
    for listed in (None, "0", "", "bad"):
        visibility(listed)

    pynvml.nvmlInit()
    recorder = Recorder(pynvml.nvmlLib)
    pynvml.nvmlLib = recorder
    pynvml._nvmlGetFunctionPointer_cache.clear()
    collector = NvmlCollector()
    (identity, *others) = collector.inventory()
    print(
        f"\n{identity}\nfurther GPUs: {len(others)}; profile {profile_name(accelerator_of([identity, *others]))}"
    )
    try:
        idle = phase("idle", collector, given.seconds)
        answers = {"idle": dict(recorder.answers)}
        with subprocess.Popen([sys.executable, "-c", given.load], stdout=subprocess.PIPE, text=True) as load:
            try:
                ready = load.stdout.readline()
                time.sleep(2.0 if ready else 0.0)  # clocks and the one-second average of the power settle
                loaded = phase(
                    f"loaded ({'running' if ready else 'DID NOT START'})", collector, given.seconds
                )
                answers["loaded"] = dict(recorder.answers)
            finally:
                load.kill()
        seen = [process.pid for sample in loaded for process in sample.processes or ()]
        print(
            f"\nload process seen under its own number: {load.pid in seen}; numbers seen: {sorted(set(seen))}"
        )
        samples = [dataclasses.asdict(sample) for sample in idle + loaded]
        own = [
            name for name in samples[0] if not name.endswith("_per_s")
        ]  # rates are for who has no counters
        print(f"never told: {[name for name in own if all(s[name] is None for s in samples)]}")
        print(f"notes: {list(collector.notes)}")
    finally:
        collector.close()
    print(f"\n{'cost of a call':52s} {'n':>5s} {'median ms':>10s} {'max ms':>8s}")
    for name, seconds in sorted(recorder.seconds.items()):
        print(
            f"{name:52s} {len(seconds):5d} {statistics.median(seconds) * 1e3:10.4f} {max(seconds) * 1e3:8.3f}"
        )
    if given.save is not None:
        save(given.save, identity, answers)


def visibility(listed: str | None) -> None:
    collector = NvmlCollector({} if listed is None else {"CUDA_VISIBLE_DEVICES": listed})
    print(f"CUDA_VISIBLE_DEVICES={listed!r}: {len(collector.inventory())} GPU, notes {list(collector.notes)}")
    collector.close()


def phase(title: str, collector: NvmlCollector, seconds: float) -> list:
    """Sample the first GPU at 10 Hz beside nvidia-smi, and print what came."""
    try:
        smi = subprocess.Popen(SMI, stdout=subprocess.PIPE, text=True)
    except FileNotFoundError:
        smi = None
    samples, costs = [], []
    cpu, start = time.process_time(), time.monotonic()
    while (due := start + len(samples) * PERIOD_S) < start + seconds:
        time.sleep(max(0.0, due - time.monotonic()))
        before = time.perf_counter()
        samples.append(collector.sample()[0])
        costs.append(time.perf_counter() - before)
    cpu, wall = time.process_time() - cpu, time.monotonic() - start
    smi_powers = []
    if smi is not None:
        smi.kill()
        smi_powers = [float(line) for line in smi.communicate(timeout=10)[0].split() if is_number(line)]
    print(f"\n{title}: {len(samples)} samples in {wall:.1f} s")
    print(f"  power W          {spread([s.power_w for s in samples])}; nvidia-smi {spread(smi_powers)}")
    print(f"  energy J         counter {joules(samples)}, integral of the power {integral(samples)}")
    for name in (
        "utilisation_pct",
        "memory_utilisation_pct",
        "sm_clock_mhz",
        "memory_clock_mhz",
        "temperature_c",
    ):
        print(f"  {name:24s} {spread([getattr(s, name) for s in samples])}")
    print(f"  memory used GB   {spread([(s.memory_used_bytes or 0) / 1e9 for s in samples])}")
    print(f"  PCIe bytes       tx {delta(samples, 'pcie_tx_bytes')}, rx {delta(samples, 'pcie_rx_bytes')}")
    print(
        f"  throttle reasons {dict(Counter(reason for s in samples for reason in s.throttle_reasons or ()))}"
    )
    print(f"  XID              {[number for s in samples for number in s.xid_errors or ()]}")
    print(f"  sample cost ms   {spread([cost * 1e3 for cost in costs])}; CPU {cpu / wall:.2%} of a core")
    return samples


def is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdigit()


def spread(values: list) -> str:
    told = [value for value in values if value is not None]
    return f"mean {statistics.fmean(told):.2f} [{min(told):.2f} .. {max(told):.2f}]" if told else "not told"


def delta(samples: list, name: str) -> int | None:
    return counter_delta(getattr(sample, name) for sample in samples)


def joules(samples: list) -> float | None:
    counted = delta(samples, "energy_mj")
    return None if counted is None else counted / 1000


def integral(samples: list) -> float | None:
    """Trapezoids under the power samples, in joules."""
    told = [(sample.stamp_ns / 1e9, sample.power_w) for sample in samples if sample.power_w is not None]
    pairs = list(itertools.pairwise(told))
    return round(sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in pairs), 1) if pairs else None


def save(path: Path, identity: object, answers: dict) -> None:
    for phase_answers in answers.values():
        for key, told in phase_answers.items():
            if "RunningProcesses" in key and isinstance(told, list):
                phase_answers[key] = [entry | {"pid": 1000 + at} for at, entry in enumerate(told)]
    source = f"real card, driver {identity.driver}, CUDA {identity.cuda}"
    path.write_text(json.dumps({"source": source, **answers}, indent=2, sort_keys=True) + "\n")
    print(f"\nsaved to {path}")


if __name__ == "__main__":
    main(sys.argv[1:])
