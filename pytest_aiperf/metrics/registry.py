"""All metrics by tag, and the short names that people type."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from pytest_aiperf.common.errors import ConfigurationError, did_you_mean
from pytest_aiperf.metrics.admission import admitted
from pytest_aiperf.metrics.base_metric import BaseMetric
from pytest_aiperf.plugin import plugins
from pytest_aiperf.plugin.enums import PluginType

ALIASES: Final[Mapping[str, str]] = {
    "ttft": "time_to_first_token",
    "ttst": "time_to_second_token",
    "itl": "inter_token_latency",
    "icl": "inter_chunk_latency",
    "latency": "request_latency",
    "throughput": "request_throughput",
    "token_throughput": "output_token_throughput",
    "osl": "output_sequence_length",
    "isl": "input_sequence_length",
}
_SHORT: Final = {tag: alias for alias, tag in ALIASES.items()}
STATISTICS: Final = ("avg", "p1", "p5", "p10", "p25", "p50", "p75", "p90", "p95", "p99")


def all_metrics() -> Mapping[str, BaseMetric]:
    """Return an instance of every registered metric by tag, in display order; third parties' too."""
    plugins.entries(PluginType.METRIC)  # read: the version is that of what there is
    return _metrics_of(plugins.REGISTRY.version)


@lru_cache(maxsize=1)
def _metrics_of(version: int) -> Mapping[str, BaseMetric]:
    made = (admitted(entry) for entry in plugins.entries(PluginType.METRIC))
    found = [metric for metric in made if metric is not None]
    return {metric.tag: metric for metric in sorted(found, key=lambda m: (m.display_order, m.tag))}


def short_name(tag: str) -> str:
    """Return the short name of a tag: ``ttft`` for time_to_first_token."""
    return _SHORT.get(tag, tag.replace("_", " "))


def parse_judged(text: str) -> tuple[str, str]:
    """Split ``ttft.p95`` or ``request_throughput`` into tag and statistic (``value`` for metrics with one per run).

    Raises:
        ConfigurationError: no such metric or statistic, with the nearest known one, or a metric that baselines do
            not keep.
    """
    from pytest_aiperf.metrics.base_metric import BaseRunMetric

    name, _, statistic = text.partition(".")
    tag = ALIASES.get(name, name)
    known = all_metrics()
    if tag not in known:
        raise ConfigurationError(f"unknown metric {name!r}{did_you_mean(name, [*ALIASES, *known])}")
    if not known[tag].stored:
        kept = ", ".join(short_name(t).replace(" ", "_") for t, metric in known.items() if metric.stored)
        raise ConfigurationError(f"{name} is not kept in baselines, so it cannot be judged; there is: {kept}")
    if isinstance(known[tag], BaseRunMetric):
        if statistic not in ("", "value"):
            raise ConfigurationError(f"{name} has one value per run; write {name!r}, not {text!r}")
        return tag, "value"
    statistic = statistic or "p50"
    if statistic not in STATISTICS:
        raise ConfigurationError(
            f"unknown statistic {statistic!r} in {text!r}{did_you_mean(statistic, STATISTICS)}; "
            f"there is: {', '.join(STATISTICS)}"
        )
    return tag, statistic
