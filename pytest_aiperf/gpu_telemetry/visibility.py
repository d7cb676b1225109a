"""Which GPUs a CUDA program sees: the rules of ``CUDA_VISIBLE_DEVICES``, without CUDA.

Section "CUDA Environment Variables" of NVIDIA's CUDA programming guide: the variable lists indices or
UUIDs, a UUID may be cut short as long as it is unique, an entry that names nothing hides itself and all
that follow it, and an empty list hides everything. Indices count as ``nvidia-smi`` counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """A MIG slice of a card."""

    uuid: str | None
    gpu_instance: int | None
    compute_instance: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A card as far as its name goes; `slices` is None for one that is not divided."""

    uuid: str | None
    slices: Sequence[Slice] | None = None


Place = tuple[int, int | None]
"""A card's place in the list, and the place of a slice in that card or None for the card as a whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visible:
    """What is seen, in the order in which it was named, and what the user should know about it."""

    places: Sequence[Place]
    note: str | None = None


def visible(cards: Sequence[Card], listed: str | None) -> Visible:
    """Apply a value of ``CUDA_VISIBLE_DEVICES`` (None when it is not set) to the cards of this machine.

    A card that is divided stands for its slices, all of them: CUDA itself would use only one of these unless
    a slice is named, but which of them that is cannot be learned from outside.
    """
    if listed is None:
        return Visible(places=[place for at in range(len(cards)) for place in _whole(cards, at)])
    seen: list[Place] = []
    for entry in (part.strip() for part in listed.split(",")):
        places = _named(cards, entry)
        if places is None:
            return Visible(places=seen, note=_hidden(entry, listed, len(seen)))
        seen += [place for place in places if place not in seen]
    return Visible(places=seen)


def _named(cards: Sequence[Card], entry: str) -> Sequence[Place] | None:
    if entry.isdecimal():
        return _whole(cards, int(entry)) if int(entry) < len(cards) else None
    if entry.startswith("GPU-"):
        named = [at for at, card in enumerate(cards) if (card.uuid or "").startswith(entry)]
        return _whole(cards, named[0]) if len(named) == 1 else None
    if entry.startswith("MIG-"):
        places = [p for p, names in _slice_names(cards) if any(name.startswith(entry) for name in names)]
        return places if len(places) == 1 else None
    return None


def _whole(cards: Sequence[Card], at: int) -> list[Place]:
    slices = cards[at].slices
    return [(at, None)] if slices is None else [(at, part) for part in range(len(slices))]


def _slice_names(cards: Sequence[Card]) -> list[tuple[Place, Sequence[str]]]:
    """Both spellings of every slice: its own UUID, and ``MIG-<card>/<gpu instance>/<compute instance>``."""
    return [
        ((at, part), [piece.uuid or "", f"MIG-{card.uuid}/{piece.gpu_instance}/{piece.compute_instance}"])
        for at, card in enumerate(cards)
        for part, piece in enumerate(card.slices or ())
    ]


def _hidden(entry: str, listed: str, seen: int) -> str | None:
    if entry in ("", "-1") or entry.lower() == "nodevfiles":
        return "CUDA_VISIBLE_DEVICES hides every GPU" if not seen else None
    return (
        f"CUDA_VISIBLE_DEVICES={listed!r}: {entry!r} is no GPU of this machine, or more than one;"
        f" CUDA hides it and all that follow it, which leaves {seen}"
    )
