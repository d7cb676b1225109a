"""`pytest-aiperf config`, as users run it."""

from __future__ import annotations

import pytest
import yaml

from pytest_aiperf.cli import build_app
from pytest_aiperf.cli_commands.config_file import read_file
from pytest_aiperf.measure.profiling import ProfileRequest, Profiling

SECRET = "sk-1234567890"


@pytest.fixture
def call(capsys, monkeypatch, tmp_path):
    """Run the command in an empty folder; exit status, standard output, standard error."""
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.chdir(tmp_path)

    def called(*arguments):
        status = 0
        try:
            build_app()(["config", *arguments])
        except SystemExit as ended:
            status = int(ended.code or 0)
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return called


def test_init_writes_a_file_that_is_valid(call, tmp_path):
    assert call("init") == (0, "written: aiperf.yaml\n", "")
    assert call("validate", "aiperf.yaml") == (0, "aiperf.yaml: no problem found\n", "")
    assert call("init", "other.yaml")[0] == 0
    assert (tmp_path / "other.yaml").read_text() == (tmp_path / "aiperf.yaml").read_text()


def test_init_overwrites_only_when_it_is_told_to(call, tmp_path):
    path = tmp_path / "aiperf.yaml"
    path.write_text("mine")
    status, out, err = call("init")
    assert (status, out) == (2, "")
    assert "aiperf.yaml is there already; --force overwrites it" in err
    assert path.read_text() == "mine"
    assert call("init", "--force")[0] == 0
    assert path.read_text().startswith("# Options")


def test_init_into_a_folder_that_is_not_there_is_told(call):
    status, _, err = call("init", "nowhere/aiperf.yaml")
    assert status == 2
    assert "cannot write nowhere/aiperf.yaml: No such file or directory" in err


def test_expand_prints_what_a_file_comes_to_and_no_secret(call, tmp_path, monkeypatch):
    monkeypatch.setenv("MY_SERVER", "http://a")
    monkeypatch.setenv("MY_KEY", SECRET)
    monkeypatch.setenv("AIPERF_API_KEY", SECRET)
    (tmp_path / "a.yaml").write_text(
        "variables: {n: 4}\nendpoint: {url: '${MY_SERVER}', headers: {x-key: $MY_KEY}}\n"
        "load: {concurrency: '{{ n }}'}\noutput: {jsonPath: out/result.json}\n"
    )
    status, out, err = call("expand", "a.yaml")
    assert (status, err) == (0, "")
    sections = yaml.safe_load(out)
    assert sections["endpoint"]["url"] == "http://a"
    assert sections["load"]["concurrency"] == 4
    assert sections["input"]["isl"] == 128
    assert sections["output"] == {"jsonPath": str(tmp_path / "out" / "result.json")}
    assert sections["endpoint"]["headers"] == {"x-key": "$MY_KEY"}
    assert SECRET not in out
    (tmp_path / "expanded.yaml").write_text(out)
    assert call("expand", "expanded.yaml") == (0, out, "")


def test_expand_of_a_wrong_file_ends_with_2(call, tmp_path):
    (tmp_path / "a.yaml").write_text("load: {concurency: 1}\n")
    status, out, err = call("expand", "a.yaml")
    assert (status, out) == (2, "")
    assert "a.yaml:1: load.concurency: unknown key (did you mean 'concurrency'?)" in err


def test_validate_tells_all_problems_of_all_files_and_ends_with_2(call, tmp_path):
    (tmp_path / "good.yaml").write_text("load: {concurrency: 1}\n")
    (tmp_path / "bad.yaml").write_text(
        "load:\n  concurrency: 0\n  requestRate: -1\nverdict: {metrics: [tfft]}\n"
    )
    (tmp_path / "odd.yaml").write_text("load: {requestRate: 5, userCentricRate: 5, numUsers: 1}\n")
    status, out, err = call("validate", "bad.yaml", "good.yaml", "odd.yaml", "none.yaml")
    assert (status, err) == (2, "")
    lines = out.splitlines()
    assert [line.strip().partition(" ")[0] for line in lines] == [
        "bad.yaml:2:",
        "bad.yaml:3:",
        "bad.yaml:4:",
        "good.yaml:",
        "odd.yaml:",
        "none.yaml:",
    ]
    assert lines[3] == "good.yaml: no problem found"
    assert lines[5] == "none.yaml: there is no such file"


def test_validate_without_a_file_ends_with_2(call):
    status, _, err = call("validate")
    assert status == 2
    assert "which file?" in err


def test_what_is_left_out_of_a_newer_file_is_told(call, tmp_path):
    (tmp_path / "a.yaml").write_text("schemaVersion: '1.7'\nload: {shape: new}\n")
    status, out, err = call("validate", "a.yaml")
    assert (status, out) == (0, "a.yaml: no problem found\n")
    assert err.startswith("warning: a.yaml: line 2: load.shape is not known here")


def test_profile_takes_a_file_as_the_weakest_place(tmp_path):
    path = tmp_path / "aiperf.yaml"
    path.write_text(
        "endpoint: {url: 'http://a'}\nload: {concurrency: 2, requestCount: 300}\n"
        "verdict: {metrics: [itl.p50], tolerance: {itl.p50: 7%, ttft.p50: 8%}}\n"
    )
    asked = ProfileRequest(
        given={"concurrency": "3"},
        environment={"request_count": "400"},
        file=read_file(path),
        tolerance={"ttft.p50": "9%"},
    )
    profiling = Profiling(asked)
    assert (profiling.options.concurrency, profiling.options.request_count) == (3, 400)
    config = profiling.request(real_url=str, accelerator=lambda: None).config
    assert config.endpoint.url == "http://a"
    assert config.verdict.metrics == ("itl.p50",)
    assert {name: one.relative for name, one in config.verdict.tolerance.items()} == {
        "itl.p50": 0.07,
        "ttft.p50": 0.09,
    }


def test_profile_refuses_a_wrong_file(tmp_path, capsys):
    path = tmp_path / "aiperf.yaml"
    path.write_text("load: {concurency: 1}\n")
    with pytest.raises(SystemExit) as ended:
        build_app()(["profile", "-f", str(path)])
    assert ended.value.code == 2
    shown = "".join(line.strip("│ ") for line in capsys.readouterr().err.splitlines())
    assert "aiperf.yaml:1:load.concurency:unknownkey" in shown.replace(
        " ", ""
    )  # wherever the panel breaks the line
