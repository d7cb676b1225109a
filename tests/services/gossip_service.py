"""Services of the tests' own that talk with each other: `tell` says what `listen` hears and answers."""

from __future__ import annotations

import os
import sys

from pydantic import Field

from pytest_aiperf.common.hooks import on_message, on_start, on_stop
from pytest_aiperf.common.messages import Message
from pytest_aiperf.services.component_service import BaseComponentService


class Said(Message):
    message_type: str = "said"
    words: str = Field(description="What was said.")


class Heard(Message):
    message_type: str = "heard"
    words: str = Field(description="What was heard.")
    sizes: list[int] = Field(description="Sizes of the columns that came with it.")


class Order(Message):
    message_type: str = "order"
    what: str = Field(description="A method.")


class Teller(BaseComponentService):
    @on_start
    async def _greet(self):
        for number in range(3):  # before the parent knows that this service is ready
            await self.publish(Said(words=f"early {number}"))

    def greeting(self):
        return {"pid": os.getpid()}

    @on_message("order")
    async def _obey(self, order):
        await getattr(self, order.what)()

    async def tell(self):
        await self.publish(Said(words="something", buffers=[b"\x00" * 16]))

    async def raise_in_handler(self):
        raise RuntimeError("a handler's own trouble")

    async def die(self):
        os._exit(7)

    async def crash(self):
        self.fail(RuntimeError("out of luck"))

    @on_stop
    async def _farewell(self):
        print("the teller was stopped in good order", file=sys.stderr, flush=True)


class Base(BaseComponentService):
    @on_message("said")
    async def _first(self, said):
        raise RuntimeError("this one always fails")


class Listener(Base):
    @on_message("said")
    async def _second(self, said):
        await self.publish(Heard(words=said.words, sizes=[len(b) for b in said.buffers]))


class Talker(BaseComponentService):
    @on_start
    async def _begin(self):
        self.log.warning("before it is ready")

    @on_message("order")
    async def _obey(self, order):
        self.log.debug("not shown")
        self.log.warning("the key is %s", os.environ.get("AIPERF_API_KEY"))
        await self.publish(Said(words=order.what))
