"""The collector that asks DCGM's Prometheus exporters, on this machine or on others (``http://host:9400/metrics``).

DCGM reads the cards at a pace of its own (the exporter's default is every 30 s) and the page repeats the figures in
between. A page without news gives no sample, so that samples are readings and not repetitions: whoever lays a window
over them sees how far apart they really are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from pytest_aiperf.common.cut_text import cut_text
from pytest_aiperf.common.printable import printable
from pytest_aiperf.gpu_telemetry.collector import GpuIdentity, GpuSample
from pytest_aiperf.gpu_telemetry.dcgm_page import PageError, Place, Row, known_lines, rows_of
from pytest_aiperf.gpu_telemetry.dcgm_source import DEADLINE_S, DcgmSource, SourceError
from pytest_aiperf.gpu_telemetry.throttling import reasons
from pytest_aiperf.gpu_telemetry.uuid_hash import uuid_hash

if TYPE_CHECKING:
    import aiohttp

MOST_GPUS: Final = 512
"""Read from all exporters together; a page that names more is not believed."""
_INTEGERS: Final = frozenset(
    {"energy_mj", "memory_used_bytes", "sm_clock_mhz", "memory_clock_mhz", "temperature_c"}
    | {"pcie_tx_bytes", "pcie_rx_bytes", "ecc_corrected", "ecc_uncorrected"}
)
_FLOATS: Final = frozenset(
    {"power_w", "utilisation_pct", "memory_utilisation_pct", "pcie_tx_bytes_per_s", "pcie_rx_bytes_per_s"}
)
_TEXT_LIMIT: Final = 120


class DcgmCollector:
    """Reads every GPU that the exporters tell of. A `GpuCollector`. ``CUDA_VISIBLE_DEVICES`` has no say here."""

    is_local: ClassVar[bool] = False
    interval_s: ClassVar[float] = 1.0

    def __init__(self, urls: Sequence[str], *, deadline_s: float = DEADLINE_S) -> None:
        self._sources = [DcgmSource(url, deadline_s=deadline_s) for url in dict.fromkeys(urls)]
        self._notes: dict[str, None] = {}
        self._identities: dict[Place, GpuIdentity] = {}
        self._pages: dict[str, bytes] = {}
        self._last_xid: dict[Place, int] = {}
        self._runner: asyncio.Runner | None = None
        self._session: aiohttp.ClientSession | None = None
        self._closed = False
        if not self._sources:
            self._note("dcgm: no exporter is named: give its URL, http://host:9400/metrics")

    @classmethod
    def for_sources(cls, sources: Sequence[str]) -> Self:
        """Make one that asks these URLs."""
        return cls(sources)

    @classmethod
    def validate_environment(cls) -> None:
        """Nothing is needed on this machine."""

    @property
    def notes(self) -> Sequence[str]:
        """What went wrong so far, each once."""
        return tuple(self._notes)

    def inventory(self) -> Sequence[GpuIdentity]:
        """Return the GPUs that were told of so far."""
        return tuple(self._identities.values())

    def sample(self, *, everything: bool = False) -> Sequence[GpuSample]:
        """Ask every exporter, all at once, and return the readings that are new. It blocks for the deadline at most."""
        if self._closed:
            return ()
        if self._runner is None:
            self._runner = asyncio.Runner()
        found: list[GpuSample] = []
        for source, answer in zip(self._sources, self._runner.run(self._pages_now()), strict=True):
            if isinstance(answer, SourceError):
                self._note(f"{source.url}: {answer}; GPU figures from there are missing")
            elif answer is not None:
                found += self._samples(source, *answer)
        return found

    def close(self) -> None:
        """Close the connections; afterwards `sample` returns nothing."""
        self._closed = True
        runner, self._runner = self._runner, None
        if runner is not None:
            if self._session is not None:
                runner.run(self._session.close())
            runner.close()

    async def _pages_now(self) -> Sequence[tuple[int, bytes] | SourceError | None]:
        if self._session is None:
            self._session = _session()
        return await asyncio.gather(*(_answer(source, self._session) for source in self._sources))

    def _samples(self, source: DcgmSource, stamp_ns: int, page: bytes) -> list[GpuSample]:
        lines = known_lines(page)
        if lines and lines == self._pages.get(source.url):
            return []
        try:
            rows = rows_of(lines)
        except PageError as error:
            source.rest()
            self._note(
                f"{source.url}: not Prometheus' text format: {_shown(str(error))}; it tells nothing of GPUs"
            )
            return []
        if not rows:
            source.rest()
            start = _shown(page[:60].decode("utf-8", "replace")) if page else "nothing"
            self._note(f"{source.url}: no figure of DCGM that is known here; the page begins with {start!r}")
            return []
        source.praise()
        self._pages[source.url] = lines
        return [
            sample for place, row in rows.items() if (sample := self._sample(source, stamp_ns, place, row))
        ]

    def _sample(self, source: DcgmSource, stamp_ns: int, place: Place, row: Row) -> GpuSample | None:
        if place not in self._identities:
            if len(self._identities) >= MOST_GPUS:
                self._note(f"{source.url}: it names more than {MOST_GPUS} GPUs; the others are left out")
                return None
            self._identities[place] = _identity(len(self._identities), place, row)
        told = row.figures
        mask = told.get("reasons_mask")
        return GpuSample(
            index=self._identities[place].index,
            stamp_ns=stamp_ns,
            throttle_reasons=None if mask is None else reasons(int(mask)),
            xid_errors=self._new_xid(place, told.get("last_xid")),
            **_plain(told),
        )

    def _new_xid(self, place: Place, last: float | None) -> tuple[int, ...] | None:
        """DCGM keeps showing the last error: it is news when it is another one. The first page's may be years old."""
        if last is None:
            return None
        number = int(last)
        before = self._last_xid.get(place, number)
        self._last_xid[place] = number
        return (number,) if number not in (0, before) else ()

    def _note(self, text: str) -> None:
        self._notes.setdefault(text)


