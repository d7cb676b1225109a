"""The verdict once more, as slowly and as plainly as it can be said, to check the real one against.

Written from the formulas of the method alone, with scipy.stats, exact fractions and brute force, and with nothing of
the package.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations
from math import comb, inf, isfinite, isinf, isnan

import numpy as np
from scipy import optimize, stats

LARGEST_LOG = 700.0
"""Figures stay finite: beyond this factor they end."""
TAU = {"same_host": 0.015, "same_part": 0.04}


def says_something(run, policy):
    if run.value is None or isnan(run.value) or isinf(run.value) or run.value < 0:
        return False
    return run.n_ok >= policy.min_requests


def usable(side, policy):
    """Only runs that can be compared, and only sessions that have any."""
    kept = [[run for run in session if says_something(run, policy) and run.value > 0] for session in side]
    return [session for session in kept if len(session) > 0]


def settled(baseline, candidate, policy):
    """The verdict where there is nothing to compute, else None."""
    if len(baseline) == 0:
        return "no_baseline"
    before, now = (
        [run.value for session in side for run in session if says_something(run, policy)]
        for side in (baseline, candidate)
    )
    if len(before) == 0 or len(now) == 0:
        return "inconclusive"
    if max(before) == 0 and max(now) == 0:
        return "pass"
    if max(before) == 0 or max(now) == 0:
        worse_by = np.mean(now) - np.mean(before)
        if policy.direction == "higher":
            worse_by = -worse_by
        if abs(worse_by) <= policy.floor:
            return "pass"
        if not policy.deterministic:
            return "inconclusive"
        return "regressed" if worse_by > 0 else "pass"
    return None


def obvious_estimate(baseline, candidate, policy):
    """(d, se, df, lt) of sides that :func:`settled` says nothing about."""
    baseline, candidate = usable(baseline, policy), usable(candidate, policy)
    oriented = {"lower": 1, "higher": -1}[policy.direction]
    y_baseline = [[oriented * np.log(run.value) for run in session] for session in baseline]
    y_candidate = [[oriented * np.log(run.value) for run in session] for session in candidate]
    s2, df_run = obvious_run_variance(baseline + candidate, policy)
    beyond = obvious_beyond_sampling(baseline + candidate, s2, policy)
    tau2, df_tau = obvious_session_variance(baseline, s2, policy, beyond)

    n_baseline, n_candidate = len(baseline), len(candidate)
    baseline_means = [np.mean(session) for session in y_baseline]
    candidate_means = [np.mean(session) for session in y_candidate]
    one_over_baseline = np.mean([1 / len(session) for session in baseline])
    one_over_candidate = np.mean([1 / len(session) for session in candidate])
    d = np.mean(candidate_means) - np.mean(baseline_means)
    a = s2 * (one_over_baseline / n_baseline + one_over_candidate / n_candidate)
    w = tau2 * (1 / n_baseline + 1 / n_candidate)
    se = np.sqrt(a + w)
    uncertain = a**2 / df_run + w**2 / df_tau
    df = (a + w) ** 2 / uncertain if uncertain > 0 else inf
    baseline_value = np.exp(oriented * np.mean(baseline_means))
    lt = max(np.log(1 + policy.tolerance), np.log(1 + policy.floor / baseline_value))
    return d, se, df, lt


def obvious_run_variance(sessions, policy):
    """(s², df) of sessions of usable runs."""
    sum_of_squares = 0.0
    nu = 0
    for session in sessions:
        logs = [np.log(run.value) for run in session]
        for y in logs:
            sum_of_squares += (y - np.mean(logs)) ** 2
        nu += len(session) - 1
    if policy.deterministic:
        return (sum_of_squares / nu, nu) if nu > 0 else (0.0, inf)
    if policy.run_sd is not None:
        prior = policy.run_sd**2
    else:
        variances = [run.var_within for session in sessions for run in session]
        known = [var for var in variances if var is not None and isfinite(var) and var >= 0]
        if len(known) == 0 and nu >= 2 and sum_of_squares / nu > 0.015**2:
            return sum_of_squares / nu, nu
        vw = np.mean(known) if len(known) > 0 else 0.0
        if nu >= 2:
            vw = min(vw, sum_of_squares / stats.chi2.ppf(0.10, nu))
        prior = vw + 0.015**2
    return (4 * prior + sum_of_squares) / (4 + nu), 4 + nu


def obvious_beyond_sampling(sessions, s2, policy):
    """What is left of the run variance without the sampling of requests."""
    if policy.deterministic:
        return 0.0
    logs = [[np.log(run.value) for run in session] for session in sessions]
    squares = sum((y - np.mean(ys)) ** 2 for ys in logs for y in ys)
    nu = sum(len(ys) - 1 for ys in logs)
    variances = [run.var_within for session in sessions for run in session]
    known = [var for var in variances if var is not None and isfinite(var) and var >= 0]
    vw = np.mean(known) if len(known) > 0 else 0.0
    if nu >= 2:
        vw = min(vw, squares / stats.chi2.ppf(0.10, nu))
    if len(known) == 0 and policy.run_sd is None and nu >= 2 and squares / nu > 0.015**2:
        return s2
    return max(0.0, s2 - vw)


def obvious_session_variance(baseline, s2, policy, beyond_sampling):
    """(tau², df) from the sessions of a baseline, all runs usable."""
    if policy.relation == "paired":
        return 0.0, inf
    n_sessions = len(baseline)
    hat = 0.0
    if n_sessions > 1:
        means = [np.mean([np.log(run.value) for run in session]) for session in baseline]
        hat = max(0.0, np.var(means, ddof=1) - s2 * np.mean([1 / len(session) for session in baseline]))
    if policy.deterministic and policy.tau is None:
        return (hat, n_sessions - 1) if n_sessions > 1 else (0.0, inf)
    tau0 = max(TAU[policy.relation], np.sqrt(beyond_sampling / 2)) if policy.tau is None else policy.tau
    dt = 8 if n_sessions < 3 else 4
    if policy.tau is not None and policy.tau_df is not None:
        dt = policy.tau_df
    return (dt * tau0**2 + (n_sessions - 1) * hat) / (dt + n_sessions - 1), dt + n_sessions - 1


def times_se(alpha, se, df):
    return 0.0 if se == 0 else stats.t.isf(alpha, df) * se


def obvious_gate(baseline, candidate, policy, look=0, alpha_share=1.0):
    """(verdict, d, se, df, mde); the figures are None where nothing was computed."""
    verdict = settled(baseline, candidate, policy)
    if verdict is not None:
        return verdict, None, None, None, None
    d, se, df, lt = obvious_estimate(baseline, candidate, policy)
    fail = times_se(policy.alpha_fail[look] * alpha_share, se, df)
    lower, upper = d - fail, d + times_se(policy.alpha_pass[look], se, df)
    if (lower > lt and d > lt) if policy.strict else (lower > 0 and d > lt):
        verdict = "regressed"
    elif upper < lt:
        verdict = "pass"
    else:
        verdict = "inconclusive"
    luck = times_se(0.05, se, df)
    found = lt + fail + luck if policy.strict else max(fail + luck, lt + luck)
    return verdict, d, se, df, np.expm1(min(found, LARGEST_LOG))


def obvious_verdicts(samples, look=0):
    """By metric, of a whole test.

    It takes Holm as the closed test that it abbreviates.
    """
    verdicts, p_values = {}, {}
    for name, (baseline, candidate, policy) in samples.items():
        verdicts[name] = settled(baseline, candidate, policy)
        if verdicts[name] is None:
            d, se, df, lt = obvious_estimate(baseline, candidate, policy)
            excess = d - (lt if policy.strict else 0.0)
            p = stats.t.sf(excess / se, df) if se > 0 else float(excess <= 0)
            p_values[name] = p / policy.alpha_fail[look]
    rejected = closed_test(p_values)
    for name in p_values:
        baseline, candidate, policy = samples[name]
        d, se, df, lt = obvious_estimate(baseline, candidate, policy)
        if name in rejected and d > lt:
            verdicts[name] = "regressed"
        elif d + times_se(policy.alpha_pass[look], se, df) < lt:
            verdicts[name] = "pass"
        else:
            verdicts[name] = "inconclusive"
    return verdicts


def closed_test(p_values):
    """The hypotheses that fall: those of which Bonferroni rejects every set that they belong to."""
    sets = [chosen for size in range(1, len(p_values) + 1) for chosen in combinations(sorted(p_values), size)]
    return {
        name
        for name in p_values
        if all(min(p_values[one] for one in chosen) < 1 / len(chosen) for chosen in sets if name in chosen)
    }


def obvious_confirmation(baseline, first, second, policy, look=0):
    """The verdict after a second session."""
    together = obvious_gate(baseline, [first, second], policy, look)[0]
    alone = settled(baseline, [second], policy)
    if alone is not None:
        agrees = alone == "regressed"
    else:
        d, _, _, lt = obvious_estimate(baseline, [second], policy)
        agrees = d > lt / 2
    return "regressed" if together == "regressed" and agrees else "inconclusive"


def obvious_interval(sessions, policy, level):
    """Ends of the interval of one side's own value, or None."""
    sessions = usable(sessions, policy)
    if len(sessions) == 0:
        return None
    s2, df_run = obvious_run_variance(sessions, policy)
    a, w, df_tau = s2 * np.mean([1 / len(session) for session in sessions]) / len(sessions), 0.0, inf
    if len(sessions) > 1:
        beyond = obvious_beyond_sampling(sessions, s2, policy)
        tau2, df_tau = obvious_session_variance(sessions, s2, policy, beyond)
        w = tau2 / len(sessions)
    uncertain = a**2 / df_run + w**2 / df_tau
    df = (a + w) ** 2 / uncertain if uncertain > 0 else inf
    middle = np.mean([np.mean([np.log(run.value) for run in session]) for session in sessions])
    margin = times_se((1 - level) / 2, np.sqrt(a + w), df)
    return np.exp(max(middle - margin, -LARGEST_LOG)), np.exp(min(middle + margin, LARGEST_LOG))


