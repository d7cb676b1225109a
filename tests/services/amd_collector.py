"""A third party's collector of GPU telemetry: what the seam asks of one, and nothing of ours."""

from __future__ import annotations

import time

from pytest_aiperf.gpu_telemetry.collector import GpuIdentity, GpuSample


class AmdCollector:
    is_local = True
    interval_s = 0.02

    def __init__(self):
        self.notes = ["the AMD driver does not tell the energy"]
        self._begun_s = time.monotonic()

    @classmethod
    def for_sources(cls, sources):
        return cls()

    @classmethod
    def validate_environment(cls):
        pass

    def inventory(self):
        return [GpuIdentity(index=0, card=0, name="AMD Instinct MI300X", uuid_hash="ab")]

    def sample(self, *, everything=False):
        return [
            GpuSample(
                index=0, stamp_ns=time.time_ns(), power_w=550.0, throttle_reasons=["ppt_thermal_throttle"]
            )
        ]

    def close(self):
        pass


class BrokenCollector(AmdCollector):
    def sample(self, *, everything=False):
        if time.monotonic() - self._begun_s > 0.2:
            raise ZeroDivisionError("a bug of the third party")
        return super().sample()
