"""Is another look worth its runs?

More runs of the present session make its own mean better known. They do nothing about how much sessions differ, and
against a baseline of one session that is mostly what the interval is made of: there the gate would often go on to its
last look and be no wiser. So before each further look the chance is worked out that the last one would settle it,
given what was seen so far (conditional power; Lan, Simon and Halperin 1982, doi:10.1080/07474948208836014). It can only
end a measurement as inconclusive earlier; it makes nothing red and nothing green.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pytest_aiperf.judge.difference import Difference
    from pytest_aiperf.judge.samples import Policy

WORTH_TRYING: Final = 0.1
"""Smallest chance of a verdict for which the runs of the remaining looks are made."""


def chance_to_settle(found: Difference, policy: Policy, *, alpha_share: float = 1.0) -> float:
    """Return the probability, 0 to 1, that the last look settles it, the variances staying as they are.

    The difference at the last look is taken as normal about the present one, with the spread that the runs still to
    come leave. A stored baseline stays as it is; of two servers that are measured in turn both get these runs.
    """
    more = policy.looks[-1] - found.candidate_runs
    if more <= 0 or found.candidate_sessions != 1:
        return 0.0
    growing = [found.candidate_runs] + [found.baseline_runs] * (policy.relation == "paired")
    gained = found.run_variance * sum(1 / runs - 1 / (runs + more) for runs in growing)
    last = replace(found, se=math.sqrt(max(found.se**2 - gained, 0.0)), df=found.df + more * len(growing))
    spread = math.sqrt(gained)
    to_pass = last.log_tolerance - last.upper(policy.alpha_pass[-1])
    must_clear = last.log_tolerance if policy.strict else 0.0
    to_regress = max(
        must_clear - last.lower(policy.alpha_fail[-1] * alpha_share), last.log_tolerance - last.log_change
    )
    return _below(to_pass, spread) + 1 - _below(to_regress, spread)


def _below(distance: float, spread: float) -> float:
    """Probability that a normal step of this spread stays below a distance."""
    if spread == 0.0:
        return float(distance > 0)
    return 0.5 * math.erfc(-distance / spread / math.sqrt(2))