def obvious_fisher(baseline, candidate):
    """The share of all ways to place the failures that give the candidate as many or more: exact."""
    n_now, n_before = sum(candidate), sum(baseline)
    failed = baseline[1] + candidate[1]
    ways = sum(
        comb(n_now, k) * comb(n_before, failed - k) for k in range(candidate[1], min(failed, n_now) + 1)
    )
    return Fraction(ways, comb(n_now + n_before, failed))


def obvious_errors(baseline, candidate, alpha):
    """The verdict about failed requests, (n_ok, n_err) of either side."""
    if sum(baseline) == 0 or sum(candidate) == 0:
        return "inconclusive"
    excess = Fraction(candidate[1], sum(candidate)) - Fraction(baseline[1], sum(baseline))
    if excess <= Fraction(5, 1000):
        return "pass"
    return "regressed" if obvious_fisher(baseline, candidate) < Fraction(alpha) else "inconclusive"


def obvious_stalls(baseline, candidate, alpha, paired):
    """(verdict, the share that would have shown) about stalled requests; sessions of (stalled, all)."""
    before, now = (
        [used for session in side if len(used := [run for run in session if run[1] > 0]) > 0]
        for side in (baseline, candidate)
    )
    if len(before) == 0 or len(now) == 0:
        return "inconclusive", None
    n_typical = np.mean([n for session in before + now for _, n in session])
    roots_before, roots_now = (
        [[root(k / n * n_typical) for k, n in session] for session in side] for side in (before, now)
    )
    all_roots = roots_before + roots_now
    squares = sum((r - np.mean(roots)) ** 2 for roots in all_roots for r in roots)
    df_run = 4 + sum(len(roots) - 1 for roots in all_roots)
    s2 = (4 * 1.0 + squares) / df_run
    means_before, means_now = ([np.mean(roots) for roots in side] for side in (roots_before, roots_now))
    a = s2 * sum(np.mean([1 / len(r) for r in side]) / len(side) for side in (roots_before, roots_now))
    tau2, df_tau = 0.0, inf
    if not paired:
        more = len(before) - 1
        seen = 0.0
        if more > 0:
            seen = max(0.0, np.var(means_before, ddof=1) - s2 * np.mean([1 / len(r) for r in roots_before]))
        weight = 8 if len(before) < 3 else 4
        df_tau = weight + more
        tau2 = (weight * 0.3**2 + more * seen) / df_tau
    w = tau2 * (1 / len(before) + 1 / len(now))
    se, df = np.sqrt(a + w), (a + w) ** 2 / (a**2 / df_run + w**2 / df_tau)
    t = (np.mean(means_now) - np.mean(means_before)) / se
    share_before, share_now = (
        Fraction(
            sum(k for session in side for k, _ in session), sum(n for session in side for _, n in session)
        )
        for side in (before, now)
    )
    if share_now - share_before <= Fraction(1, 100):
        shows_at = np.mean(means_before) + (stats.t.isf(alpha, df) + stats.t.isf(0.05, df)) * se
        stalled = optimize.brentq(lambda k: root(k) - shows_at, 0, 1e6)
        shows = min(1.0, max(stalled / n_typical, share_before + 0.01))
        return "pass", f"{float(f'{100 * shows:.1f}'):g} %"
    return ("regressed" if stats.t.sf(t, df) < alpha else "inconclusive"), None


def root(count):
    return np.sqrt(count) + np.sqrt(count + 1)


def obvious_run_stat(values, q, n_failed=0):
    """(value, variance of its log from ten sections) of one run; `q` None is the mean."""
    values = np.array([value for value in values if not isnan(value)])
    finite = values[np.isfinite(values)]

    def statistic(part):
        return np.mean(part) if q is None else np.quantile(part, q)

    if q is None:
        value = statistic(values) if len(values) else None
    else:
        # Next to infinity numpy interpolates to NaN even where the neighbour has no weight.
        everything = np.concatenate([values, np.full(n_failed, 1e300)])
        value = statistic(everything) if len(everything) else None
        value = inf if value is not None and value > 1e200 else value
    if len(finite) < 50:
        return value, None
    sections = [statistic(part) for part in np.array_split(finite, 10)]
    whole = statistic(finite)
    if min(*sections, whole) <= 0:
        return value, None
    return value, sum((np.log(section) - np.log(whole)) ** 2 for section in sections) / 9 / 10
