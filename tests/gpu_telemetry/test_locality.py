"""This machine's GPUs are read by default only where the server is on this machine."""

from __future__ import annotations

import socket

import pytest

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.gpu_telemetry.locality import collector_for, is_own_host
from pytest_aiperf.plugin.testing import mock_plugin


def own(host):
    return host in ("localhost", "127.0.0.1", "::1", "gpu-box")


def choose(urls, *requested):
    found = collector_for(urls, requested, is_own=own)
    return found.collector, found.sources


@pytest.mark.parametrize(
    ("urls", "collector"),
    [
        (["http://localhost:8000"], "nvml"),
        (["http://127.0.0.1:8000/v1", "http://gpu-box:8001"], "nvml"),
        (["http://[::1]:8000"], "nvml"),
        (["http://serving.example:8000"], None),
        (["http://localhost:8000", "http://serving.example:8000"], None),
        (["mock://?ttft_ms=3"], None),
        (["http://["], None),
        ([], None),
    ],
)
def test_the_local_collector_runs_by_itself_only_beside_a_local_endpoint(urls, collector):
    assert choose(urls) == (collector, ())


def test_elsewhere_it_says_how_to_see_the_gpus():
    found = collector_for(["http://serving.example:8000"], is_own=own)
    assert not found.asked_for
    assert found.why.endswith(
        "serving.example is another machine; name its exporter to see its GPUs: serving.example:9400"
    )


def test_the_local_collector_on_request_comes_with_a_note_that_it_is_another_machine():
    found = collector_for(["http://serving.example"], ["nvml"], is_own=own)
    assert (found.collector, found.asked_for) == ("nvml", True)
    assert "reads the GPUs of this machine, and serving.example is another one" in found.why
    assert collector_for(["http://localhost"], ["NVML"], is_own=own).why == "it was asked for"


@pytest.mark.parametrize(
    ("word", "url"),
    [
        ("node1:9400", "http://node1:9400/metrics"),
        ("http://node1:9400", "http://node1:9400/metrics"),
        ("http://node1:9400/", "http://node1:9400/metrics"),
        ("https://node1/gpu/metrics", "https://node1/gpu/metrics"),
        ("[::1]:9400", "http://[::1]:9400/metrics"),
    ],
)
def test_an_exporter_is_named_by_its_address(word, url):
    assert choose(["http://serving.example"], word) == ("dcgm", (url,))
    assert choose(["http://localhost"], "dcgm", word, "node2:9400") == (
        "dcgm",
        (url, "http://node2:9400/metrics"),
    )


def test_dcgm_without_an_address_is_asked_on_the_endpoints_machines():
    urls = ["http://a:8000", "http://a:8001", "http://[fd00::1]:8000"]
    assert choose(urls, "dcgm") == ("dcgm", ("http://a:9400/metrics", "http://[fd00::1]:9400/metrics"))


def test_it_can_be_turned_off():
    assert choose(["http://localhost"], "none") == (None, ())


@pytest.mark.parametrize(
    ("requested", "said"),
    [
        (["nvlm"], r"'nvlm' \(did you mean 'nvml'\?\): write one of"),
        (["nvml", "node1:9400"], "more: leave one"),
        (["nvml", "dcgm"], "more: leave one"),
        (["http://user:secret@node1:9400"], "holds credentials"),
        (["ftp://node1"], "no exporter's address"),
        (["node1:port"], "no exporter's address"),
        (["http://"], "no exporter's address"),
    ],
)
def test_a_word_that_means_nothing_is_refused_with_what_would(requested, said):
    with pytest.raises(ConfigurationError, match=said) as caught:
        collector_for(["http://localhost"], requested, is_own=own)
    assert "secret@" not in str(caught.value)


def test_a_third_partys_collector_can_be_asked_for():
    with mock_plugin("gpu_telemetry_collector", "amd_smi", "amd_smi:Collector", metadata={"is_local": True}):
        assert choose(["http://localhost"], "amd-smi") == ("amd_smi", ())


def test_own_are_loopback_and_the_addresses_that_this_machine_has():
    assert is_own_host("localhost")
    assert is_own_host("127.0.0.7")
    assert is_own_host("0.0.0.0")
    assert not is_own_host("192.0.2.1")  # kept for documentation, given to nobody
    assert not is_own_host("")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9)) if has_a_way_out() else probe.bind(("127.0.0.1", 0))
        assert is_own_host(probe.getsockname()[0])


def has_a_way_out():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return False
    return True


def test_a_host_that_nobody_knows_is_not_ours(monkeypatch):
    def fail(*_args, **_kwargs):
        raise socket.gaierror(8, "no such host")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    assert not is_own_host("no-such-host")
