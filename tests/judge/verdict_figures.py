"""How often the verdict is wrong: each function plays one setting and returns its figures beside their goals."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from endpoint_model import EndpointModel, run_stats
from scipy import stats

from pytest_aiperf.judge import MetricSamples, Policy, confirm, judge, judge_metrics, judge_stalls
from pytest_aiperf.judge.verdict import another_look

QUIET = EndpointModel(request_sd=0.10)
NOISY = EndpointModel(request_sd=0.25)
PAIRED = Policy(relation="paired")
STORED = Policy(relation="same_host")
CHUNK = 1000
"""Comparisons played at once: bounds the memory to about 200 MB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A share that was counted, and what it should be."""

    name: str
    count: int
    n: int
    kind: Literal["at most", "at least"]
    goal: float

    @property
    def share(self) -> float:
        return self.count / self.n

    def __str__(self) -> str:
        low, high = stats.binomtest(self.count, self.n).proportion_ci(0.95)
        interval = f"(95 % interval {100 * low:.2f} to {100 * high:.2f})"
        return f"{self.name}: {100 * self.share:.2f} % of {self.n} {interval}; goal {self.kind} {100 * self.goal:g} %"

    def holds_up_to_chance(self, risk=0.001) -> bool:
        """Not refuted: were the goal just met, counts as bad as this would come up at least as often as `risk`."""
        if self.kind == "at most":
            return self.count <= stats.binom.ppf(1 - risk, self.n, self.goal)
        return self.count >= stats.binom.ppf(risk, self.n, self.goal)


def chunks(n):
    """Sizes of at most CHUNK that add up to n."""
    return [min(CHUNK, n - start) for start in range(0, n, CHUNK)]


def looks(baseline, runs, policy):
    """Look at the growing candidate until it is settled: the last decision, its look and the runs used."""
    for look, n_runs in enumerate(policy.looks):
        decision = judge(baseline, [runs[:n_runs]], policy, look)
        if not decision.more_runs_help:
            break
    return decision, look, n_runs


def paired(seed, n, *, slower, quantile, model=QUIET, policy=PAIRED):
    """(regressed, passed, candidate runs in all) of n adaptive comparisons, 5 baseline runs."""
    rng = np.random.default_rng(seed)
    regressed = passed = used = 0
    for size in chunks(n):
        before = run_stats(model.latencies(rng, size, 1, 5), quantile)
        now = run_stats(model.latencies(rng, size, 1, 8, slower=slower), quantile)
        for baseline, (runs,) in zip(before, now, strict=True):
            decision, _, n_runs = looks(baseline, runs, policy)
            regressed += decision.verdict == "regressed"
            passed += decision.verdict == "pass"
            used += n_runs
    return regressed, passed, used


def without_own_scatter(seed, n, *, model):
    """Nothing wrong, paired, and no run knows its var_within, as with a throughput: regressed."""
    rng = np.random.default_rng(seed)
    before, now = (run_stats(model.latencies(rng, n, 1, runs), None) for runs in (5, 8))
    forgotten = (
        [[replace(run, var_within=None) for run in runs] for (runs,) in side] for side in (before, now)
    )
    return sum(
        looks([baseline], runs, PAIRED)[0].verdict == "regressed"
        for baseline, runs in zip(*forgotten, strict=True)
    )


def stored(seed, n, *, slower, model, n_sessions=5, n_runs=3, confirmed=True):
    """Regressed among n adaptive comparisons with a stored baseline, with or without a confirming session."""
    rng = np.random.default_rng(seed)
    regressed = 0
    for size in chunks(n):
        before = run_stats(model.latencies(rng, size, n_sessions, n_runs), 0.5)
        now = run_stats(model.latencies(rng, size, 1, 8, slower=slower), 0.5)
        second = run_stats(model.latencies(rng, size, 1, 3, slower=slower), 0.5)
        for baseline, (runs,), (again,) in zip(before, now, second, strict=True):
            decision, look, used = looks(baseline, runs, STORED)
            if decision.verdict == "regressed" and confirmed:
                decision = confirm(baseline, runs[:used], again, STORED, look)
            regressed += decision.verdict == "regressed"
    return regressed


def row_1(n):
    """Nothing wrong, paired, quiet."""
    regressed, _, _ = paired(1, n, slower=1.0, quantile=0.5)
    return [Figure(name="1 A/A paired p50, regressed", count=regressed, n=n, kind="at most", goal=0.002)]


def row_2(n):
    """+10 % in the same setting; the tolerance is 5 % for both statistics. Also the runs used on average."""
    p50, _, used_p50 = paired(2, n, slower=1.1, quantile=0.5)
    p95, _, used_p95 = paired(3, n, slower=1.1, quantile=0.95)
    return [
        Figure(name="2 +10 % paired p50, found", count=p50, n=n, kind="at least", goal=0.99),
        Figure(name="2 +10 % paired p95, found", count=p95, n=n, kind="at least", goal=0.97),
    ], (used_p50 / n, used_p95 / n)


def row_3(n):
    """Baseline of five stored sessions of three runs, tau 1 %, with confirmation."""
    model = replace(QUIET, tau=0.01)
    false_alarms, found = (
        stored(seed, n, slower=slower, model=model) for seed, slower in ((4, 1.0), (5, 1.1))
    )
    return [
        Figure(name="3 A/A stored, regressed", count=false_alarms, n=n, kind="at most", goal=0.005),
        Figure(name="3 +10 % stored, found", count=found, n=n, kind="at least", goal=0.97),
    ]


def row_4(n):
    """Three in a hundred sessions are incidents."""
    model = replace(QUIET, tau=0.01, incident_share=0.03)
    regressed = stored(6, n, slower=1.0, model=model)
    return [Figure(name="4 A/A with incidents, regressed", count=regressed, n=n, kind="at most", goal=0.01)]


def row_4_without_confirmation(n):
    """What the second session is for."""
    model = replace(QUIET, tau=0.01, incident_share=0.03)
    return stored(6, n, slower=1.0, model=model, confirmed=False)


def row_5(n):
    """Coverage of the 95 % interval of the change: (name, share, lower goal, upper goal)."""
    return [
        _coverage(70 + i, n, replace(QUIET, rho=rho, request_sd=request_sd, run_sd=run_sd))
        for i, (rho, request_sd, run_sd) in enumerate(
            (rho, sd, run) for run in (0.015, 0.03) for sd in (0.10, 0.25) for rho in (0.0, 0.6, 0.9)
        )
    ]


def _coverage(seed, n, model):
    rng = np.random.default_rng(seed)
    covered = 0
    for size in chunks(n):
        before = run_stats(model.latencies(rng, size, 1, 5), 0.5)
        now = run_stats(model.latencies(rng, size, 1, 3, slower=1.07), 0.5)
        for baseline, candidate in zip(before, now, strict=True):
            low, high = judge(baseline, candidate, PAIRED).ci95
            covered += low <= 0.07 <= high
    goal = 0.93 if model.run_sd == 0.015 else 0.91
    name = f"5 coverage, rho {model.rho}, log-sd {model.request_sd}, run sd {model.run_sd}"
    return Figure(name=name, count=covered, n=n, kind="at least", goal=goal)


def row_6(n):
    """Four judged metrics, nothing wrong: p50 and p95 of two latencies, Holm within the test."""
    rng = np.random.default_rng(8)
    regressed = 0
    for size in chunks(n):
        sides = [(QUIET.latencies(rng, size, 1, 5), QUIET.latencies(rng, size, 1, 8)) for _ in range(2)]
        metrics = [
            (run_stats(before, q), run_stats(now, q), tolerance)
            for before, now in sides
            for q, tolerance in ((0.5, 0.05), (0.95, 0.10))
        ]
        for i in range(size):
            regressed += _any_regressed([(before[i], now[i][0], tol) for before, now, tol in metrics])
    return [
        Figure(name="6 four metrics A/A, any regressed", count=regressed, n=n, kind="at most", goal=0.003)
    ]


def _any_regressed(metrics):
    for look, n_runs in enumerate(PAIRED.looks):
        samples = {
            str(i): MetricSamples(
                baseline=before, candidate=[runs[:n_runs]], policy=replace(PAIRED, tolerance=tol)
            )
            for i, (before, runs, tol) in enumerate(metrics)
        }
        decisions = judge_metrics(samples, look)
        if not another_look(decisions, look, len(PAIRED.looks)):
            break
    return any(decision.verdict == "regressed" for decision in decisions.values())


def row_7(n):
    """Stalls from 0.5 % to 3 %, five runs of 200 requests on each side."""
    rng = np.random.default_rng(9)
    before = rng.binomial(200, 0.005, (2, n, 5)).tolist()
    now = [rng.binomial(200, share, (n, 5)).tolist() for share in (0.005, 0.03)]
    false_alarms, found = (
        sum(
            judge_stalls([[(k, 200) for k in b]], [[(k, 200) for k in c]]).verdict == "regressed"
            for b, c in zip(before[i], now[i], strict=True)
        )
        for i in range(2)
    )
    return [
        Figure(name="7 stalls .5 % A/A, regressed", count=false_alarms, n=n, kind="at most", goal=0.01),
        Figure(name="7 stalls .5 % to 3 %, found", count=found, n=n, kind="at least", goal=0.90),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rivals:
    """Counts of `n` comparisons called slower, on the same draws: 3 + 3 runs, one look, all at one-sided 1 %."""

    n: int
    ours: int
    mann_whitney: int
    welch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Verdicts of `n` comparisons with one stored session, and the runs that they took on average."""

    n: int
    regressed: int
    passed: int
    runs: float


