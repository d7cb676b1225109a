"""The `aiperf` fixture's object: from what the test says to a measurement, and from its verdict to an outcome."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from pytest_aiperf.baseline import keys, store
from pytest_aiperf.baseline.schema import Baseline
from pytest_aiperf.common.errors import AiperfError, ConfigurationError
from pytest_aiperf.common.finite import is_finite_value
from pytest_aiperf.config.coercion import parse_urls
from pytest_aiperf.config.converter import to_aiperf_config
from pytest_aiperf.exporters.document import failed_document, measurement_document
from pytest_aiperf.exporters.records import RecordFiles
from pytest_aiperf.gpu_telemetry.identity import profile_name
from pytest_aiperf.measure.accelerator import accelerator_behind, accelerator_key, accelerator_software
from pytest_aiperf.measure.measure import MeasureRequest, measure
from pytest_aiperf.measure.measurement import Measurement
from pytest_aiperf.measure.result import Result
from pytest_aiperf.measure.slo import parse_slo
from pytest_aiperf.pytest_plugin import account, artifacts, layers, marker, options, roles
from pytest_aiperf.pytest_plugin.background import in_a_thread, require_asyncio, until
from pytest_aiperf.pytest_plugin.baseline_home import baseline_directory, refuse_namesake
from pytest_aiperf.pytest_plugin.item_id import item_id, plain_node_id
from pytest_aiperf.pytest_plugin.outcome import conclude
from pytest_aiperf.pytest_plugin.own_server import of_living_server, require_alive
from pytest_aiperf.pytest_plugin.progress import progress_of
from pytest_aiperf.pytest_plugin.reports import PENDING
from pytest_aiperf.pytest_plugin.sweep import sweep
from pytest_aiperf.services.load_pool import LoadPool
from pytest_aiperf.services.worker_count import free_cpus


class Aiperf:
    """Measures the endpoint for one test. Options: the marker's keywords, as keywords of `run`."""

    def __init__(
        self, item: pytest.Function, *, endpoint: object, profile: str | None, client_args: object
    ) -> None:
        self._item, self._config = item, item.config
        self._client_args = client_args
        self._endpoint = getattr(endpoint, "url", endpoint)
        self._server = endpoint
        self._accelerator = accelerator_behind(
            parse_urls(str(self._endpoint)), lambda: roles.services(self._config).accelerator
        )
        self._profile = profile or self._derived_profile()
        self._names: set[str | None] = set()

    def __repr__(self) -> str:
        return f"<aiperf of {self._item.name}>"  # pytest shows it above each failing test

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
        return conclude(self._item, measurement)

    def sweep(self, name: str | None = None, **options: Any) -> Mapping[Any, Result]:
        """Measure once for each value of the option that is given as a list: ``aiperf.sweep(concurrency=[1, 8, 32])``.

        Each measurement has a baseline of its own, named after the value. Returns the results by value, in order.

        Raises:
            AssertionError: as `run`, for the first value that failed, when all have been measured.
            ConfigurationError: not exactly one option is a list.
        """
        __tracebackhide__ = True
        return sweep(self.run, name, options)

    def run_before_the_test(self) -> Result:
        """Measure as `run` does; a verdict that fails the test is kept and fails it when its body is called."""
        __tracebackhide__ = True
        try:
            measurement = self._measure(None, {})
        except AiperfError as error:
            raise error.with_traceback(None) from None
        try:
            return conclude(self._item, measurement)
        except AssertionError as verdict:
            self._item.stash[marker.VERDICT] = verdict
        return Result(measurement)

    async def arun(self, name: str | None = None, **overrides: Any) -> Result:
        """Measure as `run` does, without blocking the event loop; a cancelled task ends the load."""
        __tracebackhide__ = True
        try:
            require_asyncio()
            # Prepared here: a child that a thread started would die with that thread.
            request, load = self._prepared(name, overrides)
            measurement = await in_a_thread(partial(self._measured, request, load), abort=load.abort)
        except AiperfError as error:
            raise error.with_traceback(None) from None
        return conclude(self._item, measurement)

    def _measure(self, name: str | None, overrides: Mapping[str, Any]) -> Measurement:
        __tracebackhide__ = True
        return self._measured(*self._prepared(name, overrides))

    def _prepared(self, name: str | None, overrides: Mapping[str, Any]) -> tuple[MeasureRequest, LoadPool]:
        """Return what is to be measured, and the processes that do it, started."""
        __tracebackhide__ = True
        self._item.stash[marker.MEASURED] = self._item.stash.get(marker.MEASURED, 0) + 1
        name = name if name is not None else marker.merged(self._item).get("name")
        with self._documented(name if marker.is_name(name) else repr(name)):
            marker.check_name(name)
            self._claim(name)
            request = self._request(name, overrides)
            workers = request.config.load.workers or free_cpus(request.config.endpoint.urls)
            return request, roles.services(self._config).load(workers)

    def _measured(
        self, request: MeasureRequest, load: LoadPool, cancelled: Event | None = None
    ) -> Measurement:
        __tracebackhide__ = True
        urls = (*request.config.endpoint.urls, *request.against)
        hooks = self._item.ihook
        with (
            self._documented(request.name, request),
            roles.lock_endpoint(self._config, urls),
            progress_of(self._item) as on_progress,
        ):
            hooks.pytest_aiperf_before_measure(item=self._item, name=request.name, config=request.config)
            heeded = on_progress if cancelled is None else until(cancelled, on_progress)
            measurement = of_living_server(
                self._server, lambda: measure(request, load=load, on_progress=heeded)
            )
            told = {"item": self._item, "name": request.name, "result": Result(measurement)}
            hooks.pytest_aiperf_after_measure(**told)
            extra = _further_figures(hooks.pytest_aiperf_metrics(**told))
        stored = None
        if measurement.to_store is not None and measurement.baseline_path is not None:
            stored = [measurement.baseline_path, store.dump(measurement.to_store)]
        shown = self._with_short_path(measurement)
        document = measurement_document(shown, node_id=plain_node_id(self._item))
        self._keep(document | {"extra": extra}, request, stored)
        return shown

    @contextmanager
    def _documented(self, name: str | None, request: MeasureRequest | None = None) -> Iterator[None]:
        """A measurement that cannot be made is in the document too."""
        __tracebackhide__ = True
        try:
            yield
        except (AiperfError, pytest.fail.Exception) as error:  # the latter is how a time limit ends a test
            document = failed_document(node_id=plain_node_id(self._item), name=name, reason=str(error))
            self._keep(document | {"extra": {}}, request, None)
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
        given = layers.keywords_of(self._item, overrides)
        cli = layers.resolved(self._item, overrides, client_args=self._client_args)
        config = to_aiperf_config(
            cli,
            url=self._resolved(str(self._endpoint)),
            tolerance={**layers.tolerance_of_the_project(self._config), **given.get("tolerance", {})},
            metrics=given.get("metrics", layers.metrics_of_the_project(self._config)),
        )
        test = item_id(self._item)
        judged = given.get("judge", options.judges(self._config))
        refuse_namesake(self._item)
        directory = baseline_directory(self._config, self._item.path)
        path = keys.baseline_path(directory, profile=self._profile, test=test, name=name)
        account.claim(self._config, test=test, path=path)
        return MeasureRequest(
            config=config,
            test=test,
            name=name,
            baseline_path=path if judged and not cli.against and config.verdict.mode != "quick" else None,
            against=tuple(self._resolved(cli.against)) if cli.against else (),
            slos=tuple(parse_slo(given.get("slo", {}))),
            update=layers.update_of(self._item, overrides),
            accelerator=accelerator_key(self._accelerator),
            software=accelerator_software(self._accelerator),
            load_baseline=self._load_baseline,
            restart=self._restart,
            on_run=artifacts.record_files(self._config, test=test, name=name),
        )

    def _derived_profile(self) -> str:
        hook = self._item.ihook.pytest_aiperf_collect_profile
        named = hook(config=self._config, endpoint=str(self._endpoint))
        return str(named) if named else profile_name(self._accelerator)

    def _load_baseline(self, path: Path) -> Baseline | None:
        text = self._item.ihook.pytest_aiperf_load_baseline(path=path)
        return store.load(path) if text is None else store.parse(text, source=f"{path} (from a hook)")

    def _restart(self) -> bool:
        if hasattr(self._server, "restart"):
            require_alive(self._server)  # one that ended by itself must not come back unnoticed
            self._server.restart()
            return True
        hook = self._item.ihook.pytest_aiperf_restart_server
        return bool(hook(item=self._item, endpoint=str(self._endpoint)))

    def _resolved(self, urls: str) -> list[str]:
        return [roles.services(self._config).resolve(url) for url in parse_urls(urls)]

    def _keep(
        self, document: dict[str, Any], request: MeasureRequest | None, stored: Sequence[str] | None
    ) -> None:
        files = request.on_run if request else None
        document |= {
            "profile": self._profile,
            "artifacts": list(files.written) if isinstance(files, RecordFiles) else None,
        }
        self._item.stash.setdefault(PENDING, []).append(
            {"document": document, "store": list(stored) if stored else None}
        )


def _further_figures(given: Sequence[object]) -> Mapping[str, float | None]:
    """Return what hooks measured, put together; None where it is not a finite number.

    Raises:
        ConfigurationError: a hook gave something else than names and numbers.
    """
    odd = next((figures for figures in given if not isinstance(figures, Mapping)), None)
    if odd is not None:
        raise ConfigurationError(f"pytest_aiperf_metrics gave {odd!r}: return a mapping of names and numbers")
    pairs = [pair for figures in given for pair in figures.items()]  # type: ignore[attr-defined]  # mappings
    return {str(name): float(value) if is_finite_value(value) else None for name, value in pairs}
