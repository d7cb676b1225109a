"""`pytest-aiperf profile`: a load without pytest, its text, its files, its exit statuses."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from schemas import assert_result

import pytest_aiperf
from pytest_aiperf.baseline import store
from pytest_aiperf.cli import build_app
from pytest_aiperf.cli_commands.profile_flags import in_flags_of_profile
from pytest_aiperf.cli_commands.progress_screen import progress_on_stderr
from pytest_aiperf.common.errors import ConfigurationError, EndpointError, MeasurementError
from pytest_aiperf.config.loader.config_file import read_config_file
from pytest_aiperf.measure import measure as measuring
from pytest_aiperf.measure.measurement import Judgement
from pytest_aiperf.measure.profiling import ProfileRequest, Profiling
from pytest_aiperf.measure.runs import Progress
from pytest_aiperf.measure.slo import Missed, Slo
from pytest_aiperf.services import endpoint_lock, process

COMMAND = [sys.executable, "-P", "-c", "from pytest_aiperf.cli import main; main()", "profile"]
FAST = "mock://?ttft_ms=10&itl_ms=1"
LOAD = ("--concurrency=2", "--request-count=20", "--isl=8", "--osl=4", "--warmup-request-count=2")
DEAD = "http://127.0.0.1:1"
DEADLINE_S = 60.0


def environment():
    outer = {k: v for k, v in os.environ.items() if not k.startswith("AIPERF_")}
    return outer | {"COLUMNS": "80", "NO_COLOR": "1"}


def run(folder, *arguments):
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        env=environment(),
        timeout=DEADLINE_S,
    )


def said(text):
    """What stands in a panel, as one line."""
    return " ".join(text.replace("│", " ").split())


@pytest.fixture
def profile(tmp_path, monkeypatch, capsys):
    """The command in this process; returns exit status, standard output and standard error."""
    for name in [name for name in os.environ if name.startswith("AIPERF_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")

    def call(*arguments):
        with pytest.raises(SystemExit) as ended:
            build_app()(["profile", *map(str, arguments)])
        out, err = capsys.readouterr()
        return ended.value.code, out, err

    return call


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A folder in which a load was measured and recorded, each as its users do it, and what was said."""
    folder = tmp_path_factory.mktemp("measured")
    files = ("--json=out/result.json", "--markdown=out/result.md", "--artifacts=out/kept")
    once = run(folder, "--url", FAST, *LOAD, *files)
    assert once.returncode == 0, once.stderr
    recorded = run(folder, "--url", FAST, *LOAD, "--record=base.json")
    assert recorded.returncode == 0, recorded.stderr
    return folder, once


@pytest.fixture(scope="module")
def measurement(tmp_path_factory):
    """A real measurement, to be given other verdicts."""
    kept = []
    real = measuring.measure
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("measurement"))
        patch.setattr(measuring, "measure", lambda *a, **k: kept.append(real(*a, **k)) or kept[0])
        with pytest.raises(SystemExit):
            build_app()(["profile", "--url", FAST, *LOAD, "--mode=quick"])
    return kept[0]


@pytest.fixture
def nothing_starts(monkeypatch):
    def start(self):
        raise AssertionError("a process was started")

    monkeypatch.setattr(process.ServiceProcess, "start", start)


# What it shows and writes.


def test_the_text_is_all_of_stdout_and_fits_80_columns(measured):
    _, once = measured
    lines = once.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert once.stderr == ""
    assert lines[0].startswith("endpoint  http://127.0.0.1:")
    assert lines[1] == "load      2 concurrent, 20 requests, isl 8, osl 4"
    assert lines[2].startswith("runs      3 runs in ")
    assert any(re.match(r"  ttft \(ms\)( +[\d.]+){5}  +[\d.]+ \.\. [\d.]+$", line) for line in lines)
    assert any(re.match(r"  throughput \(req/s\)( +[\d.]+){3}  +[\d.]+ \.\. [\d.]+$", s) for s in lines)
    assert [line for line in lines if line][-1] == "verdict   measured: no baseline is compared"


def test_the_document_is_that_of_pytest_with_one_measurement(measured):
    folder, _ = measured
    document = json.loads((folder / "out/result.json").read_text())
    assert_result(document)
    assert document["session"]["endpoint"] == FAST
    [entry] = document["measurements"]
    assert (entry["verdict"], entry["test"], entry["location"]) == ("measured", "profile::load", None)
    assert [len(session["runs"]) for session in entry["sessions"]] == [3]


