"""An endpoint whose reader ends the process that it runs in."""

from __future__ import annotations

import os

from pytest_aiperf.plugin.plugins import get_class

Chat = get_class("endpoint", "chat")


class DyingEndpoint(Chat):
    def read_stream(self, messages, *, done):
        os._exit(3)
