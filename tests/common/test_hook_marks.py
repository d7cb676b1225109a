"""Hooks (systems.md C1, C2)."""

from __future__ import annotations

import pytest

from pytest_aiperf.common.hooks import HookKind, background_task, hooks_of, on_init, on_message, on_stop


class Base:
    def __init__(self):
        self.called = []

    @on_init
    async def prepare(self):
        self.called.append("base")

    @on_message("told", "asked")
    async def heed(self, message):
        self.called.append(message)


class Middle(Base):
    @on_init
    async def also(self):
        self.called.append("middle")


class Other(Base):
    pass


class Last(Middle, Other):
    @on_init
    async def prepare(self):
        self.called.append("last")


async def call_all(owner, kind, *arguments):
    for _, method in hooks_of(owner, kind):
        await method(*arguments)


@pytest.mark.asyncio
async def test_those_of_base_classes_come_first_and_one_of_the_same_name_hides_none():
    """C1, C2; and E4: in a diamond each is there once."""
    owner = Last()
    await call_all(owner, HookKind.INIT)
    assert owner.called == ["base", "middle", "last"]


def test_a_hook_says_what_it_is_for():
    """C1."""
    (bound,) = hooks_of(Last(), HookKind.MESSAGE)
    assert bound.hook.message_types == ("told", "asked")
    assert list(hooks_of(Last(), HookKind.STOP)) == []


def test_a_method_may_be_called_on_several_occasions():
    class Both:
        @on_init
        @on_stop
        @background_task(interval_s=3, immediate=False, stop_on_error=True)
        async def do(self):
            pass

    owner = Both()
    assert [len(list(hooks_of(owner, kind))) for kind in HookKind] == [1, 0, 1, 0, 1]
    ((hook, _),) = hooks_of(owner, HookKind.BACKGROUND)
    assert (hook.interval_s, hook.immediate, hook.stop_on_error) == (3, False, True)


@pytest.mark.parametrize("given", [(), (3,), (lambda self: None,)])
def test_on_message_takes_types_of_messages(given):
    with pytest.raises(TypeError, match=r"@on_message\(MessageType\.RUN\)"):
        on_message(*given)
