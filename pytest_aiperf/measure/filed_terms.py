"""On what terms files are judged: those of the measurement, unless the user says otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from pydantic import ValidationError

from pytest_aiperf.baseline.schema import BaselineKey
from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.config.aiperf_config import AIPerfConfig, VerdictConfig
from pytest_aiperf.config.coercion import parse_fraction
from pytest_aiperf.config.resolver import plain_message
from pytest_aiperf.config.tolerance import Tolerance, parse_tolerance
from pytest_aiperf.measure.filed import Candidate, title
from pytest_aiperf.measure.judged import ACCURACY, JudgedMetric, judged_metrics
from pytest_aiperf.measure.terms import Terms, terms_of
from pytest_aiperf.metrics.registry import parse_judged

_LOAD: Final = {
    "request_count": "request_count",
    "benchmark_duration": "duration_s",
    "request_rate": "request_rate",
    "user_centric_rate": "user_centric_rate",
    "num_users": "num_users",
    "fixed_schedule": "fixed_schedule",
}
"""What of a load decides which metrics it has, by its names in a key and in the configuration."""
_URL: Final = "http://filed.invalid"
"""A configuration has a URL; nothing is ever sent to this one (RFC 2606)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the user wants otherwise than the measurement had it; None: nothing."""

    tolerance: Mapping[str, Tolerance] = field(default_factory=dict)
    """By judged metric: ``time_to_first_token.p50``."""
    metrics: Sequence[str] | None = None
    strict: bool | None = None
    alpha: float | None = None
    max_mde: float | None = None


def wishes_of(
    *,
    tolerance: Sequence[str] = (),
    metrics: str | None = None,
    strict: bool | None = None,
    alpha: str | None = None,
    max_mde: str | None = None,
) -> Wishes:
    """Read what was typed: ``ttft.p50=5%``, ``ttft.p50,itl.p50``, ``1%``.

    Raises:
        ConfigurationError: an unknown metric, or a value that cannot be; the message names the option.
    """
    names = [_judged_name(*parse_judged(name.strip())) for name in (metrics or "").split(",") if name.strip()]
    return Wishes(
        tolerance=dict(_tolerance(text) for text in tolerance),
        metrics=names or None,
        strict=strict,
        alpha=_share("--alpha", "alpha", alpha),
        max_mde=_share("--max-mde", "max_mde", max_mde),
    )


def terms_for(candidate: Candidate, wishes: Wishes, *, paired: bool) -> Terms:
    """Return the terms of one measurement."""
    terms = replace(candidate.terms, paired=paired)
    if wishes.strict is not None:
        terms = replace(terms, strict=wishes.strict)
    if wishes.max_mde is not None:
        terms = replace(terms, max_mde=wishes.max_mde)
    if wishes.alpha is not None:
        spent = terms_of(VerdictConfig(runs=max(3, terms.looks[-1]), alpha=wishes.alpha))
        terms = replace(terms, looks=spent.looks, alpha_fail=spent.alpha_fail, alpha_pass=spent.alpha_pass)
    return terms


def metrics_for(candidate: Candidate, key: BaselineKey, wishes: Wishes) -> Sequence[JudgedMetric]:
    """Return what is judged of one measurement; a tolerance for what its load does not yield is passed over.

    Raises:
        ConfigurationError: a metric was asked for by `metrics` that this load does not yield.
    """
    own = {metric.name: metric for metric in candidate.judged or ()}
    if wishes.metrics is not None:
        known = {name: metric.tolerance for name, metric in own.items()}
        wanted = _config(key, {**known, **wishes.tolerance}, wishes.metrics)
        return judged_metrics(wanted, graded=_is_graded(candidate))
    usual = judged_metrics(_config(key, wishes.tolerance, None), graded=_is_graded(candidate))
    if candidate.judged is None:
        return usual
    wished = {metric.name: metric for metric in usual if metric.name in wishes.tolerance}
    return list((own | wished).values())


def _is_graded(candidate: Candidate) -> bool:
    tag, _ = ACCURACY
    return any(tag in run.metrics for session in candidate.sessions for run in session.runs)


def _tolerance(text: str) -> tuple[str, Tolerance]:
    metric, equals, value = text.partition("=")
    if not equals:
        raise ConfigurationError(f"--tolerance {text}: write METRIC=TOLERANCE, as in 'ttft.p50=5%'")
    try:
        return _judged_name(*parse_judged(metric.strip())), parse_tolerance(value.strip())
    except (ValueError, ConfigurationError) as error:
        raise ConfigurationError(f"--tolerance {text}: {error}") from None


def _judged_name(tag: str, statistic: str) -> str:
    return tag if statistic == "value" else f"{tag}.{statistic}"


def _share(option: str, name: str, text: str | None) -> float | None:
    if text is None:
        return None
    try:
        found = VerdictConfig.model_validate({name: parse_fraction(text)})
    except ValidationError as error:
        raise ConfigurationError(
            f"{option} {text}: {plain_message(error.errors(include_url=False)[0])}"
        ) from None
    except ValueError as error:
        raise ConfigurationError(f"{option}: {error}") from None
    value: float = getattr(found, name)
    return value


def _config(
    key: BaselineKey, tolerance: Mapping[str, Tolerance], metrics: Sequence[str] | None
) -> AIPerfConfig:
    """Return as much of the measurement's configuration as decides what can be judged."""
    load = key.load
    sections: dict[str, dict[str, Any]] = {
        "endpoint": {"url": _URL, "streaming": load.get("streaming", True)},
        "load": {field: load[name] for name, field in _LOAD.items() if load.get(name) is not None},
        "input": {"osl": load["osl"]} if load.get("osl") is not None else {},
        "verdict": {"tolerance": tolerance, "metrics": metrics, "goodput": load.get("goodput") or {}},
    }
    try:
        return AIPerfConfig.model_validate(sections)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        place = ".".join(map(str, problem["loc"]))
        raise ConfigurationError(
            f"the load of {title(key)} cannot be: {place}: {plain_message(problem)}"
        ) from None