def _session() -> aiohttp.ClientSession:
    import aiohttp

    # Not compressed: an answer of some kilobytes could become gigabytes.
    return aiohttp.ClientSession(headers={"Accept-Encoding": "identity"}, auto_decompress=False)


async def _answer(
    source: DcgmSource, session: aiohttp.ClientSession
) -> tuple[int, bytes] | SourceError | None:
    try:
        return await source.page(session)
    except SourceError as error:
        return error


def _identity(index: int, place: Place, row: Row) -> GpuIdentity:
    labels, told = row.labels, row.figures
    parts = [told.get(f"memory_{part}_bytes") for part in ("used", "free")]
    summed = None if None in parts else sum(filter(None, parts)) + told.get("memory_reserved_bytes", 0)
    memory = told.get("memory_bytes", summed)
    cuda = labels.get("DCGM_FI_CUDA_DRIVER_VERSION", "")
    return GpuIdentity(
        index=index,
        card=int(place.number) if place.number.isdecimal() and len(place.number) < 6 else index,
        name=_shown(labels.get("modelName") or "") or "NVIDIA GPU without a name",
        uuid_hash=uuid_hash(place.uuid),
        memory_bytes=None if memory is None else int(memory),
        power_limit_w=told.get("power_limit_w", told.get("asked_power_limit_w")),
        driver=_shown(labels.get("DCGM_FI_DRIVER_VERSION") or "") or None,
        cuda=f"{int(cuda) // 1000}.{int(cuda) % 1000 // 10}" if cuda.isdecimal() and len(cuda) < 8 else None,
        mig_mode=None if place.slice_id is None else True,
        mig_slice=None if place.slice_id is None else _shown(labels.get("GPU_I_PROFILE") or "") or "unnamed",
    )


def _plain(told: Mapping[str, float]) -> dict[str, Any]:
    whole = {name: int(value) for name, value in told.items() if name in _INTEGERS}
    return {**whole, **{name: value for name, value in told.items() if name in _FLOATS}}


def _shown(text: str) -> str:
    return printable(cut_text(text.strip(), _TEXT_LIMIT))
