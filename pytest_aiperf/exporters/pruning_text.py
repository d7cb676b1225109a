"""What `--aiperf-prune` did, or why it did nothing, as lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from pytest_aiperf.exporters.text_lines import count, plain

MOST: Final = 20
"""Files that are named one by one."""
_REASONS: Final = 3


def deleted_lines(paths: Sequence[str], *, kept: int) -> Iterator[str]:
    """Yield what was deleted, and how many are kept although no test named them."""
    yield from (plain(f"deleted {path}") for path in paths[:MOST])
    if len(paths) > MOST:
        yield f"deleted {len(paths) - MOST} more"
    rest = f"; {kept} kept that no test named, but some other session may" if kept else ""
    if paths:
        yield f"{count(len(paths), 'baseline')} deleted that no test owns: commit that{rest}"
    else:
        yield f"--aiperf-prune: nothing to delete{rest}"


def refusal_lines(reasons: Sequence[str]) -> Iterator[str]:
    """Yield why nothing was deleted, and what to do."""
    yield from (plain(f"--aiperf-prune deleted nothing: {reason}") for reason in reasons[:_REASONS])
    if len(reasons) > _REASONS:
        yield f"--aiperf-prune deleted nothing: {len(reasons) - _REASONS} more reasons"
    yield (
        "Only when every test of a folder was collected and measured is it known which baselines have none: "
        "run the whole folder without a selection, or look at 'pytest-aiperf baseline prune'"
    )
