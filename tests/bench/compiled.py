"""Python as users have it: what was compiled once is kept."""

from __future__ import annotations

import os
from pathlib import Path


def environment(folder: Path) -> dict[str, str]:
    """Return an environment in which .pyc files are written, below `folder`, even where the caller's says not to.

    Without them pytest compiles every module of every plugin anew at each start.
    """
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPYCACHEPREFIX": str(folder / "compiled")}