def test_markdown_requests_and_logs_lie_where_they_were_asked_for_and_nothing_else(measured):
    folder, _ = measured
    assert "`profile::load` | measured |" in (folder / "out/result.md").read_text()
    [entry] = json.loads((folder / "out/result.json").read_text())["measurements"]
    for name in entry["artifacts"]:
        records = [json.loads(line) for line in (folder / "out/kept" / name).read_text().splitlines()]
        assert sum(record["measured"] for record in records) == 20
    assert len(entry["artifacts"]) == 3
    assert {path.name for path in folder.iterdir()} == {".aiperf", "base.json", "out"}
    assert {path.name for path in (folder / "out").iterdir()} == {"result.json", "result.md", "kept"}


def test_what_was_recorded_is_a_baseline_and_is_compared_with_its_own_load(measured, profile):
    """A7: 1 where it regressed."""
    base = measured[0] / "base.json"
    stored = store.load(base)
    assert [len(session.runs) for session in stored.sessions] == [5]
    code, out, err = profile("--url", f"{FAST}&slow_pct=300", "--baseline", base, "--json=result.json")
    assert code == 1, err
    assert "2 concurrent, 20 requests, isl 8, osl 4" in out
    assert re.search(r"verdict   REGRESSED: (ttft|itl) p50 \+\d+ %", out)
    [entry] = json.loads(Path("result.json").read_text())["measurements"]
    assert entry["text"].splitlines()[0] == entry["headline"]
    assert store.load(base) == stored, "a comparison writes no baseline"


def test_two_servers_are_compared_now(profile):
    code, out, err = profile("--url", f"{FAST}&slow_pct=300", "--against", FAST, *LOAD, "--json=two.json")
    assert code == 1, err
    assert re.search(r"^against   http://127.0.0.1:\d+$", out, re.MULTILINE)
    assert "  against " in out
    document = json.loads(Path("two.json").read_text())
    assert_result(document)
    assert document["measurements"][0]["against_sessions"]


# Exit statuses.


@pytest.mark.parametrize(
    ("verdict", "arguments", "status"),
    [
        ("measured", (), 0),
        ("pass", (), 0),
        ("regressed", (), 1),
        ("not_comparable", (), 2),
        ("invalid", (), 3),
        ("inconclusive", (), 0),
        ("inconclusive", ("--fail-on-inconclusive",), 4),
    ],
)
def test_each_verdict_has_its_exit_status(profile, monkeypatch, measurement, verdict, arguments, status):
    """A7."""
    one = replace(measurement, judgement=Judgement(verdict=verdict, reason="why"))
    monkeypatch.setattr(measuring, "measure", lambda *_, **__: one)
    code, out, err = profile("--url", DEAD, "--json=r.json", *arguments)
    assert (code, err) == (status, "")
    assert "verdict   " in out
    assert json.loads(Path("r.json").read_text())["measurements"][0]["verdict"] == verdict


def test_a_limit_that_is_not_kept_ends_with_1(profile, monkeypatch, measurement):
    """A7."""
    slo = Slo(tag="time_to_first_token", statistic="p50", limit=1.0)
    one = replace(measurement, missed=[Missed(slo=slo, value=20.0)])
    monkeypatch.setattr(measuring, "measure", lambda *_, **__: one)
    code, out, _ = profile("--url", DEAD, "--slo=ttft.p50=1")
    assert code == 1
    assert "verdict   LIMIT MISSED: ttft p50 is 20 ms, must be at most 1 ms" in out


def test_no_part_of_the_command_ends_the_process_behind_pythons_back():
    """A7: never os._exit."""
    [folder] = pytest_aiperf.__path__
    files = [Path(folder, name) for name in ("cli.py", "cli_utils.py")]
    for path in [*files, *Path(folder, "cli_commands").glob("*.py")]:
        assert "_exit(" not in path.read_text(encoding="utf-8"), path


def test_an_endpoint_that_is_not_there_ends_with_3_without_a_traceback_and_is_in_the_document(profile):
    """A5, A7."""
    code, out, err = profile("--url", DEAD, *LOAD, "--json=result.json")
    assert (code, out) == (3, "")
    assert DEAD in said(err)
    assert "Traceback" not in err
    document = json.loads(Path("result.json").read_text())
    assert_result(document)
    [entry] = document["measurements"]
    assert entry["verdict"] == "invalid"
    assert DEAD in entry["reason"]


