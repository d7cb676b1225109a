"""``METRIC=VALUE``, as flags have it that may be given several times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pytest_aiperf.common.errors import ConfigurationError


def tolerances(texts: Sequence[str]) -> Mapping[str, str]:
    """Return the tolerances by metric.

    Raises:
        ConfigurationError: one is no pair; whether its parts can be is checked where they are used.
    """
    return _pairs("--tolerance", "METRIC=TOLERANCE", "ttft.p50=5%", texts)


def limits(texts: Sequence[str]) -> Mapping[str, float]:
    """Return the absolute limits by metric.

    Raises:
        ConfigurationError: one is no pair, or its second part no number.
    """
    pairs = _pairs("--slo", "METRIC=LIMIT", "ttft.p95=400", texts)
    found = {}
    for name, text in pairs.items():
        try:
            found[name] = float(text)
        except ValueError:
            raise ConfigurationError(
                f"--slo {name}={text}: {text!r} is not a number; write it in the metric's unit, as in ttft.p95=400"
            ) from None
    return found


def _pairs(flag: str, form: str, example: str, texts: Sequence[str]) -> Mapping[str, str]:
    pairs = {text: text.partition("=") for text in texts}
    for text, (name, equals, _) in pairs.items():
        if not equals or not name.strip():
            raise ConfigurationError(f"{flag} {text}: write {form}, as in '{example}'")
    return {name.strip(): value.strip() for name, _, value in pairs.values()}
