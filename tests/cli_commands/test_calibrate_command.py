"""`pytest-aiperf calibrate` as its users run it: a process of its own, real loads, real restarts, real baselines."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pytest_aiperf.baseline import store
from pytest_aiperf.cli import build_app

COMMAND = [sys.executable, "-P", "-c", "from pytest_aiperf.cli import main; main()"]
MOCK = "mock://?ttft_ms=5&itl_ms=1&osl=4"
LOAD = ("--request-count=30", "--isl=8", "--osl=4", "--concurrency=2")
DEADLINE_S = 60.0
SUITE = """
import pytest

@pytest.mark.aiperf(concurrency=2, isl=8, osl=4, request_count=30)
def test_chat(aiperf):
    aiperf.run()
"""
RESTART = """
cd "$(dirname "$0")"
if [ -f pid ]; then
    kill "$(cat pid)"
    while kill -0 "$(cat pid)" 2>/dev/null; do sleep 0.02; done
fi
echo boot >> boots
slow=$(sed -n "$(wc -l < boots)p" speeds)
{server} mock-server --port {port} --options "ttft_ms=5&itl_ms=1&slow_pct=$slow" &
echo $! > pid
"""


@dataclass
class Command:
    """The command in a folder of its own; whatever happens, what it left behind is seen."""

    folder: Path
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*COMMAND, "calibrate", *arguments],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            env=environment(),
            start_new_session=True,
        )
        self.processes.append(process)
        return process

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=DEADLINE_S)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def close(self) -> None:
        for process in self.processes:
            for pid in family(process.pid):
                os.kill(pid, signal.SIGKILL)
            process.communicate()


def environment():
    outer = {k: v for k, v in os.environ.items() if not k.startswith("AIPERF_")}
    return outer | {"COLUMNS": "120", "PY_COLORS": "0", "NO_COLOR": "1"}


def family(session: int) -> list[int]:
    """Processes of this session that are not zombies, from /proc."""
    found = []
    for entry in os.listdir("/proc"):
        try:
            fields = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
        except (OSError, ValueError):
            continue
        if entry.isdigit() and int(fields[3]) == session and fields[0] != "Z":
            found.append(int(entry))
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until(condition, what):
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.02)


def said(text: str) -> str:
    """What stands in a panel, as one line."""
    return " ".join(text.replace("│", " ").split())


@pytest.fixture
def command(tmp_path):
    one = Command(tmp_path)
    yield one
    one.close()


@pytest.fixture
def server(tmp_path):
    """A script that really restarts a server, a little slower or faster at each boot."""
    folder = tmp_path / "server"
    folder.mkdir()
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    script = folder / "restart.sh"
    script.write_text(RESTART.format(server=shlex.join(COMMAND), port=port))
    (folder / "speeds").write_text("0\n0\n200\n0\n")
    yield folder, f"http://127.0.0.1:{port}", f"sh {shlex.quote(str(script))}"
    if (folder / "pid").exists():
        os.kill(int((folder / "pid").read_text()), signal.SIGTERM)


def record(folder: Path, endpoint: str) -> Path:
    """Record a baseline by a real pytest run."""
    (folder / "test_perf.py").write_text(SUITE)
    run_pytest(folder, f"--aiperf-endpoint={endpoint}", "--aiperf-update=missing")
    [path] = folder.rglob("__aiperf__/**/*.json")
    return path


def run_pytest(folder: Path, *arguments: str) -> None:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        f"--rootdir={folder}",
        *arguments,
    ]
    subprocess.run(
        command, cwd=folder, env=environment(), timeout=DEADLINE_S, check=True, capture_output=True
    )


@pytest.fixture(scope="module")
def mock_baseline(tmp_path_factory):
    return record(tmp_path_factory.mktemp("suite"), MOCK).read_text()


@pytest.fixture
def recorded(tmp_path, mock_baseline):
    """A baseline of the embedded server that a real pytest run recorded, in a folder of its own."""
    path = tmp_path / "__aiperf__" / "test_chat.json"
    path.parent.mkdir()
    path.write_text(mock_baseline)
    return path


@pytest.fixture
def in_process(tmp_path, monkeypatch, capsys):
    """The command without the start of an interpreter: for what ends it before anything is started."""
    for name in [name for name in os.environ if name.startswith("AIPERF_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")

    def run(*arguments: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            build_app()(["calibrate", *arguments])
        out, err = capsys.readouterr()
        assert out == ""
        assert "Traceback" not in err
        return ended.value.code, said(err)

    return run


# Without a baseline.


def test_it_measures_a_load_and_writes_what_it_found(command):
    done = command.run(f"--endpoint={MOCK}", "--sessions=3", *LOAD, "--json=out.json", "--wanted=20%")
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"^session \d/3 of load: 5 runs", done.stderr, re.MULTILINE)) == 3
    assert max(map(len, done.stdout.splitlines())) <= 80
    for words in ("2 concurrent, 30 requests", "ttft p50", "itl p50", "worse by 20 %", "of one boot"):
        assert words in done.stdout
    [load] = json.loads((command.folder / "out.json").read_text())["loads"]
    assert load["baseline"] is None
    assert [len(session["runs"]) for session in load["sessions"]] == [5, 5, 5]
    ttft = load["metrics"]["time_to_first_token.p50"]
    assert ttft["calibration"]["run_sd"] > 0
    assert ttft["mde"].keys() == {"1", "3", "5"}
    assert sum(ttft["judged"].values()) == 1
    assert ttft["advice"]
    assert {path.name for path in command.folder.iterdir()} == {".aiperf", "out.json"}
    assert (command.folder / ".aiperf" / ".gitignore").read_text() == "*\n"
    assert family(command.processes[0].pid) == []


# With a baseline, and a server that really restarts.


def test_the_boots_of_a_real_server_are_calibrated_into_its_baseline(command, server, tmp_path):
    folder, url, restart = server
    suite = tmp_path / "suite"
    suite.mkdir()
    subprocess.run(restart, shell=True, check=True, timeout=DEADLINE_S, stdout=subprocess.DEVNULL)
    until(lambda: reachable(url), "the server")
    path = record(suite, url)
    before = store.load(path)
    arguments = (f"--endpoint={url}", f"--restart-command={restart}", "--sessions=3", "--json=out.json")

    done = command.run(str(path.parent), *arguments)
    assert done.returncode == 0, done.stderr
    assert len((folder / "boots").read_text().split()) == 1 + 3
    assert f"written into {path}" in done.stdout
    after = store.load(path)
    assert store.dump(after.model_copy(update={"variance": {}})) == store.dump(before)
    for name in ("time_to_first_token.p50", "inter_token_latency.p50"):
        # Boots of 1, 3 and 1: an sd of log(value) of 0.63, moderated by a prior of 0.015.
        assert after.variance[name].tau > 0.2
    [load] = json.loads((command.folder / "out.json").read_text())["loads"]
    assert load["restarted"] is True
    assert load["baseline"] == str(path)

    # The server that was started is the user's: it stays.
    assert alive(int((folder / "pid").read_text()))
    assert family(command.processes[0].pid) == []

    # And a later comparison is made with it.
    run_pytest(suite, f"--aiperf-endpoint={url}", "--aiperf-json=check.json", "--aiperf-mode=measure")
    [check] = json.loads((suite / "check.json").read_text())["measurements"]
    mdes = {row["metric"]: row["mde"] for row in check["comparisons"]}
    # Two sessions whose difference has an sd of 0.28 or more: a change below that is never found.
    assert mdes["time_to_first_token.p50"] > 0.3


def reachable(url):
    host, port = url.removeprefix("http://").split(":")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except OSError:
        return False
    return True


# What can be wrong.


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--sesions=3",), "Did you mean --sessions?"),
        (("--concurency=3",), "Did you mean --concurrency?"),
        (("--sessions=1",), "one session says nothing about how much sessions differ"),
        (("--sessions=many",), "--sessions"),
        (("--concurrency=0",), "concurrency='0': input should be greater than or equal to 1"),
        (("--seed=x",), "seed='x'"),
        (("--ready-timeout=soon",), "--ready-timeout: 'soon' is not a time"),
        (("--ready-timeout=0",), "above 0"),
        (("--wanted=much",), "--wanted: 'much' is not a share"),
        (("--wanted=500%",), "at most 100%, got 500%"),
        (("--wanted=nan",), "--wanted must be above 0"),
        (("--tolerance=ttft.p50",), "METRIC=TOLERANCE"),
        (("--tolerance=ttft.p50=wide",), "tolerance 'wide'"),
        (("--metrics=ttft.p51",), "p51"),
        (("--metrics=latency.p99",), "request_count of at least 1000"),
        (("--json=.",), "--json: cannot write"),
        (("nowhere.json",), "nowhere.json: there is no such file or folder"),
        (("--endpoint=ftp://x",), "not an http:// or https:// URL"),
        (("--endpoint=mock://?ttft_mss=3",), "did you mean 'ttft_ms'"),
        (("--endpoint=",), "Give its URL with --endpoint"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_bad_usage_ends_with_status_2_before_anything_is_started(in_process, arguments, message):
    given = () if any(a.startswith("--endpoint") for a in arguments) else ("--endpoint=http://127.0.0.1:1",)
    status, text = in_process(*given, "--request-count=30", *arguments)
    assert status == 2
    assert message in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--endpoint=http://127.0.0.1:1",), "cannot reach http://127.0.0.1:1"),
        (("--endpoint=http://127.0.0.1:1", "--model=m"), "127.0.0.1:1: Connection refused"),
        ((f"--endpoint={MOCK}&error_pct=50",), "error_share"),
    ],
    ids=["down", "down-with-model", "failing-often"],
)
def test_an_endpoint_that_cannot_be_measured_ends_with_status_3(command, arguments, message):
    done = command.run(*LOAD, *arguments)
    assert done.returncode == 3, done.stderr
    assert message in said(done.stderr)
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_restart_command_that_fails_shows_what_it_said(command):
    done = command.run(
        f"--endpoint={MOCK}", *LOAD, "--restart-command=echo no such service: vllm >&2; exit 5"
    )
    assert done.returncode == 3
    assert "the restart command ended with exit status 5" in said(done.stderr)
    assert "no such service: vllm" in said(done.stderr)


def test_a_restart_command_that_hangs_is_ended_with_all_that_it_started(command):
    hanging = "echo $$ > pid; trap '' TERM; sleep 1000 & sleep 1000; wait"
    done = command.run(f"--endpoint={MOCK}", *LOAD, "--ready-timeout=0.5", f"--restart-command={hanging}")
    assert done.returncode == 3
    assert "did not end within 0.5 s" in said(done.stderr)
    assert family(int((command.folder / "pid").read_text())) == []


def test_a_server_that_does_not_come_back_is_told(command):
    done = command.run(
        "--endpoint=http://127.0.0.1:1", *LOAD, "--ready-timeout=0.5", "--restart-command=true"
    )
    assert done.returncode == 3
    assert "did not answer within 0.5 s after its restart" in said(done.stderr)
    assert "cannot reach http://127.0.0.1:1" in said(done.stderr)


def test_a_baseline_of_another_load_is_refused(in_process, recorded):
    text = recorded.read_text()
    status, told = in_process(str(recorded), "--endpoint=http://127.0.0.1:1", "--concurrency=3", "--model=m")
    assert status == 2
    assert "concurrency was 2, is 3" in told
    assert "leave out --concurrency" in told
    assert recorded.read_text() == text


def test_a_broken_baseline_a_folder_of_none_and_one_that_cannot_be_written(
    in_process, recorded, tmp_path, monkeypatch
):
    broken = tmp_path / "broken.json"
    broken.write_text(recorded.read_text()[:1000])
    status, told = in_process(str(recorded), str(broken), "--endpoint=http://127.0.0.1:1")
    assert (status, "broken.json: not JSON" in told) == (2, True)
    (tmp_path / "empty").mkdir()
    status, told = in_process("empty", "--endpoint=http://127.0.0.1:1")
    assert (status, "there is no baseline" in told) == (2, True)
    # Stands in for permissions, which do not bind root.
    monkeypatch.setattr(store.os, "access", lambda folder, mode: False)
    status, told = in_process(str(recorded), "--endpoint=http://127.0.0.1:1")
    assert (status, "cannot be written" in told) == (2, True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "terminate"])
def test_an_interruption_ends_everything_and_writes_nothing(command, recorded, number):
    text = recorded.read_text()
    process = command.start(
        str(recorded), f"--endpoint={MOCK}", "--sessions=500", "--json=out.json", "--restart-command=true"
    )
    assert process.stderr.readline().startswith("session 1/500 of test_perf.py::test_chat: 5 runs, ttft p50 ")
    assert len(family(process.pid)) >= 2
    process.send_signal(number)
    process.wait(DEADLINE_S)
    assert process.returncode == 130
    until(lambda: family(process.pid) == [], "its processes to end")
    last_words = process.stderr.read()
    assert last_words.endswith("interrupted: nothing was written\n")
    assert "Traceback" not in last_words
    assert recorded.read_text() == text
    assert not (command.folder / "out.json").exists()
    assert list(recorded.parent.iterdir()) == [recorded]


def test_an_interruption_ends_a_restart_command_in_its_middle(command):
    hanging = "echo $$ > pid.new; mv pid.new pid; sleep 1000"
    process = command.start(f"--endpoint={MOCK}", *LOAD, f"--restart-command={hanging}")
    pid_file = command.folder / "pid"
    until(pid_file.exists, "the restart command")
    process.send_signal(signal.SIGINT)
    process.wait(DEADLINE_S)
    assert process.returncode == 130
    assert family(int(pid_file.read_text())) == []
