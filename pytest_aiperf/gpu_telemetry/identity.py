"""Which accelerator this machine has: what a baseline belongs to, and the name of its folder.

The driver is asked in a process of its own. It can hang (a card that fell off the bus), crash, or take
seconds to wake a card without persistence mode; the process has a deadline, and a driver library is never
loaded into pytest for longer than it takes to see that there is one. Where there is none the answer takes a
millisecond or two.
"""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pytest_aiperf.gpu_telemetry import nvml_library

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_aiperf.gpu_telemetry.collector import GpuIdentity

_LOG = logging.getLogger(__name__)
_DEADLINE_S: Final = 10.0
_DROPPED: Final = re.compile(r"nvidia|tesla|geforce|amd|instinct|generation|edition|\d+gb|hbm\w*|sxm\d*")
"""Words of a part's name that do not tell it from another part, or that the baseline's key tells anyway."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerator:
    """The visible GPUs of a machine taken together."""

    name: str
    """Part name as the driver gives it; several parts in one machine are joined by ``" + "``."""
    count: int
    """GPUs, or slices of a divided GPU."""
    memory_bytes: int | None
    """Of one GPU; of the smallest where they differ."""
    power_limit_w: float | None
    """Of one card; the lowest where they differ: the slowest sets the pace. None if any is unknown."""
    mig: str | None
    """What the slices are, ``1g.10gb``; None for undivided GPUs."""
    driver: str | None
    cuda: str | None


def accelerator_of(gpus: Sequence[GpuIdentity]) -> Accelerator | None:
    """Sum up an inventory; None if it is empty."""
    if not gpus:
        return None
    return Accelerator(
        name=" + ".join(sorted({gpu.name for gpu in gpus})),
        count=len(gpus),
        memory_bytes=_least([gpu.memory_bytes for gpu in gpus]),
        power_limit_w=_least([gpu.power_limit_w for gpu in gpus]),
        mig=" + ".join(sorted({gpu.mig_slice for gpu in gpus if gpu.mig_slice is not None})) or None,
        driver=gpus[0].driver,
        cuda=gpus[0].cuda,
    )


def profile_name(accelerator: Accelerator | None) -> str:
    """Return the folder of this accelerator's baselines: ``h100x8``, ``h100-pcie-x1``, ``rtx-4090-x2``.

    A name of several words has a dash before the count. Memory size and form factor ``SXM`` are left out: the
    baseline's key holds the full name. Without an accelerator it is ``default``.
    """
    if accelerator is None:
        return "default"
    words = [_short(name) for name in accelerator.name.split(" + ")]
    part = "-".join([*words, *(["mig", _slug(accelerator.mig)] if accelerator.mig else [])])
    return f"{part}-x{accelerator.count}" if "-" in part else f"{part}x{accelerator.count}"


def accelerator_of_this_machine(deadline_s: float = _DEADLINE_S) -> Accelerator | None:
    """Ask the driver, honouring ``CUDA_VISIBLE_DEVICES``. None without a GPU.

    None too when the driver does not answer; a warning says so, for it moves the baselines to another profile.
    """
    if not nvml_library.library_is_here():
        return None
    return ask([sys.executable, "-m", "pytest_aiperf.gpu_telemetry.identity", str(deadline_s)], deadline_s)


def ask(command: Sequence[str], deadline_s: float) -> Accelerator | None:
    """Run a command that prints what `main` prints, and read it; None, with a warning, if it cannot be read."""
    home = str(Path(__file__).parents[2])
    path = os.pathsep.join([home, *filter(None, [os.environ.get("PYTHONPATH")])])
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
    )
    try:
        out, err = process.communicate(timeout=deadline_s)
    except subprocess.TimeoutExpired:
        process.kill()
        # A process inside a driver call dies when the driver lets it: reaped aside, never waited for.
        threading.Thread(target=process.communicate, daemon=True).start()
        _LOG.warning("the NVIDIA driver did not answer within %g s: GPUs unknown", deadline_s)
        return None
    try:
        answer = json.loads(out)
    except ValueError:
        last = err.decode(errors="replace").strip().rpartition("\n")[2] or "it said nothing"
        _LOG.warning("asking the NVIDIA driver failed: GPUs unknown: status %s, %s", process.returncode, last)
        return None
    for note in answer["notes"]:
        _LOG.warning("%s", note)
    return None if answer["accelerator"] is None else Accelerator(**answer["accelerator"])


def main() -> None:
    """Print ``{"accelerator": ..., "notes": [...]}``."""
    from pytest_aiperf.gpu_telemetry.nvml import NvmlCollector

    collector = NvmlCollector()
    accelerator = accelerator_of(collector.inventory())
    facts = None if accelerator is None else asdict(accelerator)
    print(json.dumps({"accelerator": facts, "notes": collector.notes}))
    collector.close()


def _least(values: Sequence[Any]) -> Any:
    return None if None in values else min(values)


def _short(name: str) -> str:
    words = re.split(r"[^a-z0-9]+", name.lower())
    return "-".join(word for word in words if word and not _DROPPED.fullmatch(word)) or "gpu"


def _slug(text: str) -> str:
    return "-".join(filter(None, re.split(r"[^a-z0-9]+", text.lower())))


if __name__ == "__main__":
    if hasattr(signal, "setitimer"):  # whoever asked may be gone: SIGALRM's default action is to end
        signal.setitimer(signal.ITIMER_REAL, float(sys.argv[1]))
    main()
