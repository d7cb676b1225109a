"""The `aiperf` fixture's object: from what the test says to a measurement, and from its verdict to an outcome."""

from __future__ import annotations

import asyncio
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest

from pytest_aiperf.baseline import keys, store
from pytest_aiperf.common.errors import (
    AiperfError,
    ConfigurationError,
    InconclusiveError,
    InvalidMeasurementError,
    MissingBaselineError,
    Regression,
)
from pytest_aiperf.config.coercion import parse_urls
from pytest_aiperf.config.converter import to_aiperf_config
from pytest_aiperf.config.resolver import Layer, resolve
from pytest_aiperf.exporters.document import failed_document, measurement_document
from pytest_aiperf.exporters.failure_text import failure_text, headline
from pytest_aiperf.gpu_telemetry.identity import Accelerator, profile_name
from pytest_aiperf.measure.measure import MeasureRequest, measure
from pytest_aiperf.measure.measurement import Measurement
from pytest_aiperf.measure.result import Result
from pytest_aiperf.pytest_plugin import marker, options, roles
from pytest_aiperf.pytest_plugin.reports import PENDING
from pytest_aiperf.services.load_pool import LoadPool
from pytest_aiperf.services.worker_count import free_cpus

_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_ERRORS: Final = {
    "regressed": Regression,
    "invalid": InvalidMeasurementError,
    "no_baseline": MissingBaselineError,
    "not_comparable": MissingBaselineError,
    "inconclusive": InconclusiveError,
}


