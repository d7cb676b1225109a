"""What calibrating is worth, and whether its advice comes true: each function plays one setting."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from endpoint_model import run_stats
from figure_table import Figure
from verdict_figures import QUIET, STORED, looks

from pytest_aiperf.judge import (
    Calibration,
    RunStat,
    advise,
    calibrate,
    calibrated,
    confirm,
    judge,
    planned_mde,
)

CALIBRATED_FROM = 20
"""A/A sessions, of as many runs as are recorded."""
RECORDED_RUNS, CHECKED_RUNS = 5, 8
CHUNK = 250
"""Calibrations played at once: bounds the memory to about 100 MB."""


def worth(n, *, tau, stored, slower=1.1):
    """A check without and with calibration, each check with a calibration of its own; no confirmation."""
    rng, model = np.random.default_rng([30, stored]), replace(QUIET, tau=tau)
    called = {(kind, factor): 0 for kind in ("prior", "calibrated") for factor in (1.0, slower)}
    for start in range(0, n, CHUNK):
        size = min(CHUNK, n - start)
        known, before, now = (
            run_stats(model.latencies(rng, size, *shape), 0.5)
            for shape in ((CALIBRATED_FROM, RECORDED_RUNS), (stored, RECORDED_RUNS), (1, CHECKED_RUNS))
        )
        for sessions, baseline, (runs,) in zip(known, before, now, strict=True):
            policies = {"prior": STORED, "calibrated": calibrated(STORED, calibrate(sessions, STORED))}
            for kind, factor in called:
                decision, _, _ = looks(baseline, slowed(runs, factor), policies[kind])
                called[kind, factor] += decision.verdict == "regressed"
    setting = f"tau {100 * tau:g} %, {stored} stored"
    goal = {"kind": "at most", "goal": sum(STORED.alpha_fail)}
    return [
        Figure(
            name=f"{setting}, {kind}: {'A/A, regressed' if factor == 1.0 else f'+{100 * factor - 100:g} %, found'}",
            count=count,
            n=n,
            judged=kind == "calibrated" and factor == 1.0,
            **(goal if factor == 1.0 else {}),
        )
        for (kind, factor), count in called.items()
    ]


def slowed(runs, factor):
    """The same runs of a slower server."""
    return [replace(run, value=run.value * factor) for run in runs]


def advice_comes_true(n, *, tau, wanted):
    """For each plan of the advice, calibrated values being true: a server slower by exactly its MDE, found or not."""
    truth = Calibration(
        run_sd=0.02,
        run_df=84.0,
        tau=tau,
        tau_df=23.0,
        n_sessions=CALIBRATED_FROM,
        n_runs=RECORDED_RUNS,
        n_requests=200.0,
        value=100.0,
        var_within=2e-4,
    )
    return [
        _found_at_its_mde(np.random.default_rng([31, i]), n, option, truth)
        for i, option in enumerate(advise(truth, wanted=wanted, policy=STORED))
    ]


def _found_at_its_mde(rng, n, option, truth):
    sampling = truth.var_within * truth.n_requests / option.n_requests
    run_sd = math.sqrt(truth.run_sd**2 - truth.var_within + sampling)
    policy = calibrated(_planned(option), replace(truth, run_sd=run_sd))
    noise = {"tau": 0.0 if option.paired else truth.tau, "run_sd": run_sd, "var_within": sampling}
    stored = (1, option.runs) if option.paired else (option.sessions, RECORDED_RUNS)
    before = _sessions(rng, n, *stored, **noise)
    now = _sessions(rng, n, 1, option.runs, **noise)
    found = sum(
        _regressed(baseline, slowed(runs, 1 + option.mde), policy)
        for baseline, (runs,) in zip(before, now, strict=True)
    )
    kind = "paired" if option.paired else f"{option.sessions} stored"
    setting = f"tau {100 * truth.tau:g} %, {kind}, {option.runs} runs of {option.n_requests}"
    return Figure(
        name=f"{setting}: +{100 * option.mde:.1f} %, its MDE, found",
        count=found,
        n=n,
        kind="at least",
        goal=0.93,
        no_more_than=0.97,
    )


def _sessions(rng, n, n_sessions, n_runs, *, tau, run_sd, var_within):
    """n sides, their run values drawn as such: nested lists of RunStat."""
    log_values = rng.normal(math.log(100), run_sd, (n, n_sessions, n_runs))
    log_values += rng.normal(0.0, tau, (n, n_sessions, 1))
    return [
        [[RunStat(value, 200, var_within) for value in session] for session in side]
        for side in np.exp(log_values).tolist()
    ]


def _planned(option):
    """How a check of so many runs at most is judged: one look spends all that three would."""
    relation = "paired" if option.paired else "same_host"
    first = STORED.looks[0]
    if option.runs == first:
        alphas = {"alpha_fail": (sum(STORED.alpha_fail),), "alpha_pass": (sum(STORED.alpha_pass),)}
        return replace(STORED, relation=relation, looks=(first,), **alphas)
    return replace(STORED, relation=relation, looks=(first, (first + option.runs) // 2, option.runs))


def _regressed(baseline, runs, policy):
    """Looks until it is settled; of two servers in turn both have as many runs at each look."""
    for look, n_runs in enumerate(policy.looks):
        before = [baseline[0][:n_runs]] if policy.relation == "paired" else baseline
        decision = judge(before, [runs[:n_runs]], policy, look)
        if not decision.more_runs_help:
            break
    return decision.verdict == "regressed"


def found_after_calibrating(n, *, tau, calibrated_from=CALIBRATED_FROM):
    """The whole way: calibrate, read what a check with three stored sessions would find, be slower by exactly that."""
    rng = np.random.default_rng(32)
    noise = {"tau": tau, "run_sd": 0.02, "var_within": 2e-4}
    known = _sessions(rng, n, calibrated_from, RECORDED_RUNS, **noise)
    before = _sessions(rng, n, 3, RECORDED_RUNS, **noise)
    now = _sessions(rng, n, 1, CHECKED_RUNS, **noise)
    found, mdes = 0, []
    for sessions, baseline, (runs,) in zip(known, before, now, strict=True):
        known_now = calibrate(sessions, STORED)
        mdes.append(planned_mde(known_now, STORED, runs=CHECKED_RUNS, sessions=3))
        found += _regressed(baseline, slowed(runs, 1 + mdes[-1]), calibrated(STORED, known_now))
    goal = {"kind": "at least", "goal": 0.90} if calibrated_from >= CALIBRATED_FROM else {}
    setting = f"tau {100 * tau:g} %, calibrated from {calibrated_from}"
    median = f"{100 * np.median(mdes):.1f} %"
    return [Figure(name=f"{setting}: at its MDE (median {median}), found", count=found, n=n, **goal)]


def calibrated_on_quieter_days(n, *, then, now, stored):
    """To be read, no goals: A/A where sessions differ more than when they were calibrated (all of one hour, say)."""
    rng, noise = np.random.default_rng(33), {"run_sd": 0.02, "var_within": 2e-4}
    known = _sessions(rng, n, CALIBRATED_FROM, RECORDED_RUNS, tau=then, **noise)
    before, first, second = (
        _sessions(rng, n, *shape, tau=now, **noise)
        for shape in ((stored, RECORDED_RUNS), (1, CHECKED_RUNS), (1, 3))
    )
    called = {"prior": 0, "calibrated": 0, "calibrated, confirmed": 0}
    for sessions, baseline, (runs,), (again,) in zip(known, before, first, second, strict=True):
        called["prior"] += _regressed(baseline, runs, STORED)
        policy = calibrated(STORED, calibrate(sessions, STORED))
        decision, look, used = looks(baseline, runs, policy)
        if decision.verdict == "regressed":
            called["calibrated"] += 1
            confirmed = confirm(baseline, runs[:used], again, policy, look)
            called["calibrated, confirmed"] += confirmed.verdict == "regressed"
    setting = f"calibrated at tau {100 * then:g} %, now {100 * now:g} %, {stored} stored"
    return [
        Figure(name=f"{setting}: A/A, {kind}", count=count, n=n, judged=False)
        for kind, count in called.items()
    ]
