"""PYTEST_DONT_REWRITE. Bodies after a template of the user's, for an API that nobody wrote an endpoint for.

The template (Jinja2) writes JSON. It is not HTML: nothing is escaped, and `tojson` makes any value a piece of JSON. It
runs in Jinja's sandbox, which keeps it from changing what it is given.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Final

import orjson

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.common.path_safety import safe_read_template_path
from pytest_aiperf.endpoints.base_endpoint import (
    BaseEndpoint,
    EndpointFacts,
    ModelEndpointInfo,
    RequestInfo,
    check_streaming,
)
from pytest_aiperf.endpoints.response_mixin import RESPONSE_FIELD, JMESPathResponseMixin

if TYPE_CHECKING:
    from types import TracebackType

    from jinja2 import Template

PAYLOAD_TEMPLATE: Final = "payload_template"
_NAMED: Final = {"nv-embedqa": '{"text": {{ texts|tojson }}}'}
_SHOWN: Final = 200


class TemplateEndpoint(JMESPathResponseMixin, BaseEndpoint):
    """The URL as it is given; the body is what the template in the extra input ``payload_template`` makes of a turn."""

    facts: ClassVar[EndpointFacts | None] = EndpointFacts(
        name="template",
        description="Bodies after a template of the user's, to the URL as it is",
        supports_streaming=True,
        streams_by_default=False,
        produces_tokens=True,
        tokenizes_input=True,
        supports_audio=True,
        supports_images=True,
        supports_videos=True,
        metrics_title="LLM Metrics",
    )

    path: ClassVar[str] = ""
    reads_text: ClassVar[bool] = True
    names_model: ClassVar[bool] = False
    needs_finish: ClassVar[bool] = False
    own_extra: ClassVar[frozenset[str]] = frozenset({PAYLOAD_TEMPLATE, RESPONSE_FIELD})

    def __init__(self, model_endpoint: ModelEndpointInfo) -> None:
        super().__init__(model_endpoint)
        self._init_response_parser()

    def format_payload(self, request: RequestInfo) -> Any:
        """Return what the template writes, with the extra inputs and the turn's extra in it.

        Raises:
            ConfigurationError: there is no template, it cannot be read, fails, or does not write JSON.
        """
        written = self._rendered(request)
        try:
            payload = orjson.loads(written)
        except orjson.JSONDecodeError as error:
            raise ConfigurationError(
                f"{self._name} did not write JSON: line {error.lineno}, column {error.colno}: {error.msg}. It wrote "
                f"{written[:_SHOWN]!r}. Write strings as {{{{ text|tojson }}}}, without quotes of your own"
            ) from None
        if isinstance(payload, dict):
            return self.merged(payload, request)
        check_streaming(payload, request)
        if request.turns[-1].extra_body or request.extra.keys() - self.own_extra:
            raise ConfigurationError(
                f"{self._name} wrote no JSON object, so no further fields can be put in: leave the extra inputs out"
            )
        return payload

    def _rendered(self, request: RequestInfo) -> str:
        from jinja2 import TemplateError

        template = self._template
        try:
            return template.render(_variables(request))
        except (TemplateError, TypeError, ValueError, LookupError, ArithmeticError) as error:
            line = _line_of(error.__traceback__)
            raise ConfigurationError(
                f"{self._name}, line {line}: {error}. Known variables: {_KNOWN}"
            ) from None

    @cached_property
    def _template(self) -> Template:
        """Read and compile once, and only where bodies are made: what reads answers needs no template."""
        from jinja2 import StrictUndefined, TemplateSyntaxError
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        given = self.model_endpoint.extra.get(PAYLOAD_TEMPLATE)
        if not isinstance(given, str) or not given:
            raise ConfigurationError(
                f"the endpoint type 'template' needs a template, got {given!r}: give its path or its text, "
                f"--aiperf-extra-inputs {PAYLOAD_TEMPLATE}:PATH"
            )
        source = _NAMED.get(given) or safe_read_template_path(given) or given
        if source is given and "{" not in given:
            raise ConfigurationError(
                f"{PAYLOAD_TEMPLATE} {given[:_SHOWN]!r} is no readable file, and no template either: it has no {{"
            )
        environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
        # Unlike Jinja's own these leave keys in the order of the data.
        environment.policies["json.dumps_kwargs"] = {"default": _unwritable}
        try:
            return environment.from_string(source)
        except TemplateSyntaxError as error:
            raise ConfigurationError(f"{self._name}, line {error.lineno}: {error.message}") from None

    @property
    def _name(self) -> str:
        """What messages call the template: its path, unless it was given as text."""
        given = str(self.model_endpoint.extra[PAYLOAD_TEMPLATE])
        return PAYLOAD_TEMPLATE if "{" in given else f"{PAYLOAD_TEMPLATE} {given}"


def _variables(request: RequestInfo) -> dict[str, Any]:
    turn = request.turns[-1]
    texts = [text for text in (turn.text, *turn.texts) if text]
    media = {"image": turn.images, "audio": turn.audios, "video": turn.videos}
    return {
        "text": turn.text,
        "texts": texts,
        "query": turn.text,
        "passages": list(turn.texts),
        **{name: urls[0] if urls else None for name, urls in media.items()},
        **{f"{name}s": list(urls) for name, urls in media.items()},
        "model": turn.model or request.model,
        "max_tokens": turn.max_tokens,
        "role": turn.role,
        "system": request.system,
        "stream": request.streaming,
        "turn": turn,
        "turns": list(request.turns),
    }


_KNOWN: Final = (
    "text, texts, query, passages, image, images, audio, audios, video, videos, model, max_tokens, role, system, "
    "stream, turn, turns"
)


def _unwritable(value: Any) -> Any:
    """Say why `tojson` cannot write this: a name that nothing has raises for itself when it is looked at."""
    raise TypeError(f"{str(value)[:_SHOWN]!r} cannot be written as JSON")


def _line_of(traceback: TracebackType | None) -> int | None:
    """Return the line of the template in which an error came up."""
    line = None
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == "<template>":
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return line
