"""The way in to data files: which loader a file is for, and the conversations in it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pytest_aiperf.common.conversation import Conversation
from pytest_aiperf.dataset.base_loader import BaseDatasetLoader, LoaderSettings
from pytest_aiperf.dataset.loader_choice import loader_for
from pytest_aiperf.plugin import plugins
from pytest_aiperf.plugin.enums import PluginType


def open_dataset(settings: LoaderSettings, *, kind: str | None = None) -> Sequence[Conversation]:
    """Check a data file or folder from its beginning to its end, and return its conversations.

    Each is read again when it is indexed, so that a file may be larger than the memory.

    Args:
        settings: the path, and what fills in what rows leave open.
        kind: registered dataset loader; None tells the shape by the first row.

    Raises:
        ConfigurationError: it cannot be read, has no known shape or several, is empty or malformed: all problems at
            once, up to 20. Where it asks for what is not supported, the error is a `NotImplementedError` too, else a
            `ValueError`.
    """
    settings = replace(settings, path=Path(os.path.expanduser(settings.path)))
    loader: type[BaseDatasetLoader] = (
        loader_for(settings.path) if kind is None else plugins.get_class(PluginType.DATASET_LOADER, kind)
    )
    return loader(settings).load()
