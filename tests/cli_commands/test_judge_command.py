"""`pytest-aiperf judge`: what pytest said of a measurement is said again from its files; then the exit statuses."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys

import pytest

from pytest_aiperf.cli import build_app

FAST = "mock://?ttft_ms=40&itl_ms=2&osl=4"
SLOW = f"{FAST}&slow_pct=60"
SUITE = """
    import pytest

    @pytest.mark.aiperf(concurrency=8, isl=8, osl=4, request_count=20)
    def test_chat(aiperf):
        aiperf.run()
"""
SAME_FIELDS = ("test", "name", "verdict", "reason", "headline", "comparisons", "changes")


def judge(capsysbinary, *arguments):
    """Run the command in this process; return exit status, stdout and the text of the panel on stderr."""
    with pytest.raises(SystemExit) as end:
        build_app()(["judge", *map(str, arguments)])
    out, err = capsysbinary.readouterr()
    rows = re.findall(r"^[│|] (.*?) *[│|]$", err.decode(), re.MULTILINE)
    return end.value.code, out, " ".join(rows)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A folder with baselines, a check that should pass and one of a slower server, made by pytest itself."""
    folder = tmp_path_factory.mktemp("measured")
    (folder / "test_perf.py").write_text("\n".join(line[4:] for line in SUITE.splitlines()))
    for name, endpoint, *options in (
        ("recorded", FAST, "--aiperf-update"),
        ("same", FAST),
        ("slow", SLOW),
        ("two", SLOW, f"--aiperf-against={FAST}"),
    ):
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_perf.py"]
        given = [f"--aiperf-endpoint={endpoint}", f"--aiperf-json={name}.json", *options]
        done = subprocess.run([*command, *given], cwd=folder, capture_output=True, text=True, timeout=150)
        assert done.returncode in (0, 1), done.stdout + done.stderr
    return folder


@pytest.fixture
def files(measured, tmp_path, monkeypatch):
    """A copy of them to work in."""
    shutil.copytree(measured, tmp_path / "work")
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


def documented(path):
    (entry,) = json.loads(path.read_text())["measurements"]
    return entry


def edited(path, change):
    document = json.loads(path.read_text())
    change(document["measurements"][0])
    path.write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("given", "name"),
    [(["__aiperf__", "same.json"], "same"), (["__aiperf__", "slow.json"], "slow"), (["two.json"], "two")],
)
def test_the_verdict_of_pytest_is_repeated_field_by_field(files, capsysbinary, given, name):
    then = documented(files / f"{name}.json")
    code, out, _ = judge(capsysbinary, *given, "--json=-")
    (now,) = json.loads(out)["measurements"]
    assert {field: now[field] for field in SAME_FIELDS} == {field: then[field] for field in SAME_FIELDS}
    assert code == {"pass": 0, "inconclusive": 0, "regressed": 1}[then["verdict"]]
    if name != "same":
        assert then["verdict"] == "regressed"


def test_the_text_has_the_headline_and_the_table_that_pytest_prints(files, capsysbinary):
    code, out, _ = judge(capsysbinary, "__aiperf__", "slow.json")
    lines = out.decode().splitlines()
    assert code == 1
    assert lines[:2] == [
        "test_perf.py::test_chat: regressed",
        f"  {documented(files / 'slow.json')['headline']}",
    ]
    assert any(
        re.match(r"  metric +baseline +now +change \(95 % CI\) +allowed +detectable", s) for s in lines
    )
    assert any(re.match(r"  ttft p50 .*REGRESSED$", s) for s in lines)


def test_the_same_files_give_the_same_bytes(files, capsysbinary):
    first = judge(capsysbinary, "__aiperf__", "slow.json", "--json=-")[1]
    assert judge(capsysbinary, "__aiperf__", "slow.json", "--json", "new/verdict.json")[0] == 1
    assert (files / "new" / "verdict.json").read_bytes() == first
    assert json.loads(first)["schema"] == 1


