"""What children log (systems.md H5, H6)."""

from __future__ import annotations

import logging

import pytest

from pytest_aiperf.services.process import ServiceProcess

WAIT_S = 20.0


@pytest.mark.parametrize(("level", "shown"), [("WARNING", 2), ("DEBUG", 3)])
def test_it_reaches_the_loggers_of_the_parent_without_secrets(tmp_path, caplog, monkeypatch, level, shown):
    """H6: caplog has it, so a test's report has it. H5: the level is that of the parent. G4."""
    monkeypatch.setenv("AIPERF_API_KEY", "sk-of-the-environment")
    caplog.set_level(level, logger="pytest_aiperf")
    caplog.set_level(level, logger="gossip_service")
    with ServiceProcess("gossip_service:Talker", log_dir=tmp_path) as process:
        pid = process.wait_ready() and process.pid
        assert process.request("order", {"what": "speak"}, deadline_s=WAIT_S).payload["words"] == "speak"
    records = [record for record in caplog.records if record.name == "gossip_service.Talker"]
    assert len(records) == shown
    assert records[0].message == f"[gossip_service:Talker {pid}] before it is ready"
    assert records[-1].message.endswith("the key is ***")
    assert records[0].filename == "gossip_service.py"
    assert records[0].levelno == logging.WARNING
    (log,) = tmp_path.iterdir()
    assert "sk-of" not in log.read_text()
    assert "WARNING gossip_service.Talker: before it is ready" in log.read_text()
