"""PYTEST_DONT_REWRITE. Options whose value is the name of something registered: checked by name, nothing is imported.

The registry itself is read when such an option is given: most sessions give none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

CATEGORY_OF: Final[Mapping[str, str]] = {
    "endpoint_type": "endpoint",
    "custom_dataset_type": "dataset_loader",
    "dataset_sampling_strategy": "sampler",
}
"""By option."""


def unknown_name(option: str, value: object) -> str | None:
    """Return why an option's value names nothing that is registered; None where it does, and for other options."""
    if option not in CATEGORY_OF or not isinstance(value, str):
        return None
    from pytest_aiperf.common.errors import ConfigurationError
    from pytest_aiperf.plugin.plugins import entry

    try:
        entry(CATEGORY_OF[option], value)
    except ConfigurationError as error:
        return str(error)
    return None
