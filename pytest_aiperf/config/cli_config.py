"""Every option, declared once, flat. From here come the pytest options, the ini keys, the marker's keywords, the
`profile` flags and docs/cli-options.md. Checks across fields live on `AIPerfConfig`.
"""

from __future__ import annotations

from pydantic import ConfigDict

from pytest_aiperf.config.dataset_options import DatasetOptions
from pytest_aiperf.config.endpoint_options import EndpointOptions
from pytest_aiperf.config.input_options import InputOptions
from pytest_aiperf.config.load_options import LoadOptions
from pytest_aiperf.config.media_options import MediaOptions
from pytest_aiperf.config.schedule_options import ScheduleOptions
from pytest_aiperf.config.service_options import ServiceOptions
from pytest_aiperf.config.synthesis_options import SynthesisOptions
from pytest_aiperf.config.transport_options import TransportOptions
from pytest_aiperf.config.verdict_options import VerdictOptions


class CLIConfig(
    VerdictOptions,
    ServiceOptions,
    MediaOptions,
    SynthesisOptions,
    DatasetOptions,
    InputOptions,
    ScheduleOptions,
    LoadOptions,
    TransportOptions,
    EndpointOptions,
):
    """What a user may give. None means "not given" wherever a default depends on something else.

    pydantic takes the fields of the last base first, so the bases stand in reverse.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
