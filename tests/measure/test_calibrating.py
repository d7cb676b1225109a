"""A/A sessions, made against the scripted load; what they say; and that it reaches the gate."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from scripted_load import ScriptedLoad, Server, VirtualTime

from pytest_aiperf.baseline import store
from pytest_aiperf.baseline.schema import Variance
from pytest_aiperf.common.errors import (
    BaselineError,
    ConfigurationError,
    EndpointError,
    InvalidMeasurementError,
)
from pytest_aiperf.config.cli_config import CLIConfig
from pytest_aiperf.config.converter import to_aiperf_config
from pytest_aiperf.config.option_table import parameter_of
from pytest_aiperf.config.resolver import Layer, resolve
from pytest_aiperf.gpu_telemetry.identity import Accelerator
from pytest_aiperf.measure.accelerator import accelerator_behind, accelerator_key
from pytest_aiperf.measure.calibrated import figures_of, store_variances, with_variances
from pytest_aiperf.measure.calibrating import Calibrating, SessionReport
from pytest_aiperf.measure.calibration_task import _flag, baseline_files, options_of, tasks_of
from pytest_aiperf.measure.judging import Case
from pytest_aiperf.measure.load_key import load_key
from pytest_aiperf.measure.provenance import host_hash
from pytest_aiperf.measure.validity import Check

URL = "http://127.0.0.1:9"
QUIET = Server(noise=0.005)
SPEEDS = (1.0, 1.25, 1.0, 1.25)


class SharedLoad(ScriptedLoad):
    """The scripted load, which every session begins and ends as if it were its own."""

    def __init__(self, script, time):
        super().__init__(script, time)
        self.entered = 0
        self.open = 0

    def __enter__(self):
        self.entered += 1
        self.open += 1
        return self

    def __exit__(self, *exc_info):
        self.open -= 1


@dataclass
class Lab:
    """What calibrates: a server that may differ from boot to boot, and what happened to it."""

    time: VirtualTime
    server: Callable[[int], Server] = lambda boot: QUIET
    """By boot; the zeroth is the one that nobody restarted."""
    boots: int = 0
    reports: list[SessionReport] = field(default_factory=list)
    load: SharedLoad | None = None

    def tasks(self, *paths, **options: Any):
        given = {"concurrency": 2, "request_count": 60, "isl": 8, "osl": 4, "model": "m"} if not paths else {}
        return tasks_of(
            paths,
            given={"endpoint": URL, **given, **options},
            environment={},
            urls_of=lambda text: [text],
            accelerator=lambda: None,
            tolerance={},
            metrics=None,
        )

    def calibrating(self, tasks, *, sessions: int = 4, restarts: bool = True, **options: Any) -> Calibrating:
        self.load = SharedLoad(lambda index: self.server(self.boots), self.time)
        return Calibrating(
            tasks,
            sessions=sessions,
            new_load=lambda workers: self.load,
            given=options,
            restart=self._restart if restarts else None,
            ready_timeout_s=10.0,
            on_session=self.reports.append,
        )

    def measure(self, *paths, sessions: int = 4, restarts: bool = True, **options: Any):
        tasks = self.tasks(*paths, **options)
        return self.calibrating(tasks, sessions=sessions, restarts=restarts, **options).measure()

    def _restart(self) -> None:
        self.boots += 1


@pytest.fixture
def lab(monkeypatch):
    time = VirtualTime()
    for module in ("runs", "awaiting", "calibrating"):
        monkeypatch.setattr(f"pytest_aiperf.measure.{module}.time", time)
    return Lab(time=time)


@pytest.fixture
def recorded(bench):
    """A baseline of the load that the lab has by default."""
    bench.record(QUIET)
    return bench.path


def planted(boot):
    return QUIET.slower(SPEEDS[boot - 1])


def test_each_session_has_its_own_boot_load_processes_and_five_runs(lab):
    [made] = lab.measure(sessions=3)
    assert [len(runs) for runs in made.sessions] == [5, 5, 5]
    assert lab.boots == 3
    assert len(lab.load.plans) == 3 * (1 + 5)  # a rehearsal and five runs
    assert lab.load.entered == 3 * 2  # one to wait for the server, one to measure
    assert lab.load.open == 0
    assert [(r.session, r.sessions, r.problem) for r in lab.reports] == [(n, 3, None) for n in (1, 2, 3)]
    assert made.restarted
    assert made.repeated == 0


def test_as_many_runs_as_a_recording_with_these_looks_has(lab):
    [made] = lab.measure(sessions=2, num_profile_runs=3)
    assert [len(runs) for runs in made.sessions] == [3, 3]


def test_several_loads_share_the_boot_of_a_session(lab):
    tasks = [*lab.tasks(), *lab.tasks(concurrency=4)]
    made = lab.calibrating(tasks, sessions=2).measure()
    assert lab.boots == 2
    assert [one.key.load["concurrency"] for one in made] == [2, 4]
    assert [len(one.sessions) for one in made] == [2, 2]


def test_without_a_restart_command_nothing_is_waited_for(lab):
    [made] = lab.measure(sessions=2, restarts=False)
    assert not made.restarted
    assert lab.load.entered == 2


def test_an_invalid_session_is_made_again_once_after_another_boot(lab):
    lab.server = lambda boot: replace(QUIET, failed=0.5) if boot == 2 else QUIET
    [made] = lab.measure(sessions=3)
    assert [(r.session, r.problem is None) for r in lab.reports] == [
        (1, True),
        (2, False),
        (2, True),
        (3, True),
    ]
    assert "error_share" in lab.reports[1].problem
    assert made.repeated == 1
    assert lab.boots == 4
    assert [len(runs) for runs in made.sessions] == [5, 5, 5]


def test_a_session_that_stays_invalid_ends_it(lab):
    lab.server = lambda boot: replace(QUIET, failed=0.5) if boot in (2, 3) else QUIET
    with pytest.raises(InvalidMeasurementError, match=r"(?s)session 2 of load is not valid.*error_share"):
        lab.measure(sessions=3)
    assert lab.load.open == 0


def test_what_only_a_whole_session_tells_is_checked_too(lab, monkeypatch):
    crowded = Check(check="other_tenants", value=0.4, limit=0.05, ok=False, advice="Somebody else uses it.")
    monkeypatch.setattr("pytest_aiperf.measure.tenants.TenantWatch.check", lambda self: [crowded])
    with pytest.raises(InvalidMeasurementError, match=r"other_tenants is 0\.4"):
        lab.measure()


@pytest.mark.parametrize("sessions", [-1, 0, 1, 1001])
def test_a_single_session_tells_nothing(lab, sessions):
    with pytest.raises(ConfigurationError, match=f"--sessions must be between 2 and 1000, got {sessions}"):
        lab.calibrating(lab.tasks(), sessions=sessions)


class Booting(SharedLoad):
    """Answers from a certain moment on."""

    def __init__(self, time, *, ready_at_s):
        super().__init__(lambda index: QUIET, time)
        self.ready_at_s = ready_at_s

    def run(self, plan, on_progress=None, **how):
        if self._time.now_s < self.ready_at_s:
            self._script = replace(QUIET, failed=1.0)
        else:
            self._script = QUIET
        return super().run(plan, on_progress, **how)


def booting(lab, ready_after_s):
    load = Booting(lab.time, ready_at_s=lab.time.now_s + ready_after_s)
    return load, Calibrating(
        lab.tasks(),
        sessions=2,
        new_load=lambda workers: load,
        given={},
        restart=lambda: None,
        ready_timeout_s=10.0,
    )


def test_a_server_that_boots_is_waited_for(lab):
    load, calibrating = booting(lab, ready_after_s=5.0)
    calibrating.measure()
    assert sum(lab.time.slept_s) > 3.0
    assert load.probes > 10


def test_a_server_that_does_not_come_back_is_told_with_its_last_words(lab):
    _, calibrating = booting(lab, ready_after_s=1e9)
    with pytest.raises(EndpointError, match=r"(?s)within 10 s after its restart.*503: busy.*--ready-timeout"):
        calibrating.measure()


# What the sessions say.


def test_boots_that_differ_show_as_tau_and_not_as_run_noise(lab):
    lab.server = planted
    [made] = lab.measure()
    figures = {one.metric.label: one for one in figures_of(made, wanted=0.1).metrics}
    assert list(figures) == ["ttft p50", "itl p50"]
    for one in figures.values():
        assert one.calibration.n_sessions == 4
        assert (
            0.06 < one.calibration.tau < 0.13
        )  # an sd of .13 seen four times, moderated by a prior of 1.5 %
        assert one.calibration.run_sd < 0.02
        assert one.mde[1] > one.mde[3] > one.mde[5] > 0.2
        assert all(option.paired for option in one.advice)


def test_boots_that_agree_show_as_little(lab):
    [made] = lab.measure()
    for one in figures_of(made, wanted=0.1).metrics:
        assert one.calibration.tau < 0.015
        assert one.mde[5] < 0.1
        assert [d.verdict for d in one.replayed] in (["pass"], ["inconclusive"])
        assert any(not option.paired for option in one.advice)


def test_advice_is_for_a_tolerance_that_the_wanted_change_is_beyond(lab):
    [made] = lab.measure()
    [ttft, _] = figures_of(made, wanted=0.06).metrics
    assert ttft.advised_tolerance == pytest.approx(0.03)
    [ttft, _] = figures_of(made, wanted=0.5).metrics
    assert ttft.advised_tolerance == 0.05


def test_two_sessions_judge_each_other_too(lab):
    [made] = lab.measure(sessions=2)
    assert all(len(one.replayed) == 1 for one in figures_of(made, wanted=0.1).metrics)


def test_a_metric_without_usable_runs_is_told_and_does_not_hide_the_others(lab):
    lab.server = lambda boot: replace(QUIET, itl_ms=0.0)
    [made] = lab.measure(sessions=2)
    ttft, itl = figures_of(made, wanted=0.1).metrics
    assert ttft.calibration is not None
    assert itl.calibration is None
    assert itl.variance is None
    assert "at least 2 sessions with usable runs" in itl.problem


# Whose load it is.

LOADS = (
    {},
    {"concurrency": 8, "request_count": 1000, "isl": 512, "osl": 128, "seed": 7, "streaming": False},
    {"concurrency": 8, "concurrency_ramp_duration": 2, "ramp_shape": "exponential", "prefill_concurrency": 2},
    {"request_rate": 5.5, "arrival_pattern": "gamma", "arrival_smoothness": 2.0},
    {"request_rate": 5, "benchmark_duration": 3, "request_rate_ramp_duration": 1, "concurrency": 9},
    {"num_users": 3, "user_centric_rate": 2.0, "session_turns_mean": 3, "session_turn_delay_mean": 20},
    {"request_cancellation_rate": 10, "request_cancellation_delay": 0.5, "warmup_request_count": 3},
    {"cache_bust": True, "goodput": {"ttft": 400}, "connection_reuse_strategy": "never"},
)


def config_of(options: dict[str, Any]):
    return to_aiperf_config(resolve([Layer("test", options)]), url=URL)


@pytest.mark.parametrize("options", LOADS, ids=lambda options: next(iter(options), "defaults"))
def test_the_load_is_rebuilt_from_its_key(lab, tmp_path, recorded, options):
    key = load_key(config_of(options))
    rebuilt = options_of(store.load(recorded).key.model_copy(update={"load": key}))
    assert rebuilt.pop("model") == "m"
    assert load_key(config_of(rebuilt)) == key


def test_what_a_hint_calls_an_option_is_its_flag():
    names = {name for options in LOADS for name in load_key(config_of(options))} - {"mode"}
    assert len(names) > 20
    for name in {*names, "model", "fixed_schedule"}:
        assert _flag(name) in parameter_of(CLIConfig.model_fields[name]).name


def test_a_baseline_is_measured_with_its_own_load(lab, recorded):
    [made] = lab.measure(recorded, sessions=2)
    assert made.key == store.load(recorded).key


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"concurrency": 3},
            "concurrency was 2, is 3\nThe baseline says what its load was: leave out --concurrency,",
        ),
        (
            {"model": "other"},
            "model was 'm', is 'other'\nThe baseline says what its load was: leave out --model,",
        ),
        ({"extra_inputs": {"ignore_eos": True}}, "the requests themselves differ.*with --extra-inputs"),
        (
            {"request_cancellation_rate": 5},
            "request_cancellation_rate was None, is 5.*leave out --request-cancellation-rate",
        ),
    ],
)
def test_another_load_than_the_baselines_is_refused_before_anything_is_sent(lab, recorded, options, message):
    with pytest.raises(ConfigurationError, match=f"(?s){recorded}.*{message}"):
        lab.measure(recorded, **options)
    assert lab.boots == 0
    assert lab.load.plans == []


def test_another_machine_than_the_baselines_is_refused(lab, recorded):
    baseline = store.load(recorded)
    key = baseline.key.model_copy(update={"accelerator": "NVIDIA H100", "accelerator_count": 1})
    store.save(recorded, store.dump(baseline.model_copy(update={"key": key})))
    with pytest.raises(
        ConfigurationError, match=r"(?s)accelerator was 'NVIDIA H100', is None.*on the machine"
    ):
        lab.measure(recorded)


def test_a_schedule_without_its_folder_is_asked_for(lab, recorded):
    baseline = store.load(recorded)
    key = baseline.key.model_copy(update={"load": {**baseline.key.load, "fixed_schedule": "trace.jsonl"}})
    store.save(recorded, store.dump(baseline.model_copy(update={"key": key})))
    with pytest.raises(ConfigurationError, match=r"schedule trace\.jsonl.*--fixed-schedule"):
        lab.tasks(recorded)


def test_answers_of_another_length_than_the_baselines_are_not_valid(lab, recorded):
    lab.server = lambda boot: replace(QUIET, osl=2)
    with pytest.raises(InvalidMeasurementError, match="osl"):
        lab.measure(recorded, sessions=2)


def test_no_endpoint_is_an_error(lab):
    with pytest.raises(ConfigurationError, match=r"which server.*--endpoint"):
        lab.tasks(endpoint="")


def test_of_a_folder_all_baselines_are_taken_each_once(tmp_path):
    for name in ("b/two.json", "a/one.json", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}")
    found = baseline_files([tmp_path / "b/two.json", tmp_path])
    assert [path.name for path in found] == ["two.json", "one.json"]


def test_a_folder_without_baselines_and_a_path_that_is_not_there_are_errors(tmp_path):
    with pytest.raises(BaselineError, match="no baseline"):
        baseline_files([tmp_path])
    with pytest.raises(BaselineError, match="no such file"):
        baseline_files([tmp_path / "x.json"])


def test_the_cards_of_this_machine_belong_to_a_server_on_it_alone():
    card = Accelerator(
        name="NVIDIA H100",
        count=2,
        memory_bytes=80,
        power_limit_w=700.0,
        mig=None,
        driver="1",
        cuda="13",
    )
    ask = lambda: card  # noqa: E731
    assert accelerator_behind(["http://localhost:8000", "http://127.0.0.1:8001"], ask) is card
    assert accelerator_behind(["http://localhost:8000", "http://gpu7:8001"], ask) is None
    assert accelerator_behind(["mock://?ttft_ms=5"], ask) is None
    assert accelerator_key(None) == {}
    assert accelerator_key(card) == {
        "accelerator": "NVIDIA H100",
        "accelerator_count": 2,
        "accelerator_memory_bytes": 80,
        "accelerator_mig": "undivided",
        "power_limit_w": 700.0,
    }


# Where the gate reads it.

TTFT = "time_to_first_token.p50"


def test_the_variances_are_written_into_the_baseline_and_nothing_else_changes(lab, recorded):
    before = store.load(recorded)
    earlier = {"request_latency.p95": Variance(run_sd=0.5, tau=0.5, df=3.0)}
    store.save(recorded, store.dump(with_variances(before, earlier)))
    [made] = lab.measure(recorded)
    figures = figures_of(made, wanted=0.1)
    assert store_variances(figures)
    after = store.load(recorded)
    assert set(after.variance) == {TTFT, "inter_token_latency.p50", *earlier}
    found = figures.metrics[0].calibration
    written = after.variance[TTFT]
    assert (written.run_sd, written.tau, written.df) == pytest.approx(
        (found.run_sd, found.tau, found.tau_df), rel=1e-5
    )
    assert store.dump(after.model_copy(update={"variance": {}})) == store.dump(before)
    assert list(recorded.parent.iterdir()) == [recorded]


def test_a_session_that_was_recorded_meanwhile_is_kept(lab, bench, recorded):
    [made] = lab.measure(recorded)
    bench.record(QUIET)
    assert len(store.load(recorded).sessions) == 2
    store_variances(figures_of(made, wanted=0.1))
    assert len(store.load(recorded).sessions) == 2
    assert TTFT in store.load(recorded).variance


def test_a_baseline_that_became_another_one_meanwhile_is_left_alone(lab, bench, recorded):
    [made] = lab.measure(recorded)
    bench.record(QUIET, concurrency=4)
    text = recorded.read_text()
    with pytest.raises(BaselineError, match="recorded for another load while it was calibrated"):
        store_variances(figures_of(made, wanted=0.1))
    assert recorded.read_text() == text
    recorded.unlink()
    with pytest.raises(BaselineError, match="deleted while it was calibrated"):
        store_variances(figures_of(made, wanted=0.1))


def test_without_a_baseline_nothing_is_written(lab):
    [made] = lab.measure(sessions=2)
    assert not store_variances(figures_of(made, wanted=0.1))


def mdes(case: Case, runs: Iterable[Any]) -> dict[str, float]:
    return {row.metric: row.mde for row in case.judge(list(runs)[:3], 0).comparisons}


def test_a_later_check_is_judged_with_what_was_calibrated(lab, recorded):
    lab.server = planted
    [made] = lab.measure(recorded)
    store_variances(figures_of(made, wanted=0.1))
    baseline = store.load(recorded)
    case = Case(terms=made.terms, metrics=made.metrics, baseline=baseline.sessions, host=host_hash())
    guessed = mdes(case, made.sessions[0])
    calibrated = mdes(replace(case, variance=baseline.variance), made.sessions[0])
    for name in (TTFT, "inter_token_latency.p50"):
        assert calibrated[name] > 1.5 * guessed[name]
