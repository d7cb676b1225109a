"""What is calibrated: a load, and the baseline whose load it is, where there is one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_aiperf.baseline import keys, store
from pytest_aiperf.baseline.schema import Baseline, BaselineKey
from pytest_aiperf.common.errors import BaselineError, ConfigurationError
from pytest_aiperf.config.coercion import parse_urls
from pytest_aiperf.config.converter import to_aiperf_config
from pytest_aiperf.config.resolver import Layer, resolve
from pytest_aiperf.gpu_telemetry.identity import Accelerator
from pytest_aiperf.measure.accelerator import accelerator_behind, accelerator_key
from pytest_aiperf.measure.request import MeasureRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationTask:
    """One load. `request` names the baseline's test and file, where there is one."""

    request: MeasureRequest
    baseline: Baseline | None = None

    @property
    def label(self) -> str:
        """What the load is called: the test's own name, or ``load``."""
        test = self.request.test.rpartition("/")[2] or "load"
        return f"{test}#{self.request.name}" if self.request.name else test

    def check_key(self, key: BaselineKey, given: Mapping[str, Any]) -> None:
        """Raise a ConfigurationError when this key is not that of the baseline; `given` are the options given."""
        found = keys.differences(self.baseline, key) if self.baseline else ()
        if self.baseline is not None and found:
            hints = [*_hints(self.baseline.key, key, given)]
            raise ConfigurationError(
                "\n".join(
                    [
                        f"{self.request.baseline_path}: what would be measured is not what was recorded: "
                        f"{'; '.join(found)}",
                        *hints,
                    ]
                )
            )


def tasks_of(
    paths: Sequence[Path],
    *,
    given: Mapping[str, Any],
    environment: Mapping[str, Any],
    urls_of: Callable[[str], Sequence[str]],
    accelerator: Callable[[], Accelerator | None],
    tolerance: Mapping[str, str],
    metrics: Sequence[str] | None,
) -> Sequence[CalibrationTask]:
    """Return the loads of these baselines; without any, the one that the options describe.

    Args:
        paths: baseline files, and folders of them.
        given: options that were typed; they go before what a baseline's key says.
        environment: options that stand for what neither says.
        urls_of: turns the endpoint, as it was given, into URLs; called once all files have been read.
        accelerator: asks for the accelerators of this machine; called when the endpoint is on it.
        tolerance: by metric, as in a marker.
        metrics: judged metrics; None for the usual ones.

    Raises:
        ConfigurationError: no endpoint was given, or the options do not fit together.
        BaselineError: a file cannot be read, or could not be written.
    """
    baselines = {path: load_baseline(path) for path in baseline_files(paths)}
    endpoint = given.get("endpoint") or environment.get("endpoint")
    if not endpoint:
        raise ConfigurationError(
            "which server? Give its URL with --endpoint, or in the environment as AIPERF_ENDPOINT"
        )
    recorded: Sequence[tuple[Path | None, Baseline | None]] = [*baselines.items()] or [(None, None)]
    options = [
        resolve(
            [
                Layer("command line", given),
                *([Layer(f"the key of {path}", options_of(baseline.key))] if baseline else []),
                Layer("environment", environment),
            ]
        )
        for path, baseline in recorded
    ]
    for path, baseline in baselines.items():
        check_schedule(path, baseline, given)
    urls = urls_of(endpoint)
    key_fields = accelerator_key(accelerator_behind(parse_urls(endpoint), accelerator))
    return [
        CalibrationTask(
            baseline=baseline,
            request=MeasureRequest(
                config=to_aiperf_config(chosen, url=urls, tolerance=tolerance, metrics=metrics),
                test=baseline.key.test if baseline else "",
                name=baseline.key.name if baseline else None,
                baseline_path=path,
                accelerator=key_fields,
            ),
        )
        for (path, baseline), chosen in zip(recorded, options, strict=True)
    ]


def baseline_files(paths: Sequence[Path]) -> Sequence[Path]:
    """Return the files named, and of folders all baselines in them; each once, in order.

    Raises:
        BaselineError: there is no such file, or a folder has none.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if not path.exists():
            raise BaselineError(f"{path}: there is no such file or folder")
        inside = sorted(path.rglob("*.json")) if path.is_dir() else [path]
        if not inside:
            raise BaselineError(f"{path}: there is no baseline (*.json) in this folder")
        found |= dict.fromkeys(inside)
    return list(found)


def load_baseline(path: Path) -> Baseline:
    """Return a baseline that is to be calibrated.

    Raises:
        BaselineError: it cannot be read, or could not be written.
    """
    baseline = store.load(path)
    if baseline is None:
        raise BaselineError(f"{path}: there is no such file")
    store.check_writable(path)
    return baseline


def options_of(key: BaselineKey) -> Mapping[str, Any]:
    """Return the options that describe the load of a key, by the names that people type.

    What a key does not hold: further fields of the requests, and the folder of a schedule.
    """
    load = {name: value for name, value in key.load.items() if name != "mode"}
    return load if key.model is None else load | {"model": key.model}


def check_schedule(path: Path, baseline: Baseline, given: Mapping[str, Any]) -> None:
    """Raise a ConfigurationError when the load of a baseline needs a file that nobody has named."""
    name = baseline.key.load.get("fixed_schedule")
    if name is not None and "fixed_schedule" not in given and not Path(str(name)).is_file():
        raise ConfigurationError(
            f"{path}: its load replays the schedule {name}, and a baseline does not hold in which folder that is: "
            "give its path with --fixed-schedule"
        )


def _hints(old: BaselineKey, new: BaselineKey, given: Mapping[str, Any]) -> Sequence[str]:
    changed = [
        name for name in sorted({*old.load, *new.load, "model"}) if _value(old, name) != _value(new, name)
    ]
    hints = []
    if typed := [name for name in changed if name in given]:
        hints.append(
            f"The baseline says what its load was: leave out {', '.join(map(_flag, typed))}, "
            "here and in the environment (AIPERF_...)."
        )
    if unset := [name for name in changed if name not in given]:
        hints.append(f"Give the load of its test: {', '.join(map(_flag, unset))}.")
    if not changed and old.workload != new.workload:
        hints.append(
            "A baseline does not hold what a test adds to its requests: give it with --extra-inputs"
            f"{', and the same schedule with --fixed-schedule' if 'fixed_schedule' in old.load else ''}."
        )
    if any(getattr(old, f) != getattr(new, f) for f in ("accelerator", "accelerator_count", "power_limit_w")):
        hints.append("Calibrate on the machine, and with the accelerators, that it was recorded with.")
    return hints


def _value(key: BaselineKey, name: str) -> Any:
    return key.model if name == "model" else key.load.get(name)


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
