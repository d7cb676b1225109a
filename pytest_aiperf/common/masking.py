"""PYTEST_DONT_REWRITE. What error texts must not show, and what keeps equal failures from being counted together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from pytest_aiperf.common.cut_text import CUT, cut_text
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
_IN_URLS: Final = re.compile(r"""(://)[^/\s'"@]+@""")
_CUT_HERE: Final = re.compile(rf"""['"]?{CUT}""")
_NUMBER: Final = re.compile(r"[0-9]+(?:[.,][0-9]+)*")


class Masking:
    """Knows this run's secrets."""

    def __init__(self, *, api_key: str | None, headers: Mapping[str, str]) -> None:
        values = [*secret_values(headers), *([api_key] if api_key else [])]
        self._secrets = _forms(values) if values else []

    def shown(self, text: str) -> str:
        """Return a text without secrets and without ids, at most 4 096 characters long."""
        text = cut_text(text, 4 * MESSAGE_LIMIT)
        return _IDS.sub("<id>", self.without_secrets(text))[:MESSAGE_LIMIT]

    def without_secrets(self, text: str) -> str:
        """Return the whole text, secrets masked, and all that has the form of credentials."""
        return _CREDENTIALS.sub(_without_credentials, self.without_known(text))

    def without_known(self, text: str) -> str:
        """Return the whole text, this run's own secrets masked, cut in two by `cut_text` too, and those in URLs."""
        for secret in self._secrets:
            text = text.replace(secret, SECRET_MARK)
        text = _IN_URLS.sub(rf"\1{SECRET_MARK}@", text)
        return self._without_halves(text) if CUT in text and self._secrets else text

    def _without_halves(self, text: str) -> str:
        for match in reversed(list(_CUT_HERE.finditer(text))):
            end = match.start()
            half = max((_overlap(text[:end], secret) for secret in self._secrets), default=0)
            if half:
                text = f"{text[: end - half]}{SECRET_MARK}{text[end:]}"
        return text

    def same_as(self, shown: str) -> str:
        """Return what two texts have in common that differ in numbers only."""
        return _NUMBER.sub("<n>", shown)


def _without_credentials(match: re.Match[str]) -> str:
    scheme, name, between = match.groups()
    return f"{scheme} {SECRET_MARK}" if scheme else f"{name}{between}{SECRET_MARK}"


def _forms(values: list[str]) -> list[str]:
    # Imported here: most runs have no secret.
    from pytest_aiperf.common.secret_forms import secret_forms

    return secret_forms(values)


def _overlap(text: str, secret: str) -> int:
    """Return how much of the secret's beginning, from three letters, the text ends with."""
    return next((n for n in range(len(secret) - 1, 2, -1) if text.endswith(secret[:n])), 0)
