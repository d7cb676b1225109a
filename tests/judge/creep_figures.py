"""A server that gets slower in small steps: what the comparison with the anchor finds, and what it costs.

Each function plays one setting and returns its figures beside their goals; those without a goal are there to compare.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from endpoint_model import run_stats
from figure_table import Figure
from verdict_figures import QUIET, STORED, chunks

from pytest_aiperf.baseline.history import KEEP
from pytest_aiperf.judge import MetricSamples, confirm_metrics, judge_metrics
from pytest_aiperf.judge.anchor import amount_to, anchored, with_anchor
from pytest_aiperf.judge.verdict import another_look

TAU_1, TAU_3 = (replace(QUIET, tau=tau) for tau in (0.01, 0.03))
RECORDED_RUNS, CHECKED_RUNS, CONFIRMING_RUNS = 5, 8, 3
STEPS = 16
"""Played of a creep; one that is not called within them counts as called at the next."""
SHARE_OF_CREEPS = 5
"""A history of up to sixteen checks is played for so many single comparisons of other figures."""


def stable_history(n):
    """Nothing wrong, after so many stored sessions. A tau of 3 % is twice the prior: to compare, no goal."""
    return [
        *(_alarms(n, sessions=sessions, model=TAU_1, anchor=True) for sessions in (3, 5, 10)),
        *(_alarms(n, sessions=3, model=TAU_3, anchor=anchor) for anchor in (False, True)),
        *(_alarms(n, sessions=10, model=TAU_3, anchor=anchor) for anchor in (False, True)),
    ]


def _alarms(n, *, sessions, model, anchor):
    played = checks(20 + sessions, n, sessions=sessions, model=model)
    count = sum(regressed(*one, anchor=anchor) for one in played)
    name = f"creep, A/A {_with(anchor)}, {sessions} x 5, tau {100 * model.tau:g} %, regressed"
    if model is TAU_3:
        return Figure(name=name, count=count, n=n)
    return Figure(name=name, count=count, n=n, kind="at most", goal=0.005)


def creep_called(n, *, metrics=1):
    """One of the metrics gets 1 % slower with every session that is appended; called by when, by the whole creep.

    With three judged metrics each has a third of the budget, and it takes one session more.
    """
    at = called_at(n // SHARE_OF_CREEPS, metrics=metrics)
    contrast = called_at(n // SHARE_OF_CREEPS, metrics=metrics, anchor=False)
    goal = {"kind": "at least", "goal": 0.9}
    promised = 0.12 if metrics == 1 else 0.13
    return [
        *(_called_by(at, whole, metrics=metrics) for whole in (0.06, 0.08, 0.10)),
        _called_by(at, promised, metrics=metrics, **goal),
        _called_by(contrast, promised, metrics=metrics, anchor=False),
    ]


def other_creeps(n):
    """To compare: faster and slower ones, a wider tolerance, and none at all, checked sixteen times with one anchor."""
    return [
        _called_by(called_at(n // SHARE_OF_CREEPS, anchor=anchor, **of), whole, anchor=anchor, **of)
        for whole, of in (
            (0.12, {"step": 0.02}),
            (0.08, {"step": 0.005}),
            (0.17, {"tolerance": 0.10}),
            (0.0, {"step": 0.0}),
        )
        for anchor in (True, False)
    ]


def _called_by(at, whole, *, anchor=True, metrics=1, step=0.01, tolerance=0.05, **goal):
    steps = int(math.log1p(whole) / math.log1p(step) + 1e-9) if step else STEPS
    of = f"1 of {metrics} metrics" if metrics > 1 else f"tolerance {100 * tolerance:g} %"
    name = f"creep of {100 * step:g} % a session, {of}, {_with(anchor)}, called by {100 * whole:g} %"
    return Figure(name=name, count=sum(one <= steps for one in at), n=len(at), **goal)


def slower_at_once(n, *, slower, metrics=1):
    """What the anchor's place in Holm's family costs: a plain regression of one metric, 5 x 3 stored runs."""
    found = dict.fromkeys((False, True), 0)
    for one in checks(40, n, sessions=5, runs=3, slower=slower, metrics=metrics):
        for anchor in found:
            found[anchor] += regressed(*one, anchor=anchor)
    name = f"creep, instead {100 * (slower - 1):+.0f} % at once in 1 of {metrics}"
    goals = {"kind": "at least", "goal": 0.97} if (slower, metrics) == (1.1, 1) else {}
    return [
        Figure(name=f"{name}, {_with(anchor)}, found", count=count, n=n, **goals)
        for anchor, count in found.items()
    ]


def _with(anchor):
    return "with the anchor" if anchor else "without it"


def regressed(baseline, runs, again, *, anchor=True, policy=STORED):
    """Whether a check ends red: looks, and a second session before red. Values are by metric."""
    for look, n_runs in enumerate(policy.looks):
        samples = {
            name: MetricSamples(baseline=baseline[name], candidate=[runs[name][:n_runs]], policy=policy)
            for name in baseline
        }
        samples = with_anchor(samples) if anchor else samples
        decisions = amount_to(judge_metrics(samples, look))
        if not another_look(decisions, look, len(policy.looks)):
            break
    if any(one.verdict == "regressed" for one in decisions.values()):
        second = again | {anchored(name): runs for name, runs in again.items()}
        decisions = amount_to(confirm_metrics(samples, second, look))
    return any(one.verdict == "regressed" for one in decisions.values())


def checks(seed, n, *, sessions, slower=1.0, metrics=1, model=TAU_1, runs=RECORDED_RUNS):
    """(baseline, runs, runs of a second session) of n checks; of the metrics only the first gets slower."""
    rng = np.random.default_rng(seed)
    for size in chunks(n):
        sides = [
            [
                run_stats(model.latencies(rng, size, *shape, slower=factor), 0.5)
                for shape, factor in (
                    ((sessions, runs), 1.0),
                    ((1, CHECKED_RUNS), slower if metric == 0 else 1.0),
                    ((1, CONFIRMING_RUNS), slower if metric == 0 else 1.0),
                )
            ]
            for metric in range(metrics)
        ]
        for i in range(size):
            yield (
                {str(m): side[0][i] for m, side in enumerate(sides)},
                {str(m): side[1][i][0] for m, side in enumerate(sides)},
                {str(m): side[2][i][0] for m, side in enumerate(sides)},
            )


def called_at(n, *, anchor=True, step=0.01, tolerance=0.05, metrics=1):
    """After how many steps n creeps were first called.

    After each step the server is checked; while that is not red, a session of it is appended and ten are kept.
    """
    rng = np.random.default_rng(60)
    policy = replace(STORED, tolerance=tolerance)
    steps = []
    for size in chunks(n):
        played = [_play(rng, size, step if metric == 0 else 0.0) for metric in range(metrics)]
        for i in range(size):
            histories = [[[kind[i][0] for kind in kinds] for kinds in history] for history in played]
            steps.append(_first_red(histories, anchor=anchor, policy=policy))
    return steps


def _play(rng, size, step):
    """By step: what was recorded then, the check's runs, and its second session's."""
    return [
        [
            run_stats(TAU_1.latencies(rng, size, 1, runs, slower=(1 + step) ** at), 0.5)
            for runs in (RECORDED_RUNS, CHECKED_RUNS, CONFIRMING_RUNS)
        ]
        for at in range(STEPS + 1)
    ]


def _first_red(histories, *, anchor, policy):
    for step in range(1, STEPS + 1):
        kept = [0, *range(max(1, step - KEEP + 1), step)]
        baseline = {str(m): [history[at][0] for at in kept] for m, history in enumerate(histories)}
        runs, again = (
            {str(m): history[step][kind] for m, history in enumerate(histories)} for kind in (1, 2)
        )
        if regressed(baseline, runs, again, anchor=anchor, policy=policy):
            return step
    return STEPS + 1
