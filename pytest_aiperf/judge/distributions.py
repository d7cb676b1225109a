"""Student's t and chi-square, in the two or three forms that the verdict needs.

From ``scipy.special``: ``scipy.stats`` holds the same numbers but takes four times as long to import, and
every measuring pytest session would pay for it.
"""

from __future__ import annotations

import math

from scipy.special import chdtri, ndtr, ndtri, stdtr, stdtrit


def t_upper(alpha: float, df: float) -> float:
    """The value that Student's t with `df` degrees of freedom exceeds with probability `alpha`.

    `df` may be infinite (the normal distribution). Taken from the lower tail, where a small `alpha` keeps its
    digits.
    """
    return -float(ndtri(alpha)) if math.isinf(df) else -float(stdtrit(df, alpha))


def t_tail(t: float, df: float) -> float:
    """Probability that Student's t with `df` degrees of freedom (infinite: the normal) exceeds `t`."""
    return float(ndtr(-t)) if math.isinf(df) else float(stdtr(df, -t))


def chi2_quantile(p: float, df: float) -> float:
    """The value below which chi-square with `df` degrees of freedom stays with probability `p`."""
    return float(chdtri(df, 1.0 - p))
