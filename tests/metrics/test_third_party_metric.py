"""A metric that somebody else registers is a metric like any other; a broken one is left out."""

from __future__ import annotations

import pytest

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.metrics.base_metric import BaseMetric, BaseRecordMetric
from pytest_aiperf.metrics.registry import all_metrics, parse_judged
from pytest_aiperf.plugin.entry import Entry, PluginWarning, Source
from pytest_aiperf.plugin.plugins import register


class Acme(BaseRecordMetric):
    tag = "acme"
    header = "Acme"
    unit = "ms"
    direction = "lower"
    group = "latency"
    display_order = 1
    stored = True

    def values(self, run):
        return run.good.astype(float)


@pytest.fixture
def registered():
    """Registers a class as the metric `acme` of another package."""

    def put(cls):
        source = Source(package="acme-plugins", file="plugins.yaml")
        register(
            "metric",
            "acme",
            Entry(category="metric", name="acme", class_path="x:Y", source=source, loaded=cls),
        )

    yield put
    register("metric", "acme", None)


def test_it_is_computed_and_judged_by_name_while_it_is_registered(registered):
    registered(Acme)
    assert isinstance(all_metrics()["acme"], Acme)
    assert all_metrics() is all_metrics()
    assert parse_judged("acme.p95") == ("acme", "p95")
    register("metric", "acme", None)
    with pytest.raises(ConfigurationError, match="unknown metric 'acme'"):
        parse_judged("acme.p95")


class NoUnit(Acme):
    unit = None


class OtherTag(Acme):
    tag = "other"


class Sideways(Acme):
    direction = "sideways"


class OfNoKind(BaseMetric):
    tag = "acme"


class Abstract(BaseRecordMetric):
    tag = "acme"


@pytest.mark.parametrize(
    ("cls", "told"),
    [
        (NoUnit, r"x:Y lacks unit \(a text\)"),
        (OtherTag, "has the tag 'other'; tag and registered name are the same"),
        (Sideways, "has no usable direction; write one of lower, higher, neutral"),
        (OfNoKind, "inherits from none of BaseRecordMetric, "),
        (Abstract, "lacks the method values"),
    ],
)
def test_a_broken_one_is_left_out_with_a_warning_that_names_it(registered, cls, told):
    registered(cls)
    with pytest.warns(PluginWarning, match=f"left out: metric 'acme' of acme-plugins: .*{told}"):
        assert "acme" not in all_metrics()
    assert "time_to_first_token" in all_metrics()
