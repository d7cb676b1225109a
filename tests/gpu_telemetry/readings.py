"""Made-up readings at a steady pace."""

from __future__ import annotations

from pytest_aiperf.gpu_telemetry.collector import GpuIdentity, GpuSample

S = 1_000_000_000
START = 1_700_000_000 * S


def gpu(index=0, **facts):
    return GpuIdentity(**{"index": index, "card": index, "name": "NVIDIA L4", "uuid_hash": "ab", **facts})


def steady(start_s, end_s, *, every_s=0.1, index=0, **fields):
    """Readings from one second to another; a field is a value, or a function of the second."""
    count = round((end_s - start_s) / every_s) + 1
    return [
        GpuSample(
            index=index,
            stamp_ns=START + round(at_s * S),
            **{name: made(at_s) if callable(made) else made for name, made in fields.items()},
        )
        for at_s in (start_s + every_s * number for number in range(count))
    ]
