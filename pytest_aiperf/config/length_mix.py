"""Mixes of input and output lengths, as `seq_dist` writes them: AIPerf's three notations."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import ConfigDict, Field, ValidationError

from pytest_aiperf.common.finite import FiniteFloat
from pytest_aiperf.common.models import AIPerfBaseModel

LONGEST: Final = 10_000_000
_MOST_PROBLEMS: Final = 20
_NUMBER: Final = r"[0-9]{1,12}(?:\.[0-9]{1,12})?|\.[0-9]{1,12}"
_LENGTHS: Final = (
    rf"\s*(?P<isl>{_NUMBER})(?:\|(?P<isl_stddev>{_NUMBER}))?\s*,"
    rf"\s*(?P<osl>{_NUMBER})(?:\|(?P<osl_stddev>{_NUMBER}))?\s*"
)
_PERCENT: Final = rf"\s*:\s*(?P<prob>{_NUMBER})\s*"
_PAIR: Final = re.compile(_LENGTHS + _PERCENT)
_BRACKETED: Final = re.compile(r"\s*\(" + _LENGTHS + r"\)" + _PERCENT)
_FORM: Final = "ISL[|STDDEV],OSL[|STDDEV]:PERCENT"


class LengthPair(AIPerfBaseModel):
    """A share of the requests: how long its prompts are, and what it asks for."""

    model_config = ConfigDict(strict=True)

    isl: int = Field(ge=1, le=LONGEST, description="Mean length of the prompt.")
    isl_stddev: FiniteFloat = Field(default=0.0, ge=0, le=LONGEST, description="Its standard deviation.")
    osl: int = Field(ge=1, le=LONGEST, description="Mean output length.")
    osl_stddev: FiniteFloat = Field(default=0.0, ge=0, le=LONGEST, description="Its standard deviation.")
    prob: FiniteFloat = Field(ge=0, le=100, description="Share of the requests, in percent.")


def parse_length_mix(text: str) -> tuple[LengthPair, ...]:
    """Return the pairs of ``256,128:40;512|20,256|10:60``, ``[(256,128):40,(512|20,256|10):60]`` or JSON.

    JSON is ``{"pairs": [{"isl": 256, "osl": 128, "prob": 40, "isl_stddev": 0, "osl_stddev": 0}, ...]}``.

    Raises:
        ValueError: it is none of them, or the shares are not 100 percent together; all problems at once, up to 20.
    """
    pairs: list[LengthPair] = []
    problems: list[str] = []
    for number, (shown, given) in enumerate(_rows(text.strip()), 1):
        if isinstance(given, str):
            problems.append(f"pair {number} ({shown}): {given}")
            continue
        try:
            pairs.append(LengthPair.model_validate(given))
        except ValidationError as error:
            problems += [f"pair {number} ({shown}): {_worded(one)}" for one in error.errors()]
    if not problems and (problem := _wrong_sum(pairs)):
        problems.append(problem)
    if problems:
        raise ValueError("; ".join(problems[:_MOST_PROBLEMS]))
    return tuple(pairs)


def _rows(text: str) -> Sequence[tuple[str, Mapping[str, Any] | str]]:
    """Return each pair as it is written, and what it says, or what is wrong with it."""
    if text.startswith("{"):
        return _json_rows(text)
    if text.startswith("["):
        if not text.endswith("]"):
            raise ValueError(f"{text!r} begins with [ and does not end with ]")
        parts = re.split(r",(?=\s*\()", text[1:-1])
        return [
            _row(part, _BRACKETED, "(ISL[|STDDEV],OSL[|STDDEV]):PERCENT, as in [(256,128):100]")
            for part in parts
        ]
    parts = [part for part in text.split(";") if part.strip()]
    if not parts:
        raise ValueError(f"it is empty; write {_FORM}, more pairs after a semicolon")
    return [_row(part, _PAIR, _FORM) for part in parts]


def _row(part: str, form: re.Pattern[str], written: str) -> tuple[str, Mapping[str, Any] | str]:
    found = form.fullmatch(part)
    if found is None:
        return repr(part.strip()), f"write {written}"
    return repr(part.strip()), {key: _number(value) for key, value in found.groupdict().items() if value}


def _number(digits: str) -> int | float:
    return int(digits) if digits.isdigit() else float(digits)


def _json_rows(text: str) -> Sequence[tuple[str, Mapping[str, Any] | str]]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it begins with {{ and is not JSON: {error}") from None
    if not isinstance(data, dict) or data.keys() != {"pairs"}:
        raise ValueError(f'as JSON it has one key, "pairs", not {sorted(data)}')
    pairs = data["pairs"]
    if not isinstance(pairs, list) or not pairs:
        raise ValueError('"pairs" is a list of objects with isl, osl and prob, at least one')
    return [
        (
            json.dumps(pair)[:80],
            pair if isinstance(pair, dict) else "it is not an object with isl, osl and prob",
        )
        for pair in pairs
    ]


def _worded(error: Mapping[str, Any]) -> str:
    key = ".".join(str(part) for part in error["loc"])
    message = str(error["msg"]).removeprefix("Value error, ")
    return f"{key}: {message}" if key else message


def _wrong_sum(pairs: Sequence[LengthPair]) -> str | None:
    total = sum(pair.prob for pair in pairs)
    if abs(total - 100) <= 1e-4:
        return None
    fractions = "; they are percent, not fractions" if abs(total - 1) <= 1e-6 else ""
    return f"the shares are {total:g} percent together, not 100{fractions}"