@pytest.mark.parametrize(
    ("error", "status", "traceback"),
    [
        (ConfigurationError("x y"), 2, False),
        (EndpointError("x y"), 3, False),
        (MeasurementError("x y"), 3, False),
        (ZeroDivisionError("x y"), 3, True),
    ],
)
def test_a_traceback_is_shown_only_where_it_is_a_defect(profile, monkeypatch, error, status, traceback):
    """A5: two guards."""

    def fail(*_, **__):
        raise error

    monkeypatch.setattr(measuring, "measure", fail)
    code, out, err = profile("--url", DEAD)
    assert (code, out) == (status, "")
    assert "x y" in said(err)
    assert ("Traceback" in err) is traceback


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "which server? Give its URL with --url"),
        (("--url=ftp://x",), "not an http:// or https:// URL"),
        (("--url=mock://?ttft_mss=3",), "did you mean 'ttft_ms'"),
        (("--url", DEAD, "--concurency=3"), "Did you mean --concurrency?"),
        (("--url", DEAD, "--concurrency=0"), "concurrency='0'"),
        (("--url", DEAD, "--endpoint-type=chatt"), "did you mean 'chat'"),
        (("--url", DEAD, "--request-rate=5", "--user-centric-rate=5"), "user_centric_rate"),
        (("--url", DEAD, "--header=authorization:sk"), "write authorization:$NAME"),
        (("--url", DEAD, "--extra-inputs=x"), "extra_inputs='x': 'x' is not key:value"),
        (("--url", DEAD, "--extra-inputs", "a:1", "b"), "--extra-inputs: 'b' is not key:value"),
        (("--url", DEAD, "--tolerance=ttft"), "METRIC=TOLERANCE"),
        (("--url", DEAD, "--slo=ttft.p50=fast"), "'fast' is not a number"),
        (("--url", DEAD, "--slo=tft.p50=3"), "did you mean 'ttft'"),
        (("--url", DEAD, "--metrics=ttft.p51"), "p51"),
        (("--url", DEAD, "--mode=off"), "nothing to skip"),
        (("--url", DEAD, "--against", DEAD, "--record=x.json"), "--record and --against do not go together"),
        (("--url", DEAD, "--mode=quick", "--record=x.json"), "--record does not go with mode=quick"),
        (("--url", DEAD, "--baseline=nowhere.json"), "nowhere.json: there is no such file"),
        (("--url", DEAD, "--config=nowhere.yaml"), "nowhere.yaml"),
        (("--url", DEAD, "--json=."), "--json: cannot write"),
        (("--url", DEAD, "--artifacts=/dev/null/x"), "--artifacts: cannot write"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_bad_usage_ends_with_2_before_anything_is_started(profile, nothing_starts, arguments, message):
    """A6."""
    code, out, err = profile(*arguments)
    assert (code, out) == (2, "")
    assert message in said(err)
    assert "Traceback" not in err
    assert not Path("x.json").exists()


def test_another_load_than_the_baselines_is_refused_before_it_is_measured(measured, profile):
    """A6."""
    code, out, err = profile(
        "--url", FAST, "--baseline", measured[0] / "base.json", "--concurrency=3", "--osl=5"
    )
    assert (code, out) == (2, "")
    assert (
        "what would be measured is not what was recorded: concurrency was 2, is 3; osl was 4, is 5"
        in said(err)
    )


def test_a_file_with_several_measurements_is_no_baseline(measured, profile, nothing_starts):
    document = json.loads((measured[0] / "out/result.json").read_text())
    other = json.loads(json.dumps(document["measurements"][0]))
    other["key"]["test"] = other["test"] = "profile::other"
    document["measurements"].append(other)
    Path("two.json").write_text(json.dumps(document))
    code, _, err = profile("--url", DEAD, "--baseline=two.json")
    assert code == 2
    assert "one measurement can be compared with, and it holds profile::load, profile::other" in said(err)


# Interruption and progress.


def family(session):
    """Processes of this session that are not zombies, from /proc."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            fields = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(entry))
    return found


def until(condition, what):
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "terminate"])
def test_an_interruption_ends_everything_and_leaves_no_result(tmp_path, number):
    """A7: 130; on a terminal there is a live line until then."""
    ours, theirs = pty.openpty()
    arguments = ("--url", FAST, "--request-count=100000", "--json=result.json", "--record=base.json")
    with subprocess.Popen(
        [*COMMAND, *arguments], cwd=tmp_path, stdout=subprocess.PIPE, stderr=theirs, stdin=subprocess.DEVNULL,
        env=environment() | {"TERM": "xterm"}, start_new_session=True,
    ) as running:  # fmt: skip
        os.close(theirs)
        try:
            seen = read_until(ours, b"profile  rehearsal  ")
            assert len(family(running.pid)) >= 3
            running.send_signal(number)
            seen += read_until(ours, b"interrupted: no result was written")
            assert running.wait(DEADLINE_S) == 130
        finally:
            running.kill()
        assert running.stdout.read() == b""
    until(lambda: family(running.pid) == [], "its processes to end")
    os.close(ours)
    assert b"Traceback" not in seen
    assert {path.name for path in tmp_path.iterdir()} == {".aiperf"}


def read_until(descriptor, words):
    seen, end = b"", time.monotonic() + DEADLINE_S
    while words not in seen:
        assert time.monotonic() < end, seen
        if select.select([descriptor], [], [], 1.0)[0]:
            seen += os.read(descriptor, 65536)
    return seen


def test_elsewhere_progress_is_a_line_now_and_then(monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with progress_on_stderr("profile") as report:
        for done in range(100):
            now[0] += 1
            report(Progress(phase="run", run=1, runs=3, done=done, total=100, errors=0))
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 3
    assert err.startswith("profile  run 1 of 3  29/100 requests")


# Taking turns.


@pytest.mark.parametrize(("arguments", "locked"), [((), True), (("--isolation=none",), False)])
def test_it_takes_its_turn_at_all_of_its_servers(profile, monkeypatch, measurement, arguments, locked):
    held = []

    @contextmanager
    def lock(urls, *, owner, on_wait):
        on_wait("has waited 1 s")
        held.append((list(urls), owner))
        yield
        held.append("free")

    monkeypatch.setattr(endpoint_lock, "endpoint_lock", lock)
    monkeypatch.setattr(measuring, "measure", lambda *_, **__: held.append("measured") or measurement)
    code, _, err = profile("--url", f"{DEAD},http://127.0.0.2:1", "--against=http://127.0.0.3:1", *arguments)
    assert code == 0
    if not locked:
        assert held == ["measured"]
        return
    (urls, owner), *rest = held
    assert urls == [DEAD, "http://127.0.0.2:1", "http://127.0.0.3:1"]
    assert f"pid {os.getpid()}" in owner
    assert rest == ["measured", "free"]
    assert err == "pytest-aiperf profile has waited 1 s\n"


# Where options are given.


def test_the_command_line_goes_before_the_environment_and_that_before_the_file(tmp_path):
    """B5: precedence."""
    (tmp_path / "aiperf.yaml").write_text(
        "load: {concurrency: 1, request_count: 30}\ninput: {isl: 10, osl: 11}\n"
    )
    asked = ProfileRequest(
        given={"endpoint": DEAD, "concurrency": "4"},
        environment={"concurrency": "3", "request_count": "40", "endpoint": "http://127.0.0.1:2"},
        file=read_config_file(tmp_path / "aiperf.yaml"),
    )
    options = Profiling(asked).options
    assert (options.endpoint, options.concurrency) == (DEAD, 4)
    assert (options.request_count, options.isl, options.osl, options.seed) == (40, 10, 11, 1)


def test_a_file_and_the_environment_reach_the_measurement(profile, monkeypatch, measurement):
    asked = []
    monkeypatch.setattr(measuring, "measure", lambda request, **_: asked.append(request) or measurement)
    Path("aiperf.yaml").write_text("load: {concurrency: 3}\n")
    monkeypatch.setenv("AIPERF_ISL", "77")
    assert profile("--url", DEAD, "-f", "aiperf.yaml", "--osl=5", "--num-profile-runs=6")[0] == 0
    [request] = asked
    assert (request.config.load.concurrency, request.config.input.isl, request.config.input.osl) == (3, 77, 5)
    assert request.runs == 6


def test_a_baselines_load_goes_before_the_environment(measured):
    asked = ProfileRequest(
        given={"endpoint": DEAD, "isl": "9"},
        environment={"concurrency": "7"},
        baseline=measured[0] / "base.json",
    )
    profiling = Profiling(asked)
    assert (profiling.options.concurrency, profiling.options.isl, profiling.options.osl) == (2, 9, 4)
    assert profiling.test == "profile::load"


def test_a_result_document_with_one_measurement_is_a_baseline_too(measured):
    asked = ProfileRequest(given={"endpoint": DEAD}, baseline=measured[0] / "out/result.json")
    assert Profiling(asked).options.concurrency == 2


def test_messages_name_the_flags_of_this_command():
    told = in_flags_of_profile("Raise --aiperf-max-time or lower --aiperf-request-count. See --aiperf-prune.")
    assert told == "Raise --max-time or lower --request-count. See --aiperf-prune."


def test_the_help_is_grouped_and_fits_80_columns(profile):
    code, out, _ = profile("--help")
    lines = out.splitlines()
    assert code == 0
    assert max(map(len, lines)) <= 80
    titles = [line for line in lines if re.fullmatch(r"[A-Z][A-Za-z -]+", line)]
    assert titles.index("Endpoint") < titles.index("Load generator") < titles.index("Verdict")
    assert "  --endpoint, --url, -u URL" in lines
    assert "  --concurrency N" in lines
