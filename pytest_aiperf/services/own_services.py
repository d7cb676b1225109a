"""The processes of one program: the load workers, kept warm, and the embedded servers that somebody asked for."""

from __future__ import annotations

import logging
from functools import cached_property
from pathlib import Path
from typing import Final, Self

from pytest_aiperf.common.aiperf_logger import level_of
from pytest_aiperf.gpu_telemetry.identity import Accelerator, accelerator_of_this_machine
from pytest_aiperf.mock_server.options import MockOptions
from pytest_aiperf.services.load_pool import LoadPool
from pytest_aiperf.services.log_records import ROOT
from pytest_aiperf.services.mock_service import MockServerProcess

MOCK_SCHEME: Final = "mock://"


class Services:
    """Starts processes when they are first asked for and ends all of them with `close`."""

    def __init__(self, log_dir: Path, *, log_level: str | None = None) -> None:
        """Without a level, records are logged as this process is set up.

        Raises:
            ConfigurationError: there is no such level.
        """
        if log_level is not None:
            logging.getLogger(ROOT).setLevel(level_of(log_level))
        self.log_dir = log_dir
        self._load: LoadPool | None = None
        self._by_url: dict[str, MockServerProcess] = {}
        self._mocks: list[MockServerProcess] = []

    def load(self, workers: int = 1) -> LoadPool:
        """Return the load workers; so many of them are started, not waited for."""
        if self._load is None:
            self._load = LoadPool(log_dir=self.log_dir)
        self._load.start(workers)
        return self._load

    def resolve(self, url: str) -> str:
        """Return the real URL: ``mock://`` starts an embedded server, once for each set of options."""
        if not url.startswith(MOCK_SCHEME):
            return url
        if url not in self._by_url:
            self._by_url[url] = self.mock(MockOptions.from_url(url))
        return self._by_url[url].url

    def mock(self, options: MockOptions) -> MockServerProcess:
        """Start an embedded server of its own."""
        server = MockServerProcess(options, log_dir=self.log_dir)
        self._mocks.append(server)
        server.start()
        return server

    @cached_property
    def accelerator(self) -> Accelerator | None:
        """The accelerators of this machine; None without a driver. Asked for once."""
        return accelerator_of_this_machine()

    def close(self) -> None:
        """End every process, each within a bounded time."""
        for mock in self._mocks:
            mock.process.kill()
        if self._load is not None:
            self._load.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def log_directory(root: Path) -> Path:
    """Return ``.aiperf/logs`` below the root, made with a `.gitignore` of ``*``."""
    folder = root / ".aiperf"
    folder.mkdir(exist_ok=True)
    ignore = folder / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")
    return folder / "logs"
