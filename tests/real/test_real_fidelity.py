"""The engine's stamps of a real server's messages against a capture of the packets; fidelity_real.py has figures."""

from __future__ import annotations

import pytest
from packet_capture import permitted

pytestmark = pytest.mark.skipif(not permitted(), reason="needs a packet socket: root, and Linux")


@pytest.mark.parametrize("concurrency", [1, 4])
def test_messages_are_stamped_after_they_left_the_server_and_before_the_next_one_did(
    llama_server, tmp_path, concurrency
):
    from fidelity_real import measure

    from pytest_aiperf.services.load_process import LoadProcess

    with LoadProcess(log_dir=tmp_path) as load:
        compared = measure(load, llama_server, concurrency=concurrency, requests=20, folder=tmp_path)
    assert (compared.late_ns > 0).all(), "a message was stamped before it had left the server"
    assert compared.own.mean() > 0.5, f"only {compared.own.mean():.0%} were stamped before the next one left"
