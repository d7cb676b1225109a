"""What an import of the judge costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import pytest_aiperf.judge as judge_package


def modules_after(statement):
    """Names of the modules that a fresh interpreter holds after the statement."""
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"{statement}; import sys; print(*sys.modules)"],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        timeout=60,
        check=True,
        text=True,
    )
    return set(done.stdout.split())


def test_the_data_types_need_no_numerics():
    loaded = modules_after("from pytest_aiperf.judge import Decision, Policy, RunStat")
    assert not {"numpy", "scipy"} & loaded


def test_the_gate_needs_scipy_special_and_not_scipy_stats():
    loaded = modules_after("from pytest_aiperf.judge import *")
    assert "scipy.special" in loaded
    # scipy.linalg is not among them: from scipy 1.18 on, scipy.special itself imports it.
    assert not {"scipy.stats", "scipy.optimize", "pydantic"} & loaded


@pytest.mark.parametrize("name", judge_package.__all__)
def test_every_public_name_resolves_and_is_no_module(name):
    assert callable(getattr(judge_package, name))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'judges'"):
        _ = judge_package.judges