class Aiperf:
    """Measures the endpoint for one test. Options: the marker's keywords, as keywords of `run`."""

    def __init__(self, item: pytest.Function, *, endpoint: object, profile: str | None) -> None:
        self._item, self._config = item, item.config
        self._endpoint = getattr(endpoint, "url", endpoint)
        self._restart = getattr(endpoint, "restart", None)
        self._accelerator = self._local_accelerator()
        self._profile = profile or profile_name(self._accelerator)
        self._names: set[str | None] = set()

    def run(self, name: str | None = None, **overrides: Any) -> Result:
        """Measure, judge against the stored baseline, and return the result.

        Raises:
            Regression: worse than the baseline by more than the tolerance and by more than noise.
            MissingBaselineError: there is no comparable baseline.
            MeasurementError: the measurement could not be made or cannot be trusted: an error of the test.
            ConfigurationError: a keyword is unknown or its value cannot be.
        """
        __tracebackhide__ = True
        try:
            measurement = self._measure(name, overrides)
        except AiperfError as error:
            raise error.with_traceback(
                None
            ) from None  # its text says all; the user's own line is what matters
        self._conclude(measurement)
        return Result(measurement)

    def run_before_the_test(self) -> Result:
        """Measure as `run` does; a verdict that fails the test is kept and fails it when its body is called."""
        __tracebackhide__ = True
        try:
            measurement = self._measure(None, {})
        except AiperfError as error:
            raise error.with_traceback(None) from None
        try:
            self._conclude(measurement)
        except AssertionError as verdict:
            self._item.stash[marker.VERDICT] = verdict
        return Result(measurement)

    async def arun(self, name: str | None = None, **overrides: Any) -> Result:
        """Measure as `run` does, without blocking the event loop; a cancelled task ends the load."""
        __tracebackhide__ = True
        try:
            # Prepared here: a child that a thread started would die with that thread.
            request, load = self._prepared(name, overrides)
            measurement = await asyncio.to_thread(self._measured, request, load)
        except asyncio.CancelledError:
            roles.services(self._config).load().abort()
            raise
        except AiperfError as error:
            raise error.with_traceback(None) from None
        self._conclude(measurement)
        return Result(measurement)

    def _measure(self, name: str | None, overrides: Mapping[str, Any]) -> Measurement:
        __tracebackhide__ = True
        return self._measured(*self._prepared(name, overrides))

    def _prepared(self, name: str | None, overrides: Mapping[str, Any]) -> tuple[MeasureRequest, LoadPool]:
        """Return what is to be measured, and the processes that do it, started."""
        __tracebackhide__ = True
        self._item.stash[marker.MEASURED] = self._item.stash.get(marker.MEASURED, 0) + 1
        name = name if name is not None else marker.merged(self._item).get("name")
        with self._documented(name):
            self._claim(name)
            request = self._request(name, overrides)
            workers = request.config.load.workers or free_cpus(request.config.endpoint.urls)
            return request, roles.services(self._config).load(workers)

    def _measured(self, request: MeasureRequest, load: LoadPool) -> Measurement:
        __tracebackhide__ = True
        with self._documented(request.name):
            measurement = measure(request, load=load)
        stored = None
        if measurement.to_store is not None and measurement.baseline_path is not None:
            stored = [measurement.baseline_path, store.dump(measurement.to_store)]
        shown = self._with_short_path(measurement)
        document = measurement_document(shown, node_id=self._item.nodeid)
        self._keep(document | {"profile": self._profile}, stored)
        return shown

    @contextmanager
    def _documented(self, name: str | None) -> Iterator[None]:
        """A measurement that cannot be made is in the document too."""
        __tracebackhide__ = True
        try:
            yield
        except AiperfError as error:
            self._keep(failed_document(node_id=self._item.nodeid, name=name, reason=str(error)), None)
            raise

    def _with_short_path(self, measurement: Measurement) -> Measurement:
        """Name the baseline as seen from the root directory: that is how people and other machines find it."""
        path = measurement.baseline_path
        if path is None or not Path(path).is_relative_to(self._config.rootpath):
            return measurement
        short = Path(path).relative_to(self._config.rootpath).as_posix()
        return replace(measurement, baseline_path=short)

    def _claim(self, name: str | None) -> None:
        if name in self._names:
            what = "a second unnamed run" if name is None else f"a second run named {name!r}"
            raise ConfigurationError(
                f"{what} in one test: give each its own name, aiperf.run(name='long', ...)"
            )
        self._names.add(name)

    def _request(self, name: str | None, overrides: Mapping[str, Any]) -> MeasureRequest:
        given = marker.merged(self._item) | dict(overrides)
        try:
            marker.check_keywords(given, "aiperf.run")
        except ConfigurationError as error:
            raise ConfigurationError(f"aiperf.run: {str(error).removeprefix('aiperf.run: ')}") from None
        cli = resolve(
            [
                Layer("aiperf.run", {k: v for k, v in overrides.items() if k in marker.LOAD}),
                Layer(
                    "aiperf marker", {k: v for k, v in marker.merged(self._item).items() if k in marker.LOAD}
                ),
                Layer("command line", options.command_line_values(self._config)),
                Layer("environment", options.environment_values()),
                Layer("ini file", options.ini_values(self._config)),
            ]
        )
        config = to_aiperf_config(
            cli,
            url=self._resolved(str(self._endpoint)),
            tolerance={**options.tolerance_of(self._config), **given.get("tolerance", {})},
            metrics=given.get("metrics"),
        )
        test = test_id(self._item)
        judged = given.get("judge", self._config.getini("aiperf_judge") not in ("false", "0", "no", "off"))
        path = keys.baseline_path(self._directory(), profile=self._profile, test=test, name=name)
        return MeasureRequest(
            config=config,
            test=test,
            name=name,
            baseline_path=path if judged and not cli.against and config.verdict.mode != "quick" else None,
            against=tuple(self._resolved(cli.against)) if cli.against else (),
            update=options.categories_of(self._config),
            accelerator=_key_fields(self._accelerator),
            restart=self._restart,
        )

    def _resolved(self, urls: str) -> list[str]:
        return [roles.services(self._config).resolve(url) for url in parse_urls(urls)]

    def _local_accelerator(self) -> Accelerator | None:
        """The cards of this machine, when the endpoint is on it: another machine's latency says nothing of them."""
        urls = [urlsplit(url) for url in parse_urls(str(self._endpoint))]
        if any(url.scheme == "mock" or url.hostname not in _LOOPBACK for url in urls):
            return None
        return roles.services(self._config).accelerator

    def _directory(self) -> Path:
        given = options.value_of(self._config, "baseline_dir")
        if given is None:
            return self._item.path.parent / "__aiperf__"
        base = self._config.invocation_params.dir
        return Path(os.path.normpath(base / Path(given).expanduser()))

    def _keep(self, document: dict[str, Any], stored: Sequence[str] | None) -> None:
        self._item.stash.setdefault(PENDING, []).append(
            {"document": document, "store": list(stored) if stored else None}
        )

    def _conclude(self, measurement: Measurement) -> None:
        """Turn the verdict into the test's outcome; returns for those that let the test go on."""
        __tracebackhide__ = True
        verdict = measurement.verdict
        missing = verdict in ("no_baseline", "not_comparable")
        policy = self._policy("missing", "fail") if missing else self._policy("inconclusive", "warn")
        if verdict == "inconclusive" and policy == "xfail":
            pytest.xfail(headline(measurement))
        if missing and policy != "fail":
            warnings.warn(f"aiperf: {headline(measurement)}", stacklevel=4)
        elif verdict in _ERRORS and (verdict != "inconclusive" or policy == "fail"):
            raise _ERRORS[verdict](failure_text(measurement, node_id=self._item.nodeid))

    def _policy(self, field: str, default: str) -> str:
        value = options.value_of(self._config, field)
        return default if value is None else str(value)


def test_id(item: pytest.Function) -> str:
    """Return path, classes, function and parameters: stable where the node id is not (xdist groups change it)."""
    path = item.path
    try:
        where = path.relative_to(item.config.rootpath).as_posix()
    except ValueError:
        where = path.name
    classes = [node.name for node in item.listchain() if isinstance(node, pytest.Class)]
    function = getattr(item, "originalname", None) or item.name
    callspec = getattr(item, "callspec", None)
    parameters = f"[{callspec.id}]" if callspec is not None and callspec.id else ""
    return "::".join([where, *classes, f"{function}{parameters}"])


def _key_fields(accelerator: Accelerator | None) -> Mapping[str, object]:
    if accelerator is None:
        return {}
    return {
        "accelerator": accelerator.name,
        "accelerator_count": accelerator.count,
        "power_limit_w": accelerator.power_limit_w,
    }


test_id.__test__ = False  # type: ignore[attr-defined]  # pytest must not collect it where it is imported
