"""A page of DCGM's exporter, as figures of GPUs. Pure: text in, figures out.

Only the lines that the table names are parsed. That is what keeps a page of many megabytes cheap, and what tells
whether the figures are new: an exporter's page has counters of its own too, and these change with every request.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from pytest_aiperf.gpu_telemetry.collector import SHARED_BY_SLICES
from pytest_aiperf.gpu_telemetry.dcgm_fields import DCGM_FIELDS, OF_THE_CARD

_PREFIX: Final = b"DCGM_FI_"


class PageError(ValueError):
    """The text is no page of figures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Which GPU of which machine: what tells the rows of a page apart. It goes no further than its collector."""

    host: str
    uuid: str
    number: str
    slice_id: str | None
    """Number of the slice on its card; None for a whole card."""

    def card(self) -> Place:
        """Return the card that this is a slice of."""
        return Place(host=self.host, uuid=self.uuid, number=self.number, slice_id=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What a page tells of one GPU."""

    labels: Mapping[str, str]
    figures: dict[str, float] = field(default_factory=dict)
    """By the names of `DcgmField.field`, in the units of the sample."""


def known_lines(page: bytes) -> bytes:
    """Return the lines that can hold figures we know, without comments."""
    return b"\n".join(line for line in page.splitlines() if line.startswith(_PREFIX) and _is_known(line))


def rows_of(lines: bytes) -> dict[Place, Row]:
    """Return what the lines tell of each GPU. A divided card stands for its slices.

    Raises:
        PageError: a line is none of Prometheus' text format.
    """
    rows: dict[Place, Row] = {}
    try:
        for family in text_string_to_metric_families(lines.decode("utf-8") + "\n"):
            for name, labels, value, *_ in family.samples:
                _take(rows, name.removesuffix("_total"), labels, value)
    except (ValueError, IndexError, KeyError) as error:  # the last two: its parser's own, on what is cut off
        raise PageError(str(error) or type(error).__name__) from error
    return _slices_for_cards(rows)


def _is_known(line: bytes) -> bool:
    name = line.partition(b"{")[0].partition(b" ")[0]
    return name.decode("ascii", "replace").removesuffix("_total") in DCGM_FIELDS


def _take(rows: dict[Place, Row], name: str, labels: Mapping[str, str], value: float) -> None:
    told = DCGM_FIELDS.get(name)
    if (
        told is None
        or "gpu" not in labels
        or not math.isfinite(value)
        or not told.least <= value < told.below
    ):
        return
    place = Place(
        host=labels.get("Hostname") or labels.get("hostname") or "",
        uuid=labels.get("UUID") or labels.get("uuid") or "",
        number=labels["gpu"],
        slice_id=labels.get("GPU_I_ID"),
    )
    rows.setdefault(place, Row(labels=labels)).figures[told.field] = value * told.factor


def _order(item: tuple[Place, Row]) -> tuple[str | int, ...]:
    place, part = item[0], item[0].slice_id or ""
    return place.host, len(place.number), place.number, len(part), part, place.uuid


def _slices_for_cards(rows: Mapping[Place, Row]) -> dict[Place, Row]:
    divided = {place.card() for place in rows if place.slice_id is not None}
    found = {}
    for place, row in sorted(rows.items(), key=_order):
        if place.slice_id is not None:
            card = rows.get(place.card())
            shared = {} if card is None else {k: v for k, v in card.figures.items() if k in OF_THE_CARD}
            own = {k: v for k, v in row.figures.items() if k not in SHARED_BY_SLICES}
            found[place] = Row(labels=row.labels, figures={**shared, **own})
        elif place not in divided:
            found[place] = row
    return found
