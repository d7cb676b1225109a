"""PYTEST_DONT_REWRITE. The registry of this process: classes by category and name.

Reading it imports nothing that is registered; importing this module reads nothing. The first look-up does: a few
milliseconds, and `yaml`. Load processes are given the registry of the process that starts them.

A category is a `PluginType`, or its value as a text. A name is written in any case, with ``-`` or ``_``.
"""

from __future__ import annotations

from typing import Final

from pytest_aiperf.plugin.entry import Contents
from pytest_aiperf.plugin.registry import Registry


def _read() -> Contents:
    from pytest_aiperf.plugin.contents import read_contents

    return read_contents()


REGISTRY: Final = Registry(_read)

names = REGISTRY.names
entries = REGISTRY.entries
entry = REGISTRY.entry
get_class = REGISTRY.get_class
register = REGISTRY.register
