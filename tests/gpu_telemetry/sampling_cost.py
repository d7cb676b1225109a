"""What the telemetry service costs: ``python tests/gpu_telemetry/sampling_cost.py``, from the repository's root.

Runs the service as a measurement does, at its own pace, on the fake driver and on a fake exporter, and prints the share
of a core that its process takes once it runs. The fake driver answers at once: a real one adds its own calls, of which
`real_card.py` prints the cost. Linux, and a C compiler.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import time
from pathlib import Path

from dcgm_pages import BUSY, exporter, labels, page, plain

from pytest_aiperf.gpu_telemetry.gpu_log import SERVICE, GpuLog
from pytest_aiperf.services.controller import SystemController

HERE = Path(__file__).parent
WARM_S = 2.0


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=15.0, help="of each line")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "libnvidia-ml.so.1"
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, HERE / "fake_driver.c"], check=True)
        os.environ["LD_LIBRARY_PATH"] = folder
        os.environ.pop("CUDA_VISIBLE_DEVICES", None)
        print(f"{'collector':34s} {'readings/s':>10s} {'of a core':>10s}")
        for cards in (1, 4, 8):
            os.environ["FAKE_DRIVER_CARDS"] = str(cards)
            show(f"nvml, {cards} cards", folder, given.seconds, collector="nvml")
        for cards in (1, 8):
            number = iter(range(10**9))
            told = [(labels(at, f"GPU-{at}"), BUSY) for at in range(cards)]

            def answer(handler, told=told, number=number):
                changed = {**BUSY, "DCGM_FI_DEV_POWER_USAGE": next(number)}
                plain(page((told[0][0], changed), *told[1:]))(handler)

            with exporter(answer) as server:
                show(f"dcgm, {cards} cards", folder, given.seconds, collector="dcgm", sources=[server.url])


def show(title: str, folder: str, seconds: float, **config) -> None:
    log = GpuLog()
    with SystemController(log_dir=Path(folder) / "logs") as controller:
        log.listen(controller.subscribe)
        controller.start(SERVICE, config)
        controller.wait_ready()
        pid = controller._services[SERVICE].process.pid
        time.sleep(WARM_S)
        start_ns, cpu_s = time.time_ns(), cpu_seconds(pid)
        time.sleep(seconds)
        share = (cpu_seconds(pid) - cpu_s) / seconds
        log.bring_up_to_date(controller.publish)
        readings = len([one for one in log.between(start_ns, time.time_ns()) if one.index == 0])
    print(f"{title:34s} {readings / seconds:10.1f} {share:10.2%}")
    for note in log.notes:
        print(f"    {note}")


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
