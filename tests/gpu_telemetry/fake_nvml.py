"""A stand-in for ``libnvidia-ml.so.1``, below pynvml: pynvml itself runs, its ctypes structures and all.

Each attribute of `FakeNvml` is a C function. What a card answers is a plain table, keyed by the C function and its
plain arguments (``nvmlDeviceGetClockInfo:1`` is the SM clock), so that it fits a JSON file; `Recorder` makes such
a table from a real library, which is how `real_card.py` takes the readings of a card home.
"""

from __future__ import annotations

import ctypes
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data"
INSUFFICIENT_SIZE, NOT_FOUND, NOT_SUPPORTED, TIMEOUT, GPU_IS_LOST, UNKNOWN = 7, 6, 3, 10, 15, 999
_SCALAR = ctypes.c_uint.__base__  # ctypes' common base of plain values


@dataclass
class FakeCard:
    """A card or a slice. An answer is a value, ``{"error": code}``, or a function that returns one of these."""

    uuid: str
    answers: dict[str, Any]
    slices: list[FakeCard | None] = field(default_factory=list)
    instances: tuple[int, int] = (0, 0)
    xids: list[int] = field(default_factory=list)


def hopper(number: int = 0, *, loaded: bool = True, **answers: Any) -> FakeCard:
    """One card as the constructed table describes it; `answers` change it."""
    table = json.loads((DATA / "constructed_hopper.json").read_text())
    told = {**table["idle"], **(table["loaded"] if loaded else {}), **answers}
    return FakeCard(uuid=f"GPU-{number}abc1234-0000-0000-0000-00000000000{number}", answers=told)


class FakeNvml:
    """The library as ``ctypes.CDLL`` would return it."""

    def __init__(self, cards: list[FakeCard], *, system: dict[str, Any] | None = None) -> None:
        self.cards = cards
        self.system = {
            "nvmlInitWithFlags": 0,
            "nvmlShutdown": 0,
            "nvmlSystemGetDriverVersion": "580.0.1",
            "nvmlSystemGetCudaDriverVersion_v2": 13000,
        } | (system or {})
        self.calls: Counter[str] = Counter()
        self.missing: set[str] = set()
        self.event_sets: dict[int, int] = {}

    def __getattr__(self, name: str) -> Callable[..., int]:
        if not name.startswith("nvml") or name in self.missing:
            raise AttributeError(name)

        def function(*arguments: Any) -> Any:
            self.calls[name] += 1
            own = getattr(self, f"_{name}", None)
            return own(*arguments) if own else self._answer(name, *arguments)

        return function

    def card(self, handle: Any) -> FakeCard:
        at, part = divmod(ctypes.cast(handle, ctypes.c_void_p).value - 0x1000, 0x100)
        card = self.cards[at]
        return card if part == 0 else card.slices[part - 1]

    def _answer(self, name: str, *arguments: Any) -> int:
        if name.startswith("nvmlSystem") or name in self.system:
            table: dict[str, Any] = self.system
        else:
            card, arguments = self.card(arguments[0]), arguments[1:]
            table = {"nvmlDeviceGetUUID": card.uuid, **card.answers}
        answer = table.get(key_of(name, arguments), {"error": NOT_SUPPORTED})
        answer = answer() if callable(answer) else answer
        if isinstance(answer, dict) and "error" in answer:
            return answer["error"]
        return fill(answer, arguments)

    def _nvmlErrorString(self, code: Any) -> bytes:
        return f"error {code}".encode()

    def _nvmlDeviceGetCount_v2(self, count: Any) -> int:
        count._obj.value = len(self.cards)
        return self.system.get("nvmlDeviceGetCount_v2", 0)

    def _nvmlDeviceGetHandleByIndex_v2(self, index: Any, handle: Any) -> int:
        error = self.cards[index.value].answers.get("nvmlDeviceGetHandleByIndex_v2", {"error": 0})["error"]
        return error or _point(handle._obj, 0x1000 + 0x100 * index.value)

    def _nvmlDeviceGetMaxMigDeviceCount(self, handle: Any, count: Any) -> int:
        count._obj.value = len(self.card(handle).slices)
        return 0

    def _nvmlDeviceGetMigDeviceHandleByIndex(self, handle: Any, index: Any, out: Any) -> int:
        if self.card(handle).slices[index.value] is None:
            return NOT_FOUND
        return _point(out._obj, ctypes.cast(handle, ctypes.c_void_p).value + index.value + 1)

    def _nvmlDeviceGetGpuInstanceId(self, handle: Any, out: Any) -> int:
        out._obj.value = self.card(handle).instances[0]
        return 0

    def _nvmlDeviceGetComputeInstanceId(self, handle: Any, out: Any) -> int:
        out._obj.value = self.card(handle).instances[1]
        return 0

    def _nvmlDeviceGetFieldValues(self, handle: Any, _count: Any, values: Any) -> int:
        answers = self.card(handle).answers
        for value in values._obj:
            told = answers.get(f"nvmlDeviceGetFieldValues:{value.fieldId}", {"error": NOT_SUPPORTED})
            told = told() if callable(told) else told
            failed = isinstance(told, dict)
            value.nvmlReturn = told["error"] if failed else 0
            value.valueType, value.value.ullVal = 3, 0 if failed else told
        return 0

    def _nvmlEventSetCreate(self, out: Any) -> int:
        if "nvmlEventSetCreate" in self.system:
            return self.system["nvmlEventSetCreate"]["error"]
        number = 0x9000 + len(self.event_sets)
        self.event_sets[number] = -1
        return _point(out._obj, number)

    def _nvmlDeviceRegisterEvents(self, handle: Any, _types: Any, events: Any) -> int:
        self.event_sets[_address(events)] = (_address(handle) - 0x1000) // 0x100
        return 0

    def _nvmlEventSetWait_v2(self, events: Any, data: Any, _timeout: Any) -> int:
        card = self.cards[self.event_sets[_address(events)]]
        if not card.xids:
            return TIMEOUT
        data._obj.eventData = card.xids.pop(0)
        return 0

    def _nvmlEventSetFree(self, events: Any) -> int:
        del self.event_sets[_address(events)]
        return 0


