"""Which cards and MIG slices NVML lists, and which of them a CUDA program of this environment would see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pytest_aiperf.gpu_telemetry.visibility import Card, Slice, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_NOT_FOUND: Final = 6  # NVML_ERROR_NOT_FOUND: an empty place among a card's slices


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A GPU to read: a whole card, or one slice of it."""

    card: int
    """The driver's number of the card."""
    whole: Any
    """NVML's handle of the card."""
    part: Any | None
    """NVML's handle of the slice; None for an undivided card."""


def visible_devices(nvml: Any, listed: str | None, note: Callable[[str], None]) -> Sequence[Device]:
    """Return what the value `listed` of ``CUDA_VISIBLE_DEVICES`` leaves, in CUDA's order.

    `note` takes a sentence for whatever is missing. UUIDs are read here, to compare them, and go no further.
    """
    handles = _handles(nvml, note)
    if handles is None:
        return ()
    if not handles:
        note("the NVIDIA driver is loaded and there is no GPU that it lets us read")
    parts = [_parts(nvml, card, handle, note) for card, handle in handles]
    cards = [
        Card(
            uuid=_uuid(nvml, handle),
            slices=None if own is None else [_slice(nvml, part) for part in own],
        )
        for (_, handle), own in zip(handles, parts, strict=True)
    ]
    seen = visible(cards, listed)
    if seen.note is not None:
        note(seen.note)
    return [
        Device(
            card=handles[at][0],
            whole=handles[at][1],
            part=None if place is None else (parts[at] or ())[place],
        )
        for at, place in seen.places
    ]


def _handles(nvml: Any, note: Callable[[str], None]) -> Sequence[tuple[int, Any]] | None:
    """Number and handle of every card that can be opened; None if the driver cannot even count them."""
    try:
        count = nvml.nvmlDeviceGetCount()
    except nvml.NVMLError as error:
        note(f"the NVIDIA driver cannot list its GPUs: {error}")
        return None
    handles = []
    for card in range(count):
        try:
            handles.append((card, nvml.nvmlDeviceGetHandleByIndex(card)))
        except nvml.NVMLError as error:  # in a container: a card of somebody else
            note(f"GPU {card}: {error}; it is left out")
    return handles


def _parts(nvml: Any, card: int, handle: Any, note: Callable[[str], None]) -> Sequence[Any] | None:
    """The handles of a divided card's slices; None for one that is not divided or cannot be."""
    try:
        if nvml.nvmlDeviceGetMigMode(handle)[0] != nvml.NVML_DEVICE_MIG_ENABLE:
            return None
        places = nvml.nvmlDeviceGetMaxMigDeviceCount(handle)
    except nvml.NVMLError:
        return None
    return list(_occupied(nvml, card, handle, places, note))


def _occupied(nvml: Any, card: int, handle: Any, places: int, note: Callable[[str], None]) -> Iterator[Any]:
    for place in range(places):
        try:
            yield nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, place)
        except nvml.NVMLError as error:
            if error.value != _NOT_FOUND:
                note(f"GPU {card}, slice {place}: {error}; it is left out")


def _slice(nvml: Any, handle: Any) -> Slice:
    try:
        gpu, compute = nvml.nvmlDeviceGetGpuInstanceId(handle), nvml.nvmlDeviceGetComputeInstanceId(handle)
    except nvml.NVMLError:
        gpu = compute = None
    return Slice(uuid=_uuid(nvml, handle), gpu_instance=gpu, compute_instance=compute)


def _uuid(nvml: Any, handle: Any) -> str | None:
    try:
        return str(nvml.nvmlDeviceGetUUID(handle))
    except (nvml.NVMLError, UnicodeDecodeError):
        return None
