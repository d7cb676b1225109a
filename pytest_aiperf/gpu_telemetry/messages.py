"""PYTEST_DONT_REWRITE. What the telemetry service and its parent say to each other."""

from __future__ import annotations

import enum
from typing import Any, Self

from pydantic import Field

from pytest_aiperf.common.messages import Message, MessageTypeT
from pytest_aiperf.gpu_telemetry.collector import GpuSample
from pytest_aiperf.gpu_telemetry.sample_columns import SampleColumns, columns_of


class GpuMessageType(enum.StrEnum):
    """The messages of GPU telemetry."""

    INVENTORY = "gpu_inventory"
    SAMPLES = "gpu_samples"
    NOTE = "gpu_note"
    NOW = "gpu_now"


class GpuInventoryMessage(Message):
    """Which GPUs are read, all of them. It comes again when there are more."""

    message_type: MessageTypeT = GpuMessageType.INVENTORY
    collector: str = Field(description="Name of the collector.")
    gpus: list[dict[str, Any]] = Field(
        description="Fields of each `GpuIdentity`, in the order of their index."
    )


class GpuSamplesMessage(Message):
    """Readings. The columns are the buffers."""

    message_type: MessageTypeT = GpuMessageType.SAMPLES
    reasons: list[str] = Field(description="Names of the bits in the column of throttle reasons.")
    xids: list[tuple[int, list[int] | None]] = Field(description="Row, and the errors that it told.")
    processes: list[tuple[int, list[tuple[int, int | None]] | None]] = Field(
        description="Row, and who is on that row's GPU from there on: process number and bytes."
    )
    answers: int | None = Field(
        default=None, description="Number of the `gpu_now` that this answers: nothing older is still to come."
    )

    @classmethod
    def of(cls, samples: list[GpuSample], *, answers: int | None = None) -> Self:
        """Make the message of these samples."""
        columns = columns_of(samples)
        return cls(
            reasons=list(columns.reasons),
            xids=[(row, None if told is None else list(told)) for row, told in columns.xids.items()],
            processes=[(row, None if on is None else list(on)) for row, on in columns.processes.items()],
            answers=answers,
            buffers=list(columns.buffers),
        )

    def columns(self) -> SampleColumns:
        """Return what the message holds."""
        return SampleColumns(
            buffers=self.buffers, reasons=self.reasons, xids=dict(self.xids), processes=dict(self.processes)
        )


class GpuNoteMessage(Message):
    """Something that went wrong, once."""

    message_type: MessageTypeT = GpuMessageType.NOTE
    text: str = Field(description="A sentence.")


class GpuNowMessage(Message):
    """Read at once, with everything, and send what there is."""

    message_type: MessageTypeT = GpuMessageType.NOW
    number: int = Field(ge=0, description="Comes back with the answer.")