class Recorder:
    """A library, looked over the shoulder: what it answered last stands in `answers`, ready for a `FakeCard`."""

    def __init__(self, library: Any) -> None:
        self._library = library
        self.answers: dict[str, Any] = {}
        self.seconds: dict[str, list[float]] = {}

    def __getattr__(self, name: str) -> Callable[..., int]:
        function = getattr(self._library, name)
        if not name.startswith("nvmlDeviceGet") or any(word in name for word in ("Handle", "UUID", "Count")):
            return function

        def recorded(handle: Any, *arguments: Any) -> int:
            before = time.perf_counter()
            code = function(handle, *arguments)
            self.seconds.setdefault(key_of(name, arguments), []).append(time.perf_counter() - before)
            if name == "nvmlDeviceGetFieldValues":
                for value in arguments[1]._obj:
                    told = {"error": value.nvmlReturn} if value.nvmlReturn else value.value.ullVal
                    self.answers[f"{name}:{value.fieldId}"] = told
            elif code != INSUFFICIENT_SIZE:
                told = {"error": code} if code else answer_in(arguments)
                self.answers[key_of(name, arguments)] = told
            return code

        return recorded


def key_of(name: str, arguments: tuple[Any, ...]) -> str:
    """The function and its plain arguments; the length of a text buffer is none."""
    if any(isinstance(argument, ctypes.Array) for argument in arguments):
        return name
    return ":".join([name, *(str(a.value) for a in arguments if isinstance(a, _SCALAR))])


def fill(answer: Any, arguments: tuple[Any, ...]) -> int:
    """Write an answer to where a C function writes it."""
    if isinstance(answer, str):
        arguments[0].value = answer.encode("utf-8", "surrogateescape")
        return 0
    outs = [argument._obj for argument in arguments if hasattr(argument, "_obj")]
    if _is_list_call(arguments):
        if arguments[1] is None:
            outs[0].value = len(answer)
            return INSUFFICIENT_SIZE if answer else 0
        outs[0].value = len(answer)
        for place, entry in zip(arguments[1], answer, strict=False):
            _set(place, entry)
        return 0
    if not outs:
        return 0
    for out, value in zip(outs, answer if isinstance(answer, list) else [answer], strict=True):
        _set(out, value)
    return 0


def answer_in(arguments: tuple[Any, ...]) -> Any:
    """The reverse of `fill`: what a C function has written, as plain data."""
    if isinstance(arguments[0], ctypes.Array):
        return arguments[0].value.decode("utf-8", "surrogateescape")
    outs = [argument._obj for argument in arguments if hasattr(argument, "_obj")]
    if _is_list_call(arguments):
        return [_get(arguments[1][at]) for at in range(outs[0].value)] if arguments[1] is not None else []
    values = [_get(out) for out in outs]
    return values if len(values) > 1 else values[0]


def _is_list_call(arguments: tuple[Any, ...]) -> bool:
    return len(arguments) == 2 and (arguments[1] is None or isinstance(arguments[1], ctypes.Array))


def _set(out: Any, value: Any) -> None:
    if isinstance(value, dict):
        for name, part in value.items():
            setattr(out, name, part)
    else:
        out.value = value


def _get(out: Any) -> Any:
    if isinstance(out, ctypes.Structure):
        return {name: getattr(out, name) for name, *_ in _fields_of(out)}
    return out.value


def _fields_of(out: Any) -> Iterator[Any]:
    yield from type(out)._fields_


def _address(pointer: Any) -> int:
    return ctypes.cast(pointer, ctypes.c_void_p).value


def _point(pointer: Any, address: int) -> int:
    ctypes.cast(ctypes.byref(pointer), ctypes.POINTER(ctypes.c_void_p)).contents.value = address
    return 0
