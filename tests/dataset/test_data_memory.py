"""Data files that are larger than what is held of them."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from data_writing import load

ROWS = 600
TEXT = "many words " * 4000


def single_turn(path: Path) -> None:
    with path.open("w") as file:
        file.writelines(
            f"{json.dumps({'text': f'{n} {TEXT}', 'session_id': f's{n // 2}'})}\n" for n in range(ROWS)
        )


def sharegpt(path: Path) -> None:
    with path.open("w") as file:
        file.write("[")
        for n in range(ROWS):
            said = [{"from": "human", "value": TEXT}, {"from": "gpt", "value": "yes"}]
            file.write(("," if n else "") + json.dumps({"id": n, "conversations": said}))
        file.write("]")


@pytest.mark.parametrize("write", [single_turn, sharegpt])
def test_memory_does_not_grow_with_the_size_of_the_file(
    write: Callable[[Path], None], tmp_path: Path
) -> None:
    path = tmp_path / "data.json"
    write(path)
    size = path.stat().st_size
    assert size > 25_000_000
    load(path)  # what is imported is not the file's
    tracemalloc.start()
    try:
        conversations = load(path)
        words = sum(len(each.turns[0].text) for each in conversations)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert words > size / 3
    assert peak < size / 5
