"""PYTEST_DONT_REWRITE. Methods that are called when something happens: a state is reached, a message has come.

A decorator marks them, and `hooks_of` finds the marked ones of an object: those of its base classes first. A method
of a subclass adds to one of the same name in a base class and never hides it, so nobody has to think of ``super()``.
"""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeVar

AsyncMethod = Callable[..., Awaitable[None]]
Method = TypeVar("Method", bound=AsyncMethod)
Interval = float | Callable[[Any], float]
_MARK: Final = "__aiperf_hooks__"


class HookKind(enum.StrEnum):
    """When a method is called."""

    INIT = "on_init"
    START = "on_start"
    STOP = "on_stop"
    MESSAGE = "on_message"
    BACKGROUND = "background_task"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """What a decorator says of a method."""

    kind: HookKind
    message_types: tuple[str, ...] = ()
    interval_s: Interval | None = None
    """Pause between two calls, or what tells it from the object; None: it is called once."""
    immediate: bool = True
    """The first call is at once, not after a pause."""
    stop_on_error: bool = False
    """An exception ends the calls."""


class BoundHook(NamedTuple):
    """A marked method of an object."""

    hook: Hook
    method: AsyncMethod


def on_init(method: Method) -> Method:
    """Call it while the object is initialized."""
    return _marked(method, Hook(kind=HookKind.INIT))


def on_start(method: Method) -> Method:
    """Call it while the object is started."""
    return _marked(method, Hook(kind=HookKind.START))


def on_stop(method: Method) -> Method:
    """Call it while the object is stopped, in the reverse of the order in which it was built up."""
    return _marked(method, Hook(kind=HookKind.STOP))


def on_message(*message_types: str) -> Callable[[Method], Method]:
    """Call it with each message of these types.

    Raises:
        TypeError: no type is named.
    """
    if not message_types or not all(isinstance(one, str) for one in message_types):
        raise TypeError("on_message takes the types of messages: @on_message(MessageType.RUN)")
    return lambda method: _marked(
        method, Hook(kind=HookKind.MESSAGE, message_types=tuple(map(str, message_types)))
    )


def background_task(
    *, interval_s: Interval | None = None, immediate: bool = True, stop_on_error: bool = False
) -> Callable[[Method], Method]:
    """Call it again and again while the object runs, as `Hook` says; it is cancelled when the object is stopped."""
    hook = Hook(
        kind=HookKind.BACKGROUND, interval_s=interval_s, immediate=immediate, stop_on_error=stop_on_error
    )
    return lambda method: _marked(method, hook)


def hooks_of(owner: object, kind: HookKind) -> Iterator[BoundHook]:
    """Yield the marked methods of an object, base classes first, each in the order of its definitions."""
    for cls in reversed(type(owner).__mro__):
        for function in vars(cls).values():
            for hook in getattr(function, _MARK, ()):
                if hook.kind is kind:
                    yield BoundHook(hook, function.__get__(owner))


def _marked(method: Method, hook: Hook) -> Method:
    setattr(method, _MARK, (*getattr(method, _MARK, ()), hook))
    return method
