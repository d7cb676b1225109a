"""Our gate beside the usual tests, on the same draws (row 8).

Both rivals get 3 + 3 runs of 200 requests at one-sided 1 %: Mann-Whitney over the pooled requests, Welch's t-test on
the logs of the run values. Our gate begins with the same runs, and goes on to five and eight where it asks for more,
spending the same 1 % over its three looks, as ``--aiperf-against`` does: this is judged. Other ways to take it are
shown beside it.

A twenty-fifth of Mann-Whitney's false alarms is judged on the quiet endpoint. On the noisy one requests differ so much
that Mann-Whitney errs less (13.5 instead of 23 %): a twenty-fifth of that, .54 %, is half of what the gate may spend,
and it spends .6. That figure is printed beside the same goal and not judged.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
from endpoint_model import run_stats
from figure_table import Figure, Ratio
from scipy import stats
from verdict_figures import NOISY, PAIRED, QUIET, chunks, looks

from pytest_aiperf.judge import judge

MODELS = {"quiet": replace(QUIET, run_sd=0.02), "noisy": NOISY}
ONE_LOOK = replace(PAIRED, looks=(3,), alpha_fail=(0.01,), alpha_pass=(0.05,))
WAYS = {
    "in turn": "as shipped, 3 + 3, 5 + 5, 8 + 8 runs",
    "five": "5 baseline runs, 3 to 8 candidate runs",
    "one look": "3 + 3 runs, one look at 1 %",
    "first look": "3 + 3 runs, the first look alone (.3 %)",
}
"""Ways to take our gate; the first is judged."""


def alarms(n, *, endpoint, times=1):
    """Nothing is wrong: our false alarms against those of Mann-Whitney, in so many times `n` comparisons."""
    counted = _play(10, times * n, MODELS[endpoint], slower=1.0)
    return _against("Mann-Whitney", counted, endpoint, "at most", 1 / 25)


def power(n, *, endpoint):
    """+10 %: what we find against what Welch finds."""
    return _against("Welch", _play(11, n, MODELS[endpoint], slower=1.1), endpoint, "at least", 1.5)


def _against(rival, counted, endpoint, kind, goal):
    n = counted["n"]
    what = "A/A" if kind == "at most" else "+10 %"
    ratios = [
        Ratio(
            name=f"8 {endpoint} {what} / {rival}: {text}",
            count=counted[way],
            other=counted[rival],
            both=counted[way, rival],
            n=n,
            kind=kind,
            goal=goal,
            judged=way == "in turn" and (kind, endpoint) != ("at most", "noisy"),
        )
        for way, text in WAYS.items()
    ]
    shares = [
        Figure(name=f"8 {endpoint} {what}, regressed: {WAYS.get(who, who)}", count=counted[who], n=n)
        for who in ("Mann-Whitney", "Welch", *WAYS)
    ]
    return [*ratios, *shares]


def _play(seed, n, model, *, slower):
    """Comparisons called slower, by who calls, and how often together with a rival."""
    rng = np.random.default_rng(seed)
    counted = Counter(n=n)
    for size in chunks(n):
        before, now = model.latencies(rng, size, 1, 8), model.latencies(rng, size, 1, 8, slower=slower)
        before_stats, now_stats = run_stats(before, 0.5), run_stats(now, 0.5)
        called = {
            "Mann-Whitney": _mann_whitney(before[:, :, :3], now[:, :, :3]),
            "Welch": _welch(before_stats, now_stats),
        }
        ours = [_ours(b, c) for (b,), (c,) in zip(before_stats, now_stats, strict=True)]
        called |= {way: np.array([one[way] for one in ours]) for way in WAYS}
        for who, calls in called.items():
            counted[who] += int(calls.sum())
            for rival in ("Mann-Whitney", "Welch"):
                counted[who, rival] += int((calls & called[rival]).sum())
    return counted


def _mann_whitney(before, now):
    pooled = (side.reshape(len(side), -1) for side in (now, before))
    return stats.mannwhitneyu(*pooled, alternative="greater", axis=-1).pvalue < 0.01


def _welch(before, now):
    logs = (np.log([[run.value for run in session[:3]] for (session,) in side]) for side in (now, before))
    return stats.ttest_ind(*logs, axis=-1, equal_var=False, alternative="greater").pvalue < 0.01


def _ours(before, now):
    """Regressed or not, by way."""
    first = judge([before[:3]], [now[:3]], PAIRED)
    return {
        "in turn": in_turn(before, now).verdict == "regressed",
        "five": looks([before[:5]], now, PAIRED)[0].verdict == "regressed",
        "one look": judge([before[:3]], [now[:3]], ONE_LOOK).verdict == "regressed",
        "first look": first.verdict == "regressed",
    }


def in_turn(before, now):
    """The last decision about two servers that are measured in turn, so that both sides grow."""
    for look, n_runs in enumerate(PAIRED.looks):
        decision = judge([before[:n_runs]], [now[:n_runs]], PAIRED, look)
        if not decision.more_runs_help:
            break
    return decision
