"""A measurement that no test describes: its load comes from options, what it is compared with from a file or a URL."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pytest_aiperf.baseline import store
from pytest_aiperf.baseline.schema import Baseline
from pytest_aiperf.common.errors import BaselineError, ConfigurationError
from pytest_aiperf.config.coercion import parse_urls
from pytest_aiperf.config.converter import to_aiperf_config
from pytest_aiperf.config.loader.config_file import ConfigFile
from pytest_aiperf.config.resolver import Layer, resolve
from pytest_aiperf.gpu_telemetry.identity import Accelerator
from pytest_aiperf.measure.accelerator import accelerator_behind, accelerator_key, accelerator_software
from pytest_aiperf.measure.calibration_task import check_schedule, options_of
from pytest_aiperf.measure.filed import read_file, stored_in, title
from pytest_aiperf.measure.request import MeasureRequest
from pytest_aiperf.measure.slo import parse_slo
from pytest_aiperf.measure.terms import FIRST_LOOK

TEST: Final = "profile::load"
"""Stands where others have the id of a test."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileRequest:
    """What the user asks for, as it was typed."""

    given: Mapping[str, Any]
    """Options of the command line, by field."""
    environment: Mapping[str, Any] = field(default_factory=dict)
    file: ConfigFile | None = None
    """A configuration file, the weakest place."""
    baseline: Path | None = None
    """What to compare with: a baseline file, or a result document with one measurement."""
    record: Path | None = None
    """The baseline file to write, or to add a session to."""
    tolerance: Mapping[str, str] = field(default_factory=dict)
    metrics: Sequence[str] | None = None
    slo: Mapping[str, float] = field(default_factory=dict)


class Profiling:
    """One measurement by options; what is wrong with them is told before anything is started."""

    def __init__(self, asked: ProfileRequest) -> None:
        """Read the options and the baseline.

        Raises:
            ConfigurationError: an option is unknown or out of range, options do not go together, or the file to
                compare with cannot be used.
            BaselineError: the baseline file cannot be read, or could not be written.
        """
        self._asked = asked
        self.slos = tuple(parse_slo(asked.slo))
        self.stored = _stored(asked)
        self.options = resolve([*_layers(asked, self.stored)])
        self._check()

    @property
    def test(self) -> str:
        """What the measurement is called: as the baseline that it belongs to."""
        return self.stored.key.test if self.stored else TEST

    @property
    def name(self) -> str | None:
        """The second part of that."""
        return self.stored.key.name if self.stored else None

    @property
    def urls(self) -> Sequence[str]:
        """The server's URLs as they were given."""
        return parse_urls(self.options.endpoint or "")

    @property
    def against(self) -> Sequence[str]:
        """Those of the server that it is compared with."""
        return parse_urls(self.options.against) if self.options.against else ()

    def request(
        self,
        *,
        real_url: Callable[[str], str],
        accelerator: Callable[[], Accelerator | None],
        **further: Any,
    ) -> MeasureRequest:
        """Return what is to be measured.

        Args:
            real_url: starts an embedded server where a URL asks for one.
            accelerator: asks for the accelerators of this machine; called when the endpoint is on it.
            further: fields of the request.

        Raises:
            ConfigurationError: a URL cannot be used, or the options do not fit together.
        """
        asked, options = self._asked, self.options
        path = asked.record or asked.baseline
        alone = path is None and "num_profile_runs" in options.model_fields_set
        cards = accelerator_behind(self.urls, accelerator)
        config = to_aiperf_config(
            options,
            url=[real_url(url) for url in self.urls],
            tolerance={**(asked.file.tolerance if asked.file else {}), **asked.tolerance},
            metrics=asked.file.metrics if asked.file and asked.metrics is None else asked.metrics,
        )
        return MeasureRequest(
            config=config,
            test=self.test,
            name=self.name,
            baseline_path=path,
            runs=options.num_profile_runs if alone else FIRST_LOOK,
            load_baseline=lambda _: self.stored,
            must_compare=True,
            against=tuple(real_url(url) for url in self.against),
            slos=self.slos,
            update=frozenset({"all"}) if asked.record else frozenset(),
            accelerator=accelerator_key(cards),
            software=accelerator_software(cards),
            **further,
        )

    def _check(self) -> None:
        options, asked = self.options, self._asked
        if not options.endpoint:
            raise ConfigurationError(
                "which server? Give its URL with --url, or in the environment as AIPERF_ENDPOINT; "
                "mock:// starts the embedded one"
            )
        named = {"--baseline": asked.baseline, "--record": asked.record, "--against": options.against}
        several = [flag for flag, value in named.items() if value is not None]
        if len(several) > 1:
            raise ConfigurationError(f"{' and '.join(several)} do not go together: give one of them")
        if options.mode == "off":
            raise ConfigurationError("mode=off skips the tests of pytest; there is nothing to skip here")
        if several and options.mode == "quick":
            raise ConfigurationError(
                f"{several[0]} does not go with mode=quick: a quick run is compared with nothing"
            )


def _layers(asked: ProfileRequest, stored: Baseline | None) -> Sequence[Layer]:
    """Return where options were given, the strongest first; the load of a baseline is taken from its key."""
    path = asked.record or asked.baseline
    if stored is not None and path is not None:
        check_schedule(path, stored, asked.given)
    key = [Layer(f"the key of {path}", options_of(stored.key))] if stored is not None else []
    return [
        Layer("command line", asked.given),
        *key,
        Layer("environment", asked.environment),
        *([asked.file.layer] if asked.file else []),
    ]


def _stored(asked: ProfileRequest) -> Baseline | None:
    if asked.record is not None:
        return store.load(asked.record)
    return None if asked.baseline is None else _compared_with(asked.baseline)


def _compared_with(path: Path) -> Baseline:
    """Return what a file holds to compare with: it must be one measurement, and a valid one."""
    found = stored_in(read_file(path), source=str(path))
    if len(found) != 1:
        names = ", ".join(title(one.baseline.key) for one in found) or "none that was made"
        raise ConfigurationError(f"{path}: one measurement can be compared with, and it holds {names}")
    if found[0].invalid is not None:
        raise BaselineError(
            f"{path}: the measurement in it is invalid, so it is no baseline: {found[0].invalid}"
        )
    return found[0].baseline
