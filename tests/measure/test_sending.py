"""Offered, sent, late: what became of the schedule of a run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hand_made import batch_of

from pytest_aiperf.common.records import ABSENT
from pytest_aiperf.measure.sending import sending_of


def test_a_turn_that_was_given_up_was_offered_and_not_sent():
    batch = batch_of([0, 10, 20], 5, facts={"planned": 3})
    given_up = np.array([False, True, False])
    sending = sending_of(replace(batch, t0=np.where(given_up, ABSENT, batch.t0)))
    assert (sending.offered, sending.sent) == (3, 2)
