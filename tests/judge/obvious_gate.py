"""The gate once more, as slowly and as plainly as it can be said, to check the real one against.

Written from the formulas of the method alone, with numpy and scipy.stats, which the package does not import.
"""

from __future__ import annotations

import numpy as np
from scipy import stats


def obvious_gate(baseline, candidate, policy, look=0, alpha_share=1.0):
    """(verdict, d, se, df, mde) for sides of usable runs that all know their var_within."""
    oriented = {"lower": 1, "higher": -1}[policy.direction]
    y_baseline = [[oriented * np.log(run.value) for run in session] for session in baseline]
    y_candidate = [[oriented * np.log(run.value) for run in session] for session in candidate]
    everything = y_baseline + y_candidate

    sum_of_squares = 0.0
    nu = 0
    for session in everything:
        for y in session:
            sum_of_squares += (y - np.mean(session)) ** 2
        nu += len(session) - 1
    vw = np.mean([run.var_within for side in (baseline, candidate) for session in side for run in session])
    if nu >= 2:
        vw = min(vw, sum_of_squares / stats.chi2.ppf(0.10, nu))
    s2 = (4 * (vw + 0.015**2) + sum_of_squares) / (4 + nu)

    n_baseline, n_candidate = len(baseline), len(candidate)
    baseline_means = [np.mean(session) for session in y_baseline]
    candidate_means = [np.mean(session) for session in y_candidate]
    one_over_runs = np.mean([1 / len(session) for session in baseline])
    if policy.relation == "paired":
        tau2, df_tau = 0.0, np.inf
    else:
        tau0 = (
            policy.tau if policy.tau is not None else {"same_host": 0.015, "same_part": 0.04}[policy.relation]
        )
        dt = 8 if n_baseline < 3 else 4
        hat = max(0.0, np.var(baseline_means, ddof=1) - s2 * one_over_runs) if n_baseline > 1 else 0.0
        tau2 = (dt * tau0**2 + (n_baseline - 1) * hat) / (dt + n_baseline - 1)
        df_tau = dt + n_baseline - 1

    d = np.mean(candidate_means) - np.mean(baseline_means)
    a = s2 * (one_over_runs / n_baseline + np.mean([1 / len(session) for session in candidate]) / n_candidate)
    w = tau2 * (1 / n_baseline + 1 / n_candidate)
    se = np.sqrt(a + w)
    df = (a + w) ** 2 / (a**2 / (4 + nu) + w**2 / df_tau)

    baseline_value = np.exp(oriented * np.mean(baseline_means))
    lt = max(np.log(1 + policy.tolerance), np.log(1 + policy.floor / baseline_value))
    t_fail = stats.t.ppf(1 - policy.alpha_fail[look] * alpha_share, df)
    t_pass = stats.t.ppf(1 - policy.alpha_pass[look], df)
    lower, upper = d - t_fail * se, d + t_pass * se
    if (lower > lt) if policy.strict else (lower > 0 and d > lt):
        verdict = "regressed"
    elif upper < lt:
        verdict = "pass"
    else:
        verdict = "inconclusive"
    t_luck = stats.t.ppf(0.95, df)
    found = lt + (t_fail + t_luck) * se if policy.strict else max((t_fail + t_luck) * se, lt + t_luck * se)
    return verdict, d, se, df, np.expm1(found)
