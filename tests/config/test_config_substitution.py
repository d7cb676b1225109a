"""What stands in a configuration file for something else: the environment, and variables (systems.md N)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.config.loader.marked_yaml import Marked, plain
from pytest_aiperf.config.loader.substitution import Substitution, escaped

VARIABLES = {"n": 8, "text": "hello", "flag": True, "many": [1, 2], "slo": {"ttft": 400}}
ENVIRONMENT = {"HOST": "example", "PORT": "8000", "FLAG": "true", "EMPTY": "", "SNEAKY": "${HOST}{{ n }}"}


def applied(text, *, quoted=False):
    marked = Marked(value=text, line=3, written=text, quoted=quoted)
    return Substitution(VARIABLES, ENVIRONMENT).applied(marked)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"),
        ("$HOST", "$HOST"),
        ("${HOST}", "example"),
        ("http://${HOST}:${PORT}/v1", "http://example:8000/v1"),
        ("${NOBODY:anyone}", "anyone"),
        ("${NOBODY:}", None),
        ("a${NOBODY:}", "a"),
        ("${EMPTY:full}", "full"),
        ("${NOBODY:http://a:1}", "http://a:1"),
        ("${PORT}", 8000),
        ("${FLAG}", True),
        ("$${HOST} is kept", "${HOST} is kept"),
        ("$$${HOST}", "$${HOST}"),
        ("{{ n }}", 8),
        ("{{ n * 2 + 1 }}", 17),
        ("{{ many }}", [1, 2]),
        ("{{ slo }}", {"ttft": 400}),
        ("{{ text | upper }} {{ n }}", "HELLO 8"),
        ("{{ 'a' if flag else 'b' }}", "a"),
        ("{{ missing | default('x') }}", "x"),
        ('{{ "{{" }} n }}', "{{ n }}"),
        ("${SNEAKY}!", "${HOST}{{ n }}!"),
    ],
)
def test_what_stands_for_something_is_replaced_once(text, value):
    found = plain(applied(text))
    assert found == value
    assert type(found) is type(value)


def test_what_comes_from_the_environment_is_typed_unless_it_is_quoted_and_keeps_its_text():
    found = applied("${PORT}")
    assert (found.value, found.written, found.substituted, found.line) == (8000, "8000", True, 3)
    assert applied("${PORT}", quoted=True).value == "8000"
    assert applied("${NOBODY:2026-99-99}").value == "2026-99-99"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${NOBODY}", r"NOBODY is not set; set it, or write \$\{NOBODY:default\}"),
        ("${EMPTY}", "EMPTY is empty; set it"),
        ("${1X}", r"\$\{1X\} is no name; write \$\{NAME\} or \$\{NAME:default\}"),
        ("${}", "is no name"),
        ("${HOST", r"\$\{ is not closed with \}"),
        ("{{ n ", r"\{\{ is not closed with \}\}"),
        ("{% if n %}x{% endif %}", "statements %} are not read here"),
        ("{{ nn }}", r"'nn' is undefined \(did you mean 'n'\?\); variables: n, text, flag, many, slo"),
        ("{{ n + }}", r"\{\{ n \+ \}\}: "),
        ("{{ n + text }}", "unsupported operand"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{{ text * 1000000000 }}", "is for numbers only"),
        ("{{ 10 ** 10 ** 10 }}", "is for numbers only, and .* is not read here"),
        ("{{ ''.__class__.__mro__ }}", "unsafe"),
        ("{{ range(9) }}", "'range' is undefined"),
        ("{{ many | map('string') }}", "it must give a text, a number, a list or a mapping"),
        ("{{ 'x' | center(2000000) }}", "longer than 1000000 characters"),
        ("${MY_API_KEY:x}", "MY_API_KEY is a secret"),
        ("${HF_TOKEN:x}", "HF_TOKEN is a secret"),
    ],
)
def test_what_cannot_be_replaced_is_told(text, message):
    with pytest.raises(ConfigurationError, match=message):
        applied(text)


def test_a_name_that_only_resembles_a_secrets_is_read():
    assert applied("${MAX_TOKENS:5}").value == 5
    assert applied("${TLS_KEY_FILE:own.pem}").value == "own.pem"


@settings(deadline=None)
@given(st.text("${}% {N:x\"'|\n", max_size=20))
def test_an_escaped_text_stands_for_itself(text):
    assert applied(escaped(text), quoted=True).value == text
