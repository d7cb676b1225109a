"""PYTEST_DONT_REWRITE. An error as data: what crosses a process boundary and what is counted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from pytest_aiperf.common.cut_text import cut_text
from pytest_aiperf.common.header_values import api_key
from pytest_aiperf.common.masking import MESSAGE_LIMIT, Masking
from pytest_aiperf.common.models import AIPerfBaseModel


class ErrorDetails(AIPerfBaseModel):
    """What went wrong, without secrets. Two are the same when code, type and message are."""

    code: int | None = Field(
        default=None, description="HTTP status, or the code that the server's error has."
    )
    type: str = Field(description="Class of the error.")
    message: str = Field(description="Its text, at most 4 096 characters; never empty.")
    cause: str | None = Field(default=None, description="Text of the error that it was raised from.")
    cause_chain: tuple[str, ...] = Field(
        default=(), description="Classes from this error to the one that began it."
    )
    details: dict[str, Any] | None = Field(default=None, description="Further facts that are known.")

    @classmethod
    def from_exception(
        cls,
        error: BaseException,
        *,
        headers: Mapping[str, str] | None = None,
        code: int | None = None,
        details: dict[str, Any] | None = None,
    ) -> ErrorDetails:
        """Return the details of an exception; the API key and the values of secret headers stand in no text."""
        mask = Masking(api_key=api_key(), headers=headers or {}).without_secrets

        def text_of(one: BaseException) -> str:
            return cut_text(mask(str(one)), MESSAGE_LIMIT - 1) or type(one).__name__

        chain = _chain(error)
        return cls(
            code=code,
            type=type(error).__name__,
            message=text_of(error),
            cause=text_of(chain[1]) if len(chain) > 1 else None,
            cause_chain=tuple(type(one).__name__ for one in chain),
            details=details,
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ErrorDetails) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def _identity(self) -> tuple[int | None, str, str]:
        return self.code, self.type, self.message


def _chain(error: BaseException) -> list[BaseException]:
    """Return the error and what it was raised from, as Python's traceback shows it; a circle ends where it closes."""
    chain: list[BaseException] = []
    next_one: BaseException | None = error
    while next_one is not None and next_one not in chain:
        chain.append(next_one)
        hidden = next_one.__suppress_context__
        next_one = next_one.__cause__ or (None if hidden else next_one.__context__)
    return chain
