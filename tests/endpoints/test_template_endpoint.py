"""Bodies after a template of the user's."""

from __future__ import annotations

import pytest
from scripted_api import endpoint_of, exchange, json_answer

from pytest_aiperf.common.conversation import Turn
from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.common.records import Outcome
from pytest_aiperf.endpoints.base_endpoint import RequestInfo

PROMPT = '{"q": {{ text|tojson }}, "n": {{ max_tokens|tojson }}}'


def body_of(template, turn=None, streaming=False, system=None, **extra):
    extra = {"payload_template": str(template)} | extra
    turns = [Turn(text="before"), turn or Turn(text="hi", max_tokens=5)]
    return endpoint_of("template", streaming=streaming, extra=extra).format_payload(
        RequestInfo(turns=turns, model="m", streaming=streaming, extra=extra, system=system)
    )


def test_a_request_is_what_the_template_writes():
    extra = {"payload_template": PROMPT, "response_field": "a", "top_k": 3}
    turn = Turn(text="hi", max_tokens=5, extra_body={"seed": 1})
    request = RequestInfo(turns=[turn], model="m", streaming=False, extra=extra)
    sent, records = exchange("template", request, json_answer({"a": "yes"}), path="/ask")
    assert sent.line == "POST /ask HTTP/1.1"
    assert sent.body == b'{"q":"hi","n":5,"top_k":3,"seed":1}'
    assert (records.outcome[0], records.content_count()[0]) == (Outcome.OK, 1)


@pytest.mark.parametrize("template", ['{"q": "{{ text }}"}', '{"q": {{ text|tojson }}}'])
def test_q8_prompts_are_not_escaped_as_if_for_html(template):
    """Q8."""
    prompt = "<b> & 'x' > 1"
    assert body_of(template, Turn(text=prompt)) == {"q": prompt}


def test_a_template_may_be_a_file(tmp_path):
    path = tmp_path / "ask.j2"
    path.write_text(PROMPT)
    assert body_of(path) == {"q": "hi", "n": 5}


def test_a_template_has_names_for_all_that_a_turn_holds():
    template = (
        '{"texts": {{ texts|tojson }}, "query": {{ query|tojson }}, "passages": {{ passages|tojson }},'
        ' "image": {{ image|tojson }}, "images": {{ images|tojson }}, "audio": {{ audio|tojson }},'
        ' "videos": {{ videos|tojson }}, "model": {{ model|tojson }}, "role": {{ role|tojson }},'
        ' "system": {{ system|tojson }}, "stream": {{ stream|tojson }}, "turns": {{ turns|length }},'
        ' "delay": {{ turn.delay_ms|tojson }}}'
    )
    turn = Turn(text="q", texts=["a", "b"], images=["i", "j"], videos=["v"], model="own", delay_ms=2.5)
    assert body_of(template, turn, streaming=True, system="Be brief.") == {
        "texts": ["q", "a", "b"],
        "query": "q",
        "passages": ["a", "b"],
        "image": "i",
        "images": ["i", "j"],
        "audio": None,
        "videos": ["v"],
        "model": "own",
        "role": "user",
        "system": "Be brief.",
        "stream": True,
        "turns": 2,
        "delay": 2.5,
    }


def test_the_template_of_nv_embedqa_goes_by_its_name():
    assert body_of("nv-embedqa", Turn(text="a", texts=["b"])) == {"text": ["a", "b"]}


def test_a_body_that_is_no_object_is_sent_as_it_is_and_takes_no_fields():
    assert body_of("[{{ text|tojson }}]") == ["hi"]
    with pytest.raises(ConfigurationError, match="no JSON object"):
        body_of("[{{ text|tojson }}]", top_k=3)


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ('{"a": 1,\n "q": {{ text|tojson }', r"payload_template, line 2: unexpected '}'"),
        ('{"a": 1,\n "q": {{ txet|tojson }}}', r"payload_template, line 2: 'txet' is undefined"),
        ('{"q": {{ text|nothing }}}', r"line 1: No filter named 'nothing'"),
        ('{"q": {{ 1 / 0 }}}', "line 1: division by zero"),
        ('{"q":\n {{ text }}}', "did not write JSON: line 2, column 2"),
        ('{"q": {{ turns.append(1) }}}', "line 1: access to attribute 'append'"),
        ('{"q": {{ "".__class__.__mro__ }}}', "line 1: access to attribute '__class__'"),
        ("nowhere.j2", "'nowhere.j2' is no readable file"),
        ("", "needs a template"),
    ],
)
def test_a_bad_template_says_where_and_what(template, told):
    with pytest.raises(ConfigurationError, match=told):
        body_of(template)


def test_a_file_with_a_bad_template_is_named(tmp_path):
    path = tmp_path / "ask.j2"
    path.write_text('{"q": {{ txet }}}')
    with pytest.raises(ConfigurationError, match=r"ask\.j2, line 1: 'txet' is undefined"):
        body_of(path)


def test_reading_answers_needs_no_template():
    assert endpoint_of("template").read_response({"text": "a"}).content == [0]
    with pytest.raises(ConfigurationError, match="needs a template, got None"):
        endpoint_of("template").format_payload(
            RequestInfo(turns=[Turn(text="a")], model="m", streaming=False)
        )
