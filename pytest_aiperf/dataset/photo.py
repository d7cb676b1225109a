"""PYTEST_DONT_REWRITE. Pixels and samples that look random to a model and that compress as recordings do.

Everything is whole numbers from one random stream: the same on every platform.
"""

from __future__ import annotations

from random import Random
from typing import Final

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]

_CHUNK: Final = 2**26
"""`randbytes` of more than 2**28 bytes overflows; and pieces are no slower."""


def random_bytes(rng: Random, count: int) -> npt.NDArray[np.uint8]:
    """Return ``(count,)`` random bytes."""
    pieces = [rng.randbytes(min(_CHUNK, count - start)) for start in range(0, count, _CHUNK)]
    return np.frombuffer(b"".join(pieces), dtype=np.uint8)


def photo(rng: Random, *, width: int, height: int, cell: int = 32) -> Pixels:
    """Return ``(height, width, 3)``: random colours every `cell` pixels, a smooth change between, and a little noise.

    The noise is three bits of each value. That is what a sensor adds, and what keeps a file from shrinking to nothing.
    """
    rows, columns = height // cell + 2, width // cell + 2
    colours = random_bytes(rng, rows * columns * 3).reshape(rows, columns, 3).astype(np.int32)
    smooth = _stretched(_stretched(colours, height, cell).swapaxes(0, 1), width, cell).swapaxes(0, 1)
    noise = random_bytes(rng, height * width * 3).reshape(height, width, 3) & 7
    return (smooth * 31 // (32 * cell * cell)).astype(np.uint8) + noise


def _stretched(values: npt.NDArray[np.int32], size: int, cell: int) -> npt.NDArray[np.int32]:
    """Interpolate linearly along the first axis, to `size` rows of `cell` times the values."""
    at, beyond = np.divmod(np.arange(size, dtype=np.int32), cell)
    weight = beyond[:, None, None]
    between: npt.NDArray[np.int32] = values[at] * (cell - weight) + values[at + 1] * weight
    return between
