"""The workflows that people copy: they parse, their shell parses, their pytest commands are commands of today."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

CI = Path(__file__).parents[2] / "examples" / "ci"
GITHUB, GITLAB = (yaml.safe_load((CI / name).read_text()) for name in ("github-actions.yml", "gitlab-ci.yml"))
STAGES = {"script", "before_script", "after_script"}


def github_shell():
    return [step["run"] for job in GITHUB["jobs"].values() for step in job["steps"] if "run" in step]


def gitlab_shell():
    jobs = [job for job in GITLAB.values() if isinstance(job, dict)]
    return ["\n".join(job[stage]) for job in jobs for stage in STAGES & set(job)]


def pytest_commands(shell):
    """The arguments of each pytest command."""
    lines = shell.replace("\\\n", " ").splitlines()
    return [shlex.split(line)[1:] for line in lines if re.match(r"\s*\S*\.venv/bin/pytest ", line)]


@pytest.mark.parametrize("shell", [*github_shell(), *gitlab_shell()])
def test_the_shell_of_each_step_parses(shell):
    done = subprocess.run(["bash", "-n"], input=shell, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("steps", [github_shell(), gitlab_shell()], ids=["github", "gitlab"])
def test_each_pytest_command_parses_and_asks_for_a_measurement(pytester, steps):
    commands = [command for shell in steps for command in pytest_commands(shell)]
    assert len(commands) == 4
    for command in commands:
        config = pytester.parseconfig(*command)
        assert config.getoption("aiperf_require")
    updates = [pytester.parseconfig(*command).getoption("aiperf_update") for command in commands]
    assert sorted(filter(None, updates)) == ["all", "regressed,missing"]


def test_only_one_github_job_may_write_and_it_runs_nothing_of_the_pull_request():
    assert GITHUB["permissions"] == {"contents": "read"}
    writing = [name for name, job in GITHUB["jobs"].items() if "permissions" in job]
    assert writing == ["commit"]
    shell = "".join(step.get("run", "") for step in GITHUB["jobs"]["commit"]["steps"])
    assert not re.search(r"pytest|pip|python", shell)


def test_github_actions_are_pinned_and_no_expression_stands_in_shell():
    uses = [step["uses"] for job in GITHUB["jobs"].values() for step in job["steps"] if "uses" in step]
    assert [use for use in uses if not re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", use)] == []
    assert [shell for shell in github_shell() if "${{" in shell] == []


def test_jobs_on_a_card_wait_for_each_other_and_leave_no_token_on_it():
    on_cards = {name: job for name, job in GITHUB["jobs"].items() if "self-hosted" in job["runs-on"]}
    assert set(on_cards) == {"check", "record", "compare"}
    for job in on_cards.values():
        assert job["concurrency"]["group"] == f"{job['runs-on'][-1]}-1"
        assert (job["concurrency"]["cancel-in-progress"], job["concurrency"]["queue"]) == (False, "max")
        assert "head.repo.full_name == github.repository" in job["if"]
        checkouts = [s for s in job["steps"] if s.get("uses", "").startswith("actions/checkout")]
        assert [s for s in checkouts if s["with"]["persist-credentials"] is not False] == []
    assert GITLAB[".gpu"]["resource_group"] == "h100-1"
    assert GITLAB["compare"]["resource_group"] == "h100-x2-1"


def test_every_gitlab_job_extends_and_needs_jobs_that_are_there():
    jobs = {name: job for name, job in GITLAB.items() if isinstance(job, dict)}
    named = {
        other
        for job in jobs.values()
        for key in ("extends", "needs")
        for other in ([job[key]] if isinstance(job.get(key), str) else job.get(key, []))
    }
    assert named <= set(jobs)
    assert {job["stage"] for job in jobs.values() if "stage" in job} <= set(GITLAB["stages"])