def one_stored_session(n, *, slower, curtailed):
    """A baseline of one session of five runs, with and without ending early where more runs would not help."""
    rng = np.random.default_rng(12)
    model = replace(QUIET, tau=0.01)
    regressed = passed = used = 0
    for size in chunks(n):
        before = run_stats(model.latencies(rng, size, 1, 5), 0.5)
        now = run_stats(model.latencies(rng, size, 1, 8, slower=slower), 0.5)
        for baseline, (runs,) in zip(before, now, strict=True):
            for look, n_runs in enumerate(STORED.looks):
                decision = judge(baseline, [runs[:n_runs]], STORED, look)
                if decision.verdict != "inconclusive" or (curtailed and not decision.more_runs_help):
                    break
            regressed += decision.verdict == "regressed"
            passed += decision.verdict == "pass"
            used += n_runs
    return Spent(n=n, regressed=regressed, passed=passed, runs=used / n)


def row_8(n, *, model, slower):
    """Our gate, Mann-Whitney over pooled requests, and Welch's t on the logs of run values."""
    one_look = replace(PAIRED, looks=(3,), alpha_fail=(0.01,), alpha_pass=(0.05,))
    rng = np.random.default_rng(10)
    ours = mann_whitney = welch = 0
    for size in chunks(n):
        before, now = model.latencies(rng, size, 1, 3), model.latencies(rng, size, 1, 3, slower=slower)
        pooled = (side.reshape(size, -1) for side in (now, before))
        mann_whitney += np.count_nonzero(
            stats.mannwhitneyu(*pooled, alternative="greater", axis=-1).pvalue < 0.01
        )
        before_stats, now_stats = run_stats(before, 0.5), run_stats(now, 0.5)
        logs = (_log_values(side) for side in (now_stats, before_stats))
        p_welch = stats.ttest_ind(*logs, axis=-1, equal_var=False, alternative="greater").pvalue
        welch += np.count_nonzero(p_welch < 0.01)
        ours += sum(
            judge(baseline, candidate, one_look).verdict == "regressed"
            for baseline, candidate in zip(before_stats, now_stats, strict=True)
        )
    return Rivals(n=n, ours=ours, mann_whitney=int(mann_whitney), welch=int(welch))


def _log_values(sides):
    return np.array([[math.log(run.value) for run in session] for (session,) in sides])
