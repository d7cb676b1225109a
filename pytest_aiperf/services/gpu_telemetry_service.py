"""PYTEST_DONT_REWRITE. Reads the GPUs while the load runs, in a process of its own, and sends what it reads.

It is never the reason for which there is no measurement: it is ready before the driver is asked, answers `gpu_now`
whether the driver answers or not, and whatever fails is a note.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from pytest_aiperf.common.hooks import background_task, on_init, on_message, on_start, on_stop
from pytest_aiperf.gpu_telemetry.gpu_log import NOW_S
from pytest_aiperf.gpu_telemetry.messages import (
    GpuInventoryMessage,
    GpuMessageType,
    GpuNoteMessage,
    GpuNowMessage,
    GpuSamplesMessage,
)
from pytest_aiperf.gpu_telemetry.sampler import Sampler
from pytest_aiperf.plugin import plugins
from pytest_aiperf.plugin.enums import PluginType
from pytest_aiperf.services.component_service import BaseComponentService

if TYPE_CHECKING:
    from pytest_aiperf.gpu_telemetry.collector import GpuCollector, GpuIdentity
    from pytest_aiperf.services.channel import Channel

SEND_S: Final = 0.25
ANSWER_S: Final = NOW_S / 2
"""For a reading that was asked for; afterwards the answer is what there is."""
HANGS_S: Final = 10.0
"""A reading that takes so long is one of a driver that hangs."""
_END_S: Final = 0.5


class GpuTelemetryService(BaseComponentService):
    """Runs one collector. Its configuration: ``collector``, a name or ``"module:Class"``; ``sources``, URLs of
    exporters; ``interval_s``, or None for the collector's own pace.
    """

    def __init__(self, channel: Channel, config: Mapping[str, Any]) -> None:
        super().__init__(channel, config)
        self._gpus: int = 0
        self._told: set[str] = set()

    @on_init
    async def _make(self) -> None:
        made: type[GpuCollector] = plugins.get_class(
            PluginType.GPU_TELEMETRY_COLLECTOR, self.config["collector"]
        )
        self._sampler = Sampler(
            made.for_sources(self.config.get("sources") or ()),
            interval_s=self.config.get("interval_s") or made.interval_s,
        )

    @on_start
    async def _begin(self) -> None:
        self._sampler.start()

    @background_task(interval_s=SEND_S)
    async def _send_readings(self) -> None:
        await self._send_all()
        if self._sampler.failure is not None:
            self.fail(self._sampler.failure)

    @on_message(GpuMessageType.NOW)
    async def _send_now(self, message: GpuNowMessage) -> None:
        loop = asyncio.get_running_loop()
        done = asyncio.Event()

        def wake() -> None:
            loop.call_soon_threadsafe(done.set)

        if self._sampler.busy_s() < ANSWER_S:  # else its driver hangs already, and nobody waits for it again
            self._sampler.now(wake)
            try:
                await asyncio.wait_for(done.wait(), ANSWER_S)
            except TimeoutError:
                pass  # what there is already is the answer
        await self._send_all(answers=message.number)

    @on_stop
    async def _stop_reading(self) -> None:
        self._sampler.stop(_END_S)

    async def _send_all(self, *, answers: int | None = None) -> None:
        gpus, samples = self._sampler.take()
        if len(gpus) != self._gpus:
            self._gpus = len(gpus)
            await self.publish(_inventory(self.config["collector"], gpus))
        for note in self._sampler.notes():
            await self._note(note)
        if self._sampler.busy_s() > HANGS_S:
            await self._note(
                f"{self.config['collector']}: no answer for {HANGS_S:g} s; GPU figures are missing"
            )
        if samples or answers is not None:
            await self.publish(GpuSamplesMessage.of(samples, answers=answers))

    async def _note(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            await self.publish(GpuNoteMessage(text=text))


def _inventory(collector: str, gpus: Sequence[GpuIdentity]) -> GpuInventoryMessage:
    return GpuInventoryMessage(collector=collector, gpus=[asdict(gpu) for gpu in gpus])
