"""One measurement from beginning to end: probe, rehearsal, runs until the judge has seen enough, verdict.

The order of precautions is that of cost: what is wrong with the configuration or the baseline file is told before
the first request, a wrong URL or model by a single request, an overloaded server by the rehearsal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pytest_aiperf.measure.measurement import Measurement
from pytest_aiperf.measure.paired import PairedMeasuring
from pytest_aiperf.measure.request import MeasureRequest
from pytest_aiperf.measure.result import Result
from pytest_aiperf.measure.runs import LoadRunner, Progress
from pytest_aiperf.measure.slo import missed
from pytest_aiperf.measure.stored import StoredMeasuring

__all__ = ["MeasureRequest", "measure"]


def measure(
    request: MeasureRequest, *, load: LoadRunner, on_progress: Callable[[Progress], None] | None = None
) -> Measurement:
    """Measure and judge.

    Raises:
        ConfigurationError: the judged metrics or the endpoint's name are wrong.
        BaselineError: the stored baseline cannot be read, or could not be written.
        EndpointError: the server cannot be used.
        MeasurementError: the load could not be made.
    """
    way = PairedMeasuring if request.against and not request.quick else StoredMeasuring
    measurement = way(request, load=load, on_progress=on_progress).measure()
    if not request.slos or request.quick or measurement.verdict == "invalid":
        return measurement
    return replace(measurement, missed=missed(Result(measurement), request.slos))