def test_the_document_is_all_there_is_on_stdout_where_it_goes_there(files, capsysbinary):
    assert json.loads(judge(capsysbinary, "same.json", "slow.json", "--json=-")[1])["verdict"] == "regressed"


def test_options_say_what_is_judged_otherwise(files, capsysbinary):
    wide = ["--tolerance=ttft.p50=400%", "--tolerance", "itl=400%", "--metrics=ttft.p50,itl.p50"]
    _, out, _ = judge(capsysbinary, "__aiperf__", "slow.json", *wide, "--strict", "--json=-")
    (now,) = json.loads(out)["measurements"]
    rows = {row["metric"]: row for row in now["comparisons"] if row["unit"] != "share"}
    assert {name: (row["tolerance"], row["verdict"]) for name, row in rows.items()} == {
        "time_to_first_token.p50": (4, "pass"),
        "inter_token_latency.p50": (4, "pass"),
    }


def test_inconclusive_ends_with_4_only_where_it_should(files, capsysbinary):
    given = ["__aiperf__", "same.json", "--max-mde=0.1%"]
    assert judge(capsysbinary, *given)[0] == 0
    assert judge(capsysbinary, *given, "--fail-on-inconclusive")[0] == 4
    assert judge(capsysbinary, "__aiperf__", "slow.json", "--fail-on-inconclusive")[0] == 1


def test_an_invalid_measurement_ends_with_3(files, capsysbinary):
    edited(files / "slow.json", lambda m: m.update(verdict="invalid", reason="the clock was set"))
    code, out, _ = judge(capsysbinary, "__aiperf__", "slow.json")
    assert code == 3
    assert out.decode() == "test_perf.py::test_chat: invalid\n  the clock was set\n\n"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda m: m["key"].update(model="other"), "model was 'mock', is 'other'"),
        (lambda m: m["key"].update(test="t.py::x"), "test was 'test_perf.py::test_chat', is 't.py::x'"),
    ],
)
def test_what_cannot_be_compared_ends_with_2_and_says_why(files, capsysbinary, change, says):
    edited(files / "same.json", change)
    code, out, _ = judge(capsysbinary, "__aiperf__", "same.json")
    assert code == 2
    assert says in out.decode()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "give BASELINE and RESULT"),
        (["same.json"], "was not compared with a second server"),
        (["nothing.json", "same.json"], "nothing.json: there is no such file"),
        (["test_perf.py", "same.json"], "test_perf.py: not JSON"),
        (["__aiperf__", "same.json", "--alpha=1"], "--alpha 1"),
        (["__aiperf__", "same.json", "--tolerance=ttft"], "write METRIC=TOLERANCE"),
        (["__aiperf__", "same.json", "--json=test_perf.py/x"], "--json: cannot write test_perf.py/x"),
    ],
)
def test_usage_errors_end_with_2_and_a_panel_without_traceback(files, capsysbinary, arguments, says):
    code, _, text = judge(capsysbinary, *arguments)
    assert code == 2
    assert says in text


def test_swapped_files_end_with_2(files, capsysbinary):
    (baseline,) = files.glob("__aiperf__/**/*.json")
    assert judge(capsysbinary, "same.json", baseline)[0] == 2


def test_a_defect_is_not_taken_for_a_regression(files, capsysbinary, monkeypatch):
    monkeypatch.setattr("pytest_aiperf.measure.filed_verdict.judge_files", lambda *_: 1 / 0)
    code, _, text = judge(capsysbinary, "__aiperf__", "same.json")
    assert (code, text) == (3, "division by zero")


def test_what_was_recorded_has_nothing_earlier_to_be_compared_with(files, capsysbinary):
    code, out, _ = judge(capsysbinary, "__aiperf__", "recorded.json")
    assert code == 2
    assert "cannot be compared with itself" in out.decode()
