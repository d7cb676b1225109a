"""What stands in a text for something else: ``${NAME}`` of the environment, ``{{ expression }}`` of variables.

Both are replaced in one pass: what a variable holds is never read again, so it cannot name another one. Expressions are
Jinja's, without statements, in its sandbox; nothing but the variables is known in them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any, Final

from pytest_aiperf.common.errors import ConfigurationError, did_you_mean
from pytest_aiperf.common.yaml_nodes import NotYamlError
from pytest_aiperf.config.loader.marked_yaml import Marked, typed

_PART: Final = re.compile(
    r"(?P<dollar>\$\$\{)|\$\{(?P<name>[^{}]*)\}|\{\{(?P<expression>.*?)\}\}|(?P<broken>\$\{|\{\{|\{%)",
    re.DOTALL,
)
_NAME: Final = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::(?P<default>.*))?\Z", re.DOTALL)
_SECRET_WORDS: Final = {"key", "token", "secret", "password", "passwd", "auth", "cookie", "credentials"}
_HINTS: Final = {
    "${": "${ is not closed with }; write $${ for the two characters",
    "{{": '{{ is not closed with }}; write {{ "{{" }} for the two characters',
    "{%": '{% statements %} are not read here, only {{ expressions }}; write {{ "{%" }} for the two characters',
}
_MOST_CHARACTERS: Final = 1_000_000


class Substitution:
    """Replaces, with one set of variables and one environment."""

    def __init__(self, variables: Mapping[str, Any], environment: Mapping[str, str]) -> None:
        self._variables, self._environment = variables, environment

    def applied(self, marked: Marked) -> Marked:
        """Return a scalar with everything replaced; one that is an expression as a whole keeps the type of its value.

        Raises:
            ConfigurationError: a name that is not there, or an expression that cannot be.
        """
        text = marked.value
        if not isinstance(text, str) or not ("${" in text or "{{" in text or "{%" in text):
            return marked
        first = _PART.match(text)
        whole = first if first is not None and first.end() == len(text) else None
        if whole is not None and whole["expression"] is not None:
            return _marked(self._expression(whole["expression"]), marked.line)
        replaced = _PART.sub(lambda part: self._text(part), text)
        if whole is None or whole["name"] is None:
            return replace(marked, value=replaced)
        value = replaced if marked.quoted else _typed(replaced)
        return replace(marked, value=value, written=replaced, substituted=True)

    def _text(self, part: re.Match[str]) -> str:
        if part["broken"]:
            raise ConfigurationError(_HINTS[part["broken"]])
        if part["dollar"]:
            return "${"
        if part["name"] is not None:
            return self._environment_value(part["name"])
        value = self._expression(part["expression"])
        return value if isinstance(value, str) else json.dumps(value)

    def _environment_value(self, inside: str) -> str:
        match = _NAME.match(inside)
        if match is None:
            raise ConfigurationError(f"${{{inside}}} is no name; write ${{NAME}} or ${{NAME:default}}")
        name, default = match["name"], match["default"]
        if name.rpartition("_")[2].lower() in _SECRET_WORDS:
            raise ConfigurationError(
                f"by its name {name} is a secret, and what stands in a file is shown in reports; a request header "
                f"takes it as ${name}, without braces, and the API key comes from AIPERF_API_KEY by itself"
            )
        found = self._environment.get(name) or default
        if found is None:
            what = "is empty" if name in self._environment else "is not set"
            raise ConfigurationError(
                f"the environment variable {name} {what}; set it, or write ${{{name}:default}}"
            )
        return found

    def _expression(self, source: str) -> Any:
        from jinja2 import TemplateError, Undefined

        shown = f"{{{{{source}}}}}"
        try:
            value = self._jinja.compile_expression(source, undefined_to_none=False)(**self._variables)
            if isinstance(value, Undefined):
                str(value)  # raises
            if len(json.dumps(value, allow_nan=False)) > _MOST_CHARACTERS:
                raise ConfigurationError(f"{shown}: longer than {_MOST_CHARACTERS} characters")
        except TemplateError as error:
            known = ", ".join(self._variables) or "none"
            missing = re.match(r"'(\w+)' is undefined", str(error))
            hint = did_you_mean(missing[1], self._variables) if missing else ""
            raise ConfigurationError(f"{shown}: {error}{hint}; variables: {known}") from None
        except (TypeError, ValueError, ArithmeticError) as error:
            raise ConfigurationError(
                f"{shown}: {error}; it must give a text, a number, a list or a mapping"
            ) from None
        return value

    @cached_property
    def _jinja(self) -> Any:
        """Jinja takes 20 ms to import, and few files need it."""
        from jinja2 import StrictUndefined
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        class Environment(ImmutableSandboxedEnvironment):
            intercepted_binops = frozenset({"*", "**"})

            def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
                """A short expression must not make a value that fills the memory."""
                if operator == "**" or not all(isinstance(side, (int, float)) for side in (left, right)):
                    raise TypeError(f"{operator} is for numbers only, and ** is not read here")
                return super().call_binop(context, operator, left, right)

        environment = Environment(undefined=StrictUndefined, autoescape=False)
        environment.globals.clear()
        return environment


def escaped(text: str) -> str:
    """Return a text that stands for this one when a file is read."""
    return re.sub(r"\$\{|\{\{|\{%", lambda part: "$${" if part[0] == "${" else f'{{{{ "{part[0]}" }}}}', text)


def _typed(text: str) -> Any:
    try:
        return typed(text)
    except NotYamlError:
        return text


def _marked(value: Any, line: int) -> Marked:
    if isinstance(value, Mapping):
        return Marked(value={str(key): _marked(inner, line) for key, inner in value.items()}, line=line)
    if isinstance(value, (list, tuple)):
        return Marked(value=[_marked(inner, line) for inner in value], line=line)
    return Marked(value=value, line=line, written=value if isinstance(value, str) else json.dumps(value))
