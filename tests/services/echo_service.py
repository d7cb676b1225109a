"""A service of the tests' own: does what it is told, so that each way to fail can be had at will."""

from __future__ import annotations

import os
import signal
import sys
import time

from pytest_aiperf.common.errors import ConfigurationError, EndpointError
from pytest_aiperf.services.channel import ABORT, FAILED, PROGRESS, STOP
from pytest_aiperf.services.failure import to_payload


class EchoService:
    def __init__(self, channel, config):
        self.channel = channel
        self.config = config

    def make_ready(self):
        if "print" in self.config:
            print(self.config["print"], file=sys.stderr, flush=True)
        if "fail_at_start" in self.config:
            raise RuntimeError(self.config["fail_at_start"])
        if "refuse_to_start" in self.config:
            raise ConfigurationError(self.config["refuse_to_start"])
        time.sleep(self.config.get("start_s", 0.0))
        return {"greeting": "ready", "sigint_ignored": signal.getsignal(signal.SIGINT) == signal.SIG_IGN}

    def serve(self):
        while (message := self.channel.receive(None)).kind != STOP:
            if message.kind != ABORT:
                getattr(self, message.kind)(message)

    def echo(self, message):
        self.channel.send("echoed", message.payload, message.buffers)

    def fail(self, message):
        self.channel.send(FAILED, to_payload(EndpointError(message.payload["text"])))

    def crash(self, message):
        raise RuntimeError(message.payload["text"])

    def exit(self, message):
        os._exit(message.payload["status"])

    def garbage(self, message):
        os.write(self.channel.fileno(), b"\x00" * 64)

    def count(self, message):
        for number in range(message.payload["to"]):
            self.channel.send(PROGRESS, {"number": number})
        self.channel.send("counted")

    def wait_for_abort(self, message):
        self.channel.send(PROGRESS, {"waiting": True})
        self.channel.send("heard", {"kind": self.channel.receive(30.0).kind})

    def never(self, message):
        self.channel.send(PROGRESS, {"waiting": True})
        time.sleep(3600)
