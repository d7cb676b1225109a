"""What `plugins.yaml` says of the endpoints and the metrics of this package, as their classes say it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml

import pytest_aiperf
from pytest_aiperf.endpoints.base_endpoint import BaseEndpoint
from pytest_aiperf.metrics.base_metric import BaseMetric

PACKAGE = Path(pytest_aiperf.__file__).parent


def with_sections(text: str) -> str:
    """Return the text of plugins.yaml with both sections anew; what is new comes last."""
    for category, found in (("endpoint", endpoints()), ("metric", metrics())):
        known = list(yaml.safe_load(text)[category])
        order = [*(name for name in known if name in found), *(name for name in found if name not in known)]
        entries = yaml.safe_dump({name: found[name] for name in order}, sort_keys=False, width=1000)
        section = f"{category}:\n" + "".join(f"  {line}\n" for line in entries.splitlines())
        text = re.sub(rf"(?m)^{category}:\n(?: .*\n)*", lambda _, section=section: section, text)
    return text


def endpoints() -> dict[str, Any]:
    """Return the entries of the endpoints that have `facts`, by name."""
    found = {}
    for cls in _classes("endpoints", BaseEndpoint):
        if cls.__dict__.get("facts") is not None:
            told = asdict(cls.facts)
            name, description = told.pop("name"), told.pop("description")
            metadata = {"endpoint_path": cls.path or None} | told
            found[name] = {
                "class": f"{cls.__module__}:{cls.__qualname__}",
                "description": description,
                "metadata": {key: value for key, value in metadata.items() if value is not None},
            }
    return found


def metrics() -> dict[str, Any]:
    """Return the entries of the metrics, by tag."""
    return {
        cls.tag: {"class": f"{cls.__module__}:{cls.__qualname__}", "description": cls.description}
        for cls in _classes("metrics/types", BaseMetric)
        if "tag" in cls.__dict__
    }


def _classes(folder: str, base: type) -> Iterator[Any]:
    """Yield the classes of that base in the modules of a folder, in the order of the files."""
    for path in sorted((PACKAGE / folder).glob("*.py")):
        module = import_module(".".join(["pytest_aiperf", *folder.split("/"), path.stem]))
        for cls in vars(module).values():
            if isinstance(cls, type) and issubclass(cls, base) and cls.__module__ == module.__name__:
                yield cls
