"""Rows of data files: what may stand in one, and what is told of one that holds something else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from typing import Annotated, Any, Final, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from pytest_aiperf.common.conversation import Expected, Grader
from pytest_aiperf.common.errors import did_you_mean
from pytest_aiperf.common.finite import FiniteFloat
from pytest_aiperf.dataset.problems import Problems, shown

_TYPO: Final = 0.8
"""Likeness from which an unknown key is taken for a known one that is misspelt, and refused. Files written for other
tools have keys that mean nothing here; those are left aside with a warning.
"""
_MOST_UNUSED: Final = 50
_LONG_KEY: Final = 60
LATEST_MS: Final = 2**53
LONGEST: Final = 10_000_000
"""Tokens of one request."""

SessionId = Annotated[str, Field(min_length=1)] | None
TokenCount = Annotated[int, Field(ge=1, le=LONGEST)]
Milliseconds = Annotated[FiniteFloat, Field(ge=0, le=LATEST_MS)]


class Row(BaseModel):
    """One object of a data file. Numbers are numbers: ``"12"`` and ``true`` are none."""

    model_config = ConfigDict(strict=True, frozen=True, extra="allow")

    type: str | None = Field(
        default=None, description="Name of the loader, which tells it where shapes are alike."
    )


class StrictRow(BaseModel):
    """One object of a data file that holds no key but the known ones."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class ExpectedAnswer(StrictRow):
    """A right answer as rows give it: a text, or an object with a grader."""

    answer: str = Field(description="The text, the regular expression, or the letter of the choice.")
    grader: Grader = Field(
        default="exact", description="How an answer is held against it: exact, regex or choice."
    )

    def to_expected(self) -> Expected:
        """Return it as turns carry it."""
        return Expected(answer=self.answer, grader=self.grader)


def _as_answer(value: Any) -> Any:
    return {"answer": value} if isinstance(value, str) else value


GivenAnswer = Annotated[ExpectedAnswer | None, BeforeValidator(_as_answer)]
Extra = dict[str, Any] | None
"""Further fields of the request's body."""


def _with_role(value: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(value.get("role"), str):
        raise ValueError('a message without a "role"; should be like {"role": "user", "content": "..."}')
    return value


Messages = Annotated[list[Annotated[dict[str, Any], AfterValidator(_with_role)]], Field(min_length=1)]
"""Messages as a chat API has them: anything beyond ``role`` is the API's business."""


R = TypeVar("R", bound=BaseModel)


class RowReader(Generic[R]):
    """Turns the objects of one file into rows, and notes what is wrong with them."""

    def __init__(self, model: type[R], problems: Problems) -> None:
        self._model = model
        self._problems = problems
        self.unused: dict[str, str] = {}
        """Keys that mean nothing here, each with the place of its first occurrence."""

    def row(self, value: Any, where: str) -> R | None:
        """Return the row, or None where something is wrong with it."""
        if not isinstance(value, dict):
            self._problems.malformed(where, f"{shown(value)} is no object; should be {{...}}")
            return None
        self._note_unknown_keys(self._model, value, where)
        try:
            return self._model.model_validate(value)
        except ValidationError as error:
            for each in error.errors(include_url=False):
                self._problems.malformed(_place(where, each["loc"]), _what(each, self._model))
            return None

    def _note_unknown_keys(self, model: type[BaseModel], value: dict[str, Any], where: str) -> None:
        """Note the keys that a model does not have: misspelt ones are a problem, others are not used."""
        known, nested = _keys_of(model)
        if not nested and value.keys() <= known:
            return
        unknown = value.keys() - known if model.model_config.get("extra") == "allow" else set()
        for key in sorted(unknown - self.unused.keys()) if len(self.unused) < _MOST_UNUSED else ():
            if key != "extra_body" and get_close_matches(key, known, n=1, cutoff=_TYPO):
                self._problems.malformed(joined(where, key), f"unknown key{did_you_mean(key, known)}")
            else:
                self.unused.setdefault(key, f"{joined(where, key)}{did_you_mean(key, known)}")
        for key, inner in nested.items():
            items = value.get(key)
            for index, item in enumerate(items if isinstance(items, list) else ()):
                if isinstance(item, dict):
                    self._note_unknown_keys(inner, item, joined(where, f"{key}[{index}]"))


@cache
def _keys_of(model: type[BaseModel]) -> tuple[frozenset[str], dict[str, type[BaseModel]]]:
    """Return the keys of a model's objects, and the models of those that hold further objects."""
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    inner = {key: _inner(field.annotation) for key, field in fields.items()}
    return frozenset(fields), {key: each for key, each in inner.items() if each is not None}


def joined(where: str, key: str) -> str:
    """Return the place of a key: ``line 3, turns[0].delay``."""
    key = key if key.isprintable() and len(key) <= _LONG_KEY else shown(key)
    return f"{where}.{key}" if ", " in where else f"{where}, {key}"


def _place(where: str, location: Iterable[int | str]) -> str:
    for each in location:
        where = f"{where}[{each}]" if isinstance(each, int) else joined(where, each)
    return where


def _what(error: Mapping[str, Any], model: type[BaseModel]) -> str:
    """Return pydantic's finding in our words: what is wrong, and what would be right."""
    kind, message = error["type"], str(error["msg"])
    if kind == "missing":
        return "is missing"
    if kind == "extra_forbidden":
        known = sorted(_keys_of(_model_at(model, error["loc"][:-1]))[0])
        return f"unknown key{did_you_mean(str(error['loc'][-1]), known)}; there is: {', '.join(known)}"
    if kind == "value_error":
        return message.removeprefix("Value error, ")
    return (
        f"{shown(error['input'])}; should be{message.removeprefix('Input should be')}"
        if message.startswith("Input should be")
        else f"{shown(error['input'])}: {message[0].lower()}{message[1:]}"
    )


def _model_at(model: type[BaseModel], location: Iterable[int | str]) -> type[BaseModel]:
    """Return the model of the object at a place."""
    for key in location:
        model = _keys_of(model)[1].get(str(key), model)
    return model


def _inner(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for each in getattr(annotation, "__args__", ()) if (found := _inner(each))), None)
