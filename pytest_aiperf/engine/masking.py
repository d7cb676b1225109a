"""PYTEST_DONT_REWRITE. What error texts must not show, and what keeps equal failures from being counted together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from pytest_aiperf.common.header_values import secret_values

SECRET_MARK: Final = "***"
MESSAGE_LIMIT: Final = 4096
_CREDENTIALS: Final = re.compile(
    r"""(?ix) \b (?<! : \s ) (bearer|basic) \s+ [A-Za-z0-9._~+/=-]{4,}
      | \b (authorization | x-api-key | api[_-]?key) (["']? \s* [:=] \s* ["']?)
          (?: (?: bearer | basic | token | digest ) \s+ )? [^\s"',;}]+ """
)
_IDS: Final = re.compile(
    r"""(?ix) \b (?:
        [0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}   # uuid
      | 0x[0-9a-f]+
      | (?=[0-9a-f]*[0-9])(?=[0-9]*[a-f])[0-9a-f]{8,}                  # hex
      | [a-z]+[-_](?=[a-z]*[0-9])[0-9a-z]{12,}                         # req_011CSHoEeqs5C35K2UUqR7Fy
      | [0-9]{9,}
    ) \b"""
)
_NUMBER: Final = re.compile(r"[0-9]+(?:[.,][0-9]+)*")


class Masking:
    """Knows this run's secrets."""

    def __init__(self, *, api_key: str | None, headers: Mapping[str, str]) -> None:
        values = [*secret_values(headers), *([api_key] if api_key else [])]
        self._secrets = sorted(_parts(values), key=len, reverse=True)

    def shown(self, text: str) -> str:
        """Return a text without secrets and without ids, at most 4 096 characters long."""
        text = text[: 4 * MESSAGE_LIMIT]  # a secret that this cuts in two is cut off below
        return _IDS.sub("<id>", self.without_secrets(text))[:MESSAGE_LIMIT]

    def without_secrets(self, text: str) -> str:
        """Return the whole text, secrets masked."""
        for secret in self._secrets:
            text = text.replace(secret, SECRET_MARK)
        return _CREDENTIALS.sub(_without_credentials, text)

    def same_as(self, shown: str) -> str:
        """Return what two texts have in common that differ in numbers only."""
        return _NUMBER.sub("<n>", shown)


def _without_credentials(match: re.Match[str]) -> str:
    scheme, name, between = match.groups()
    return f"{scheme} {SECRET_MARK}" if scheme else f"{name}{between}{SECRET_MARK}"


def _parts(values: Iterable[str]) -> set[str]:
    """A secret may come back whole or without its scheme (``Bearer``)."""
    return {part for value in values for part in (value, *value.split()) if len(part) >= 4}
