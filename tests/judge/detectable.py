"""What a check can find, by how much sessions differ and how many are stored: ``python tests/judge/detectable.py``.

No simulation: the gate's own formula for a calibrated gate. Tolerance 5 %, run sd 2 %, up to 8 runs, stored sessions of
5 runs.
"""

from __future__ import annotations

from pytest_aiperf.judge import Calibration, Policy, planned_mde

TAUS = (0.003, 0.01, 0.015, 0.03)
SESSIONS = (1, 3, 5, 10)
POLICY = Policy(tolerance=0.05)


PRIORS = {"same host": 0.015, "other host": 0.04}
"""Not calibrated: the gate's own guess."""


def calibration(tau, tau_df=23):
    return Calibration(
        run_sd=0.02,
        run_df=84,
        tau=tau,
        tau_df=tau_df,
        n_sessions=20,
        n_runs=5,
        n_requests=200,
        value=100.0,
        var_within=2e-4,
    )


def rows():
    """The table, one line a session sd."""
    heads = [f"{stored} stored" for stored in SESSIONS]
    yield "smallest slowdown that is found with 95 % probability"
    yield "session sd  " + "".join(f"{head:>11}" for head in [*heads, "in turn"])
    for tau in TAUS:
        found = [planned_mde(calibration(tau), POLICY, runs=8, sessions=stored) for stored in SESSIONS]
        found.append(planned_mde(calibration(tau), POLICY, runs=8, sessions=1, paired=True))
        yield f"{100 * tau:<5g} %     " + "".join(f"{100 * mde:>9.1f} %" for mde in found)
    for name, tau in PRIORS.items():
        found = [
            planned_mde(calibration(tau, prior_df(stored)), POLICY, runs=8, sessions=stored)
            for stored in SESSIONS
        ]
        yield f"{name:<12}" + "".join(f"{100 * mde:>9.1f} %" for mde in found)


def prior_df(stored):
    """What the gate takes before anything was calibrated, when the stored sessions happen to bear its prior out."""
    return (8 if stored < 3 else 4) + stored - 1


if __name__ == "__main__":
    print(*rows(), sep="\n")
