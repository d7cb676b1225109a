"""PYTEST_DONT_REWRITE. Tells the user, now, why nothing happens: a test waits for somebody else's measurement."""

from __future__ import annotations

import sys
from contextlib import nullcontext

import pytest


def say(config: pytest.Config, text: str) -> None:
    """Print a line past pytest's capture, from any process of the session; nothing under ``-qq``.

    A worker has no terminal, but the user's stderr is its own: execnet leaves it alone.
    """
    if config.get_verbosity() < -1:
        return
    capture = config.pluginmanager.get_plugin("capturemanager")
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    with nullcontext() if capture is None else capture.global_and_fixture_disabled():
        if terminal is None or hasattr(config, "workerinput"):
            print(f"\naiperf: {text}", file=sys.stderr, flush=True)
        else:
            terminal.ensure_newline()
            terminal.write_line(f"aiperf: {text}")
            terminal.flush()
