"""Servers written in C, compiled when they are needed: `cc` must be there."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PATH = "/v1/chat/completions"


@dataclass(frozen=True, slots=True, kw_only=True)
class CServer:
    """A running server. It ends when its stdin does, so also with this process."""

    process: subprocess.Popen[bytes]
    port: int

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return self.base_url + PATH


@contextlib.contextmanager
def c_server(name: str, *arguments: Any) -> Iterator[CServer]:
    """Compile `<name>.c` of this folder, start it with these arguments, and end it."""
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / name
        source = Path(__file__).with_name(f"{name}.c")
        subprocess.run(["cc", "-O2", "-o", program, source], check=True, timeout=120)
        command = [str(program), *map(str, arguments)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdout is not None
        try:
            yield CServer(process=process, port=int(process.stdout.readline()))
        finally:
            try:
                process.communicate(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
