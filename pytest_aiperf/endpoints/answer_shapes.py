"""PYTEST_DONT_REWRITE. What an answer holds whose API nobody named: embeddings, else rankings, else text.

The order matters where an answer holds several: rankings quote the texts that they rank.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

_TEXT_FIELDS: Final = ("text", "content", "response", "output", "result", "generated_text")
_RANKING_FIELDS: Final = ("rankings", "results")
_EMBEDDING_FIELDS: Final = ("embeddings", "embedding")


class Found(NamedTuple):
    """What was found in an answer, or in a message of a stream."""

    kind: Literal["embeddings", "rankings", "text", "value"]
    value: Any

    @property
    def text(self) -> str:
        """What there is to read in it: the text itself, of anything else its JSON, if that can be written again."""
        import orjson

        try:
            return self.value if isinstance(self.value, str) else orjson.dumps(self.value).decode()
        except orjson.JSONEncodeError:
            return ""


def found_in(answer: Any) -> Found | None:
    """Return the embeddings, else the rankings, else the text of an answer of any shape."""
    if isinstance(answer, str):
        return Found("text", answer)
    if isinstance(answer, list):
        return _found_in_list(answer)
    if not isinstance(answer, Mapping):
        return None
    return _embeddings_in(answer) or _rankings_in(answer) or _text_in(answer)


def _found_in_list(answer: list[Any]) -> Found | None:
    if vectors := _vectors(answer):
        return Found("embeddings", vectors)
    if not answer or not isinstance(answer[0], Mapping):
        return _joined(answer)
    if answer[0].keys() & {"score", "relevance_score", "logit"}:
        return Found("rankings", answer)
    return _text_in(answer[0])


def _embeddings_in(answer: Mapping[str, Any]) -> Found | None:
    data = answer.get("data")
    if isinstance(data, list):
        found = [row["embedding"] for row in data if isinstance(row, Mapping) and row.get("embedding")]
        if found:
            return Found("embeddings", found)
    for name in _EMBEDDING_FIELDS:
        if vectors := _vectors(answer.get(name)):
            return Found("embeddings", vectors)
    return None


def _vectors(value: Any) -> list[Any] | None:
    """Return the vectors that this is one of, or a list of."""
    if not isinstance(value, list) or not value:
        return None
    if _is_number(value[0]):
        return [value]
    return value if isinstance(value[0], list) and value[0] and _is_number(value[0][0]) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _rankings_in(answer: Mapping[str, Any]) -> Found | None:
    for name in _RANKING_FIELDS:
        value = answer.get(name)
        if isinstance(value, list):
            return Found("rankings", value)
    return None


def _text_in(answer: Mapping[str, Any]) -> Found | None:
    for name in _TEXT_FIELDS:
        value = answer.get(name)
        found = Found("text", value) if isinstance(value, str) else _joined(value)
        if found is not None:
            return found
    choices = answer.get("choices")
    if not (isinstance(choices, list) and choices and isinstance(choices[0], Mapping)):
        return None
    choice = choices[0]
    inner = choice.get("message") or choice.get("delta")
    for value in (choice.get("text"), inner.get("content") if isinstance(inner, Mapping) else None):
        if isinstance(value, str):
            return Found("text", value)
    return None


def _joined(value: Any) -> Found | None:
    """Text that came as a list of strings."""
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return Found("text", "".join(value))
    return None
