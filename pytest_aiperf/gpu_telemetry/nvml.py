"""PYTEST_DONT_REWRITE. The collector of this machine's NVIDIA GPUs, through NVML (``nvidia-ml-py``)."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.gpu_telemetry import nvml_library
from pytest_aiperf.gpu_telemetry.nvml_devices import visible_devices
from pytest_aiperf.gpu_telemetry.nvml_gpu import NvmlGpu
from pytest_aiperf.gpu_telemetry.reading import CardGoneError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_aiperf.gpu_telemetry.collector import GpuIdentity, GpuSample


class NvmlCollector:
    """Reads the GPUs and MIG slices that ``CUDA_VISIBLE_DEVICES`` leaves. A `GpuCollector`.

    NVML is started by the first `inventory` or `sample`, not before.
    """

    is_local: ClassVar[bool] = True
    interval_s: ClassVar[float] = 0.1

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._environ = environ
        self._notes: list[str] = []
        self._nvml: Any = None
        self._gpus: dict[int, NvmlGpu] = {}
        self._identities: Sequence[GpuIdentity] | None = None

    @classmethod
    def for_sources(cls, sources: Sequence[str]) -> Self:
        """Make one; the driver of this machine is its only source."""
        return cls()

    @classmethod
    def validate_environment(cls) -> None:
        """Start NVML once and let go of it.

        Raises:
            ConfigurationError: no pynvml, no driver library, no driver; the message says what to install.
        """
        nvml_library.stop(nvml_library.start())

    @property
    def notes(self) -> Sequence[str]:
        """What went wrong so far, in order."""
        return tuple(self._notes)

    def inventory(self) -> Sequence[GpuIdentity]:
        """Return the visible GPUs in the order in which a CUDA program counts them."""
        if self._identities is None:
            self._identities = self._open()
        return self._identities

    def sample(self, *, everything: bool = False) -> Sequence[GpuSample]:
        """Read every GPU that still answers, once. Cost: a dozen driver calls per GPU, twice that for `everything`."""
        self.inventory()
        samples = []
        for index, gpu in list(self._gpus.items()):
            try:
                samples.append(gpu.sample(time.time_ns(), everything=everything))
            except CardGoneError as error:
                del self._gpus[index]
                self._bury(gpu, error)
        return samples

    def close(self) -> None:
        """Stop listening and shut NVML down; afterwards `sample` returns nothing."""
        for gpu in self._gpus.values():
            gpu.close()
        self._gpus.clear()
        nvml, self._nvml = self._nvml, None
        self._identities = self._identities or ()
        if nvml is not None:
            nvml_library.stop(nvml)

    def _open(self) -> Sequence[GpuIdentity]:
        try:
            self._nvml = nvml_library.start()
        except ConfigurationError as error:
            self._notes.append(str(error))
            return ()
        identities: list[GpuIdentity] = []
        listed = self._environ.get("CUDA_VISIBLE_DEVICES")
        for device in visible_devices(self._nvml, listed, self._notes.append):
            gpu = NvmlGpu(self._nvml, device, index=len(identities), note=self._notes.append)
            try:
                identities.append(gpu.identity())
            except CardGoneError as error:
                self._bury(gpu, error)
            else:
                self._gpus[gpu.index] = gpu
        return tuple(identities)

    def _bury(self, gpu: NvmlGpu, error: CardGoneError) -> None:
        numbers = gpu.last_words()
        gpu.close()
        said = f" (XID {', '.join(map(str, numbers))})" if numbers else ""
        self._notes.append(f"GPU {gpu.card}: {error}{said}; it is not read any more")
