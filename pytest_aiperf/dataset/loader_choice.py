"""Which loader a data file is for, where the user does not say: told by its first row."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_aiperf.dataset.base_loader import BaseDatasetLoader
from pytest_aiperf.dataset.folder import data_files
from pytest_aiperf.dataset.problems import Problems, refusal
from pytest_aiperf.dataset.record_file import first_value
from pytest_aiperf.plugin import plugins
from pytest_aiperf.plugin.enums import PluginType

Loaders = dict[str, type[BaseDatasetLoader]]


def loader_for(path: Path) -> type[BaseDatasetLoader]:
    """Return the one registered loader that a file or folder is for.

    Raises:
        ConfigurationError: none is, or several are; it cannot be read.
    """
    problems = Problems(path)
    value = first_value(_first_file(path), problems)
    first: Mapping[str, Any] | None = value if isinstance(value, dict) else None
    loaders = _loaders()
    named = (first or {}).get("type")
    if isinstance(named, str) and named in loaders:
        return loaders[named]
    fitting = {name: loader for name, loader in loaders.items() if loader.can_load(path, first)}
    if len(fitting) == 1:
        return next(iter(fitting.values()))
    problems.raise_if_any()
    if value is None:
        raise refusal(path, "is empty; should hold requests, each a JSON object on a line of its own")
    raise refusal(path, _undecided(fitting, loaders, value))


def _first_file(path: Path) -> Path:
    return data_files(path)[0] if path.is_dir() and not path.is_symlink() else path


def _loaders() -> Loaders:
    return {
        name: plugins.get_class(PluginType.DATASET_LOADER, name)
        for name in plugins.names(PluginType.DATASET_LOADER)
    }


def _undecided(fitting: Loaders, loaders: Loaders, value: object) -> str:
    what = f"may be of several shapes: {', '.join(fitting)}" if fitting else "has none of the known shapes"
    text = str(value)
    begins = f"its first row is {text[:200]}{'…' * (len(text) > 200)}"
    examples = "\n".join(f"  {name}: {loader.example}" for name, loader in (fitting or loaders).items())
    return (
        f"{what}; {begins}. Say which it is by custom_dataset_type; first rows look like these:\n{examples}"
    )
