"""Packages of third parties, as an installer leaves them, without one."""

from __future__ import annotations

import importlib
from pathlib import Path


def install(site: Path, name: str, yaml: str | None, *, point: str | None = None, **modules: str) -> Path:
    """Put a distribution and its package into a folder; the module `m` is the text of the keyword `m`."""
    package = name.replace("-", "_")
    (site / package).mkdir(parents=True)
    (site / package / "__init__.py").write_text("raise RuntimeError('imported')\n" if not modules else "")
    for module, text in modules.items():
        (site / package / f"{module}.py").write_text(text)
    file = site / package / "plugins.yaml"
    if yaml is not None:
        file.write_text(yaml)
    info = site / f"{package}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    value = f"{package}:plugins.yaml" if point is None else point
    (info / "entry_points.txt").write_text(f"[pytest_aiperf.plugins]\n{package} = {value}\n")
    importlib.invalidate_caches()
    return file


def entry(category: str, name: str, path: str, **more: str) -> str:
    """An entry of a `plugins.yaml`."""
    lines = [f"{category}:", f"  {name}:", f"    class: {path}", "    description: of a third party"]
    return "\n".join([*lines, *(f"    {key}: {value}" for key, value in more.items())]) + "\n"
