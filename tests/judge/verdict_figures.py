"""How often the verdict is wrong: each function plays one setting and returns its figures beside their goals."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from endpoint_model import EndpointModel, run_stats
from figure_table import Figure, Mean

from pytest_aiperf.judge import MetricSamples, Policy, confirm, judge, judge_metrics, judge_stalls
from pytest_aiperf.judge.variance import PRIOR_RUN_SD
from pytest_aiperf.judge.verdict import another_look

QUIET = EndpointModel(request_sd=0.10)
NOISY = EndpointModel(request_sd=0.25)
PAIRED = Policy(relation="paired")
STORED = Policy(relation="same_host")
CHUNK = 1000
"""Comparisons played at once: bounds the memory to about 200 MB."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What came of many adaptive comparisons."""

    regressed: int
    runs: list[int]
    """Candidate runs of each."""


def paired(seed, n, *, slower, quantile, model=QUIET, policy=PAIRED):
    """n adaptive comparisons, 5 baseline runs."""
    rng = np.random.default_rng(seed)
    regressed, runs_used = 0, []
    for size in chunks(n):
        before = run_stats(model.latencies(rng, size, 1, 5), quantile)
        now = run_stats(model.latencies(rng, size, 1, 8, slower=slower), quantile)
        for baseline, (runs,) in zip(before, now, strict=True):
            decision, _, n_runs = looks(baseline, runs, policy)
            regressed += decision.verdict == "regressed"
            runs_used.append(n_runs)
    return Played(regressed=regressed, runs=runs_used)


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
    played = paired(1, n, slower=1.0, quantile=0.5)
    return [
        Figure(name="1 A/A paired p50, regressed", count=played.regressed, n=n, kind="at most", goal=0.002)
    ]


def row_2(n):
    """+10 % in the same setting; the tolerance is 5 % for both statistics.

    The goal for the runs names no statistic: the mean of both is judged, and each is shown.
    """
    p50, p95 = (paired(seed, n, slower=1.1, quantile=q) for seed, q in ((2, 0.5), (3, 0.95)))
    runs = "2 +10 % paired, candidate runs on average"
    return [
        Figure(name="2 +10 % paired p50, found", count=p50.regressed, n=n, kind="at least", goal=0.99),
        Figure(name="2 +10 % paired p95, found", count=p95.regressed, n=n, kind="at least", goal=0.97),
        Mean.of(p50.runs, name=f"{runs}: p50", unit="runs", goal=3.5, judged=False),
        Mean.of(p95.runs, name=f"{runs}: p95", unit="runs", goal=3.5, judged=False),
        Mean.of([*p50.runs, *p95.runs], name=f"{runs}: both together", unit="runs", goal=3.5),
    ]


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


INCIDENTS = replace(QUIET, tau=0.01, incident_share=0.03)


def row_4(n):
    """Three in a hundred sessions are incidents."""
    alarms = stored(6, n, slower=1.0, model=INCIDENTS)
    return [Figure(name="4 A/A with incidents, regressed", count=alarms, n=n, kind="at most", goal=0.01)]


def row_4_without_confirmation(n):
    """What the second session is for."""
    alarms = stored(6, n, slower=1.0, model=INCIDENTS, confirmed=False)
    name = "4 the same without a second session"
    return [Figure(name=name, count=alarms, n=n, kind="at most", goal=0.01, judged=False)]


def row_5(n):
    """Coverage of the 95 % interval of the change."""
    settings = [(rho, sd, 0.015) for sd in (0.10, 0.25) for rho in (0.0, 0.6, 0.9)]
    settings += [(rho, sd, 0.03) for sd in (0.10, 0.25) for rho in (0.0, 0.6, 0.9)]
    settings += [(0.6, sd, 0.0075) for sd in (0.10, 0.25)]
    return [
        _coverage(70 + i, n, replace(QUIET, rho=rho, request_sd=request_sd, run_sd=run_sd))
        for i, (rho, request_sd, run_sd) in enumerate(settings)
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
    name = f"5 interval covers: rho {model.rho}, log-sd {model.request_sd}, run sd {100 * model.run_sd:g} %"
    if model.run_sd == PRIOR_RUN_SD:
        return Figure(name=name, count=covered, n=n, kind="at least", goal=0.93, no_more_than=0.98)
    return Figure(name=f"{name} (prior off by two)", count=covered, n=n, kind="at least", goal=0.91)


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
    """Stalls from 0.5 % to 3 %, runs of 200 requests: five on each side and one look at 1 %, and as it ships."""
    rng = np.random.default_rng(9)
    before = rng.binomial(200, 0.005, (2, n, 5)).tolist()
    now = [rng.binomial(200, share, (n, 8)).tolist() for share in (0.005, 0.03)]
    alarms, found = (
        sum(
            judge_stalls([_counts(b)], [_counts(c[:5])]).verdict == "regressed"
            for b, c in zip(before[i], now[i], strict=True)
        )
        for i in range(2)
    )
    shipped_alarms, shipped_found = (
        sum(_stalls_at_all_looks(b, c) for b, c in zip(before[i], now[i], strict=True)) for i in range(2)
    )
    looks = "looks at 3, 5, 8 runs, 1 % in all"
    return [
        Figure(name="7 stalls .5 % A/A, regressed", count=alarms, n=n, kind="at most", goal=0.01),
        Figure(name="7 stalls .5 % to 3 %, found", count=found, n=n, kind="at least", goal=0.90),
        Figure(name=f"7 A/A, {looks}", count=shipped_alarms, n=n, kind="at most", goal=0.01, judged=False),
        Figure(name=f"7 to 3 %, {looks}", count=shipped_found, n=n, kind="at least", goal=0.90, judged=False),
    ]


def _counts(stalled):
    return [(k, 200) for k in stalled]


def _stalls_at_all_looks(before, now):
    for n_runs, alpha in zip(PAIRED.looks, PAIRED.alpha_fail, strict=True):
        decision = judge_stalls([_counts(before)], [_counts(now[:n_runs])], alpha=alpha)
        if decision.verdict != "inconclusive":
            break
    return decision.verdict == "regressed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Verdicts of `n` comparisons with one stored session, and the runs that each took."""

    n: int
    regressed: int
    passed: int
    runs_used: list[int]

    @property
    def runs(self):
        """On average."""
        return sum(self.runs_used) / self.n


def one_stored_session(n, *, slower, curtailed):
    """A baseline of one session of five runs, with and without ending early where more runs would not help."""
    rng = np.random.default_rng(12)
    model = replace(QUIET, tau=0.01)
    regressed = passed = 0
    runs_used = []
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
            runs_used.append(n_runs)
    return Spent(n=n, regressed=regressed, passed=passed, runs_used=runs_used)


def ending_early(n):
    """What it costs to stop where more runs would not help: verdicts, of which hardly any may be lost."""
    n //= 4
    rows = []
    for slower in (1.0, 1.03, 1.1):
        whole, early = (one_stored_session(n, slower=slower, curtailed=c) for c in (False, True))
        setting = f"one stored session, x{slower:g}"
        for name, lost in (
            ("regressed", whole.regressed - early.regressed),
            ("pass", whole.passed - early.passed),
        ):
            text = f"{setting}, verdicts lost: {name}"
            rows.append(Figure(name=text, count=max(lost, 0), n=n, kind="at most", goal=0.01))
        for name, played in (("all looks", whole), ("ended early", early)):
            rows.append(Mean.of(played.runs_used, name=f"{setting}, candidate runs: {name}", unit="runs"))
    return rows
