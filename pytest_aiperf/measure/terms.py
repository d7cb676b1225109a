"""The terms on which all metrics of a measurement are judged: when it is looked at, and with how much risk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pytest_aiperf.config.aiperf_config import VerdictConfig
from pytest_aiperf.judge.samples import Policy

FIRST_LOOK: Final = 3
"""Runs before the first look: fewer say nothing of how much runs differ."""
_RISK_BY_LOOK: Final = (0.3, 0.3, 0.4)
"""How the looks share the risk of a wrong verdict, the last one with what earlier ones did not need."""
_RISK_OF_A_WRONG_PASS: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What holds for every judged metric, besides its tolerance and its direction."""

    looks: tuple[int, ...] = Policy().looks
    alpha_fail: tuple[float, ...] = Policy().alpha_fail
    alpha_pass: tuple[float, ...] = Policy().alpha_pass
    strict: bool = False
    max_mde: float | None = None
    paired: bool = False
    """Both sides were measured now, in turn."""

    @property
    def recorded_runs(self) -> int:
        """Runs of a session that is recorded: as many as the second look has."""
        return self.looks[:2][-1]


def terms_of(verdict: VerdictConfig, *, paired: bool = False) -> Terms:
    """Return the terms that a configuration asks for."""
    looks = looks_of(verdict.runs)
    return Terms(
        looks=looks,
        alpha_fail=_spent(verdict.alpha, looks),
        alpha_pass=_spent(_RISK_OF_A_WRONG_PASS, looks),
        strict=verdict.strict,
        max_mde=verdict.max_mde,
        paired=paired,
    )


def looks_of(runs: int) -> tuple[int, ...]:
    """Return after how many runs to look, for at most so many: 8 gives 3, 5, 8; 3 gives 3."""
    return tuple(sorted({FIRST_LOOK, (FIRST_LOOK + runs) // 2, runs}))


def _spent(risk: float, looks: Sequence[int]) -> tuple[float, ...]:
    early = [round(share * risk, 12) for share in _RISK_BY_LOOK[: len(looks) - 1]]
    return (*early, round(risk - sum(early), 12))
