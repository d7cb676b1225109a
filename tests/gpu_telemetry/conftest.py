from __future__ import annotations

import pynvml
import pytest
from fake_nvml import FakeNvml


@pytest.fixture
def install(monkeypatch):
    """Put a driver library with these cards under pynvml, for one test."""

    def put(*cards, **system):
        fake = FakeNvml(list(cards), system=system)
        monkeypatch.setattr(pynvml, "nvmlLib", fake)
        monkeypatch.setattr(pynvml, "_nvmlGetFunctionPointer_cache", {})
        return fake

    return put


@pytest.fixture
def no_library(monkeypatch):
    """A machine without NVIDIA's driver, whatever this one has."""
    monkeypatch.setattr(pynvml, "nvmlLib", None)
    monkeypatch.setattr(pynvml, "_nvmlGetFunctionPointer_cache", {})

    def refuse(*_args, **_kwargs):
        raise OSError("libnvidia-ml.so.1: cannot open shared object file: No such file or directory")

    monkeypatch.setattr(pynvml, "CDLL", refuse)
    monkeypatch.setattr("ctypes.CDLL", refuse)
