"""Wait until a server that is starting answers a request of the load that is to be measured.

Not until a port is open or a health page says so: servers open their port, and some their health page, long before
the model is loaded.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from pytest_aiperf.common.errors import EndpointError
from pytest_aiperf.common.records import Outcome
from pytest_aiperf.measure.plan import single_request
from pytest_aiperf.measure.runs import describe_errors
from pytest_aiperf.measure.side import Side

EVERY_S: Final = 0.25
_LEAST_S: Final = 0.1


def wait_until_it_answers(side_of: Callable[[], Side], *, timeout_s: float) -> None:
    """Return as soon as each URL has answered one request.

    Args:
        side_of: makes the side anew at each try: it may have to ask the server for its model.
        timeout_s: longest wait.

    Raises:
        EndpointError: not in time; the text has the last failure.
    """
    deadline_s = time.monotonic() + timeout_s
    while True:
        try:
            _ask(side_of(), deadline_s)
            return
        except EndpointError as error:
            if time.monotonic() + EVERY_S >= deadline_s:
                raise EndpointError(
                    f"the server did not answer within {timeout_s:g} s after its restart: {error}\n"
                    "See the server's own log, or raise --ready-timeout."
                ) from None
        time.sleep(EVERY_S)


def _ask(side: Side, deadline_s: float) -> None:
    plan = side.maker.plan
    for url in plan.urls:
        left_s = max(deadline_s - time.monotonic(), _LEAST_S)
        single = replace(
            single_request(plan),
            url=url,
            connect_timeout_s=min(plan.connect_timeout_s, left_s),
            request_timeout_s=min(plan.request_timeout_s, left_s),
        )
        batch = side.maker.load.run(single)
        if not len(batch) or batch.outcome[0] != Outcome.OK:
            raise EndpointError(f"{url}: {describe_errors(batch.errors)}")
