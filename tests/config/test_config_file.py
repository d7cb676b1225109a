"""A configuration file as a layer of options, and what is said of a wrong one (systems.md N, B5, B6, D2, D3)."""

from __future__ import annotations

import re

import pytest

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.config.cli_config import CLIConfig
from pytest_aiperf.config.converter import to_aiperf_config
from pytest_aiperf.config.loader.config_file import ConfigFileError, read_config_file
from pytest_aiperf.config.loader.envelope_keys import FILE_SECTIONS, keys_by_option, path_options
from pytest_aiperf.config.option_table import rows
from pytest_aiperf.config.resolver import Layer, resolve
from pytest_aiperf.config.tolerance import Tolerance

SECRET = "sk-1234567890"


@pytest.fixture
def read(tmp_path):
    """Read a text as the file aiperf.yaml."""

    def read(text, environment=None, **further):
        path = tmp_path / "aiperf.yaml"
        path.write_text(text, encoding="utf-8") if isinstance(text, str) else path.write_bytes(text)
        return read_config_file(path, shown="aiperf.yaml", environment=environment or {}, **further)

    return read


@pytest.fixture
def problems(read):
    """The problems of a text, as they are told."""

    def problems(text, environment=None, **further):
        with pytest.raises(ConfigFileError) as caught:
            read(text, environment, **further)
        return [str(problem) for problem in caught.value.problems]

    return problems


EXAMPLE = """\
schemaVersion: "1.0"
variables:
  users: 8
  tenant: ${TENANT:nobody}
endpoint:
  url: http://a
  furtherUrls: [http://b, http://c]
  type: chat
  headers: {x-tenant: "{{ tenant }}", authorization: $TOKEN}
  extra:
    top_k: ${TOP_K:40}
    user: "${TOP_K:40}"
  requestTimeoutS: 90s
load:
  concurrency: "{{ users * 2 }}"
  request_count: ${COUNT}
  fixedSchedule: traces/day.jsonl
verdict:
  alpha: 2%
  goodput: ttft:400 itl:20
  tolerance:
    ttft.p50: 5%
    itl.p50: {relative: 0.1, floor: 2, unit: ms}
  metrics: ttft.p50, itl.p50
baseline:
  update: [missing, improved]
  baselineDir: ../stored
output:
  jsonPath: /abs/out.json
"""


def test_every_key_becomes_the_option_that_it_stands_for(read, tmp_path):
    file = read(EXAMPLE, {"TENANT": "acme", "COUNT": "50"})
    assert file.values == {
        "endpoint": "http://a,http://b,http://c",
        "endpoint_type": "chat",
        "headers": {"x-tenant": "acme", "authorization": "$TOKEN"},
        "extra_inputs": {"top_k": 40, "user": "40"},
        "request_timeout": "90s",
        "concurrency": 16,
        "request_count": "50",
        "fixed_schedule": str(tmp_path / "traces" / "day.jsonl"),
        "alpha": "2%",
        "goodput": {"ttft": 400, "itl": 20},
        "update": "missing,improved",
        "baseline_dir": str(tmp_path.parent / "stored"),
        "json_path": "/abs/out.json",
    }
    assert file.tolerance == {
        "ttft.p50": Tolerance(relative=0.05),
        "itl.p50": Tolerance(relative=0.1, floor=2, unit="ms"),
    }
    assert file.metrics == ["ttft.p50", "itl.p50"]


def test_b5_the_file_is_the_weakest_layer_and_gives_what_its_options_would(read):
    file = read("load: {concurrency: 3, requestCount: 7}\n")
    found = resolve([Layer("ini file", {"concurrency": 4}), file.layer])
    assert (found.concurrency, found.request_count) == (4, 7)
    assert found.model_fields_set == {"concurrency", "request_count"}


def test_a_wrong_value_that_comes_from_the_file_is_told_with_its_line(read):
    file = read("load:\n  concurrency: 3\n\n  requestCount: 7\n")
    assert file.layer.places == {
        "concurrency": "aiperf.yaml, line 2",
        "request_count": "aiperf.yaml, line 4",
    }
    with pytest.raises(ConfigurationError, match=r"^aiperf\.yaml, line 4: request_count='no': "):
        resolve([Layer("aiperf.yaml", {"request_count": "no"}, file.layer.places)])


def test_b6_what_the_file_leaves_out_or_leaves_empty_is_not_given(read):
    assert read("load:\ninput: {isl: null}\nverdict:\n  # runs: 3\n").values == {}


def test_d3_camel_case_and_snake_case_are_read(read):
    camel = read("load: {requestCount: 5}\nverdict: {maxMde: 10%}\n")
    snake = read("load: {request_count: 5}\nverdict: {max_mde: 10%}\n")
    assert camel.values == snake.values == {"request_count": 5, "max_mde": "10%"}


def test_b6_every_option_has_one_key_and_every_key_one_option():
    keys = keys_by_option()
    options = {row["field"] for row in rows()} - {"config_file"}
    assert options <= keys.keys()
    assert len({(key.section, key.name) for key in keys.values()}) == len(keys)
    assert {key.section for key in keys.values()} == set(FILE_SECTIONS)


def test_an_option_that_names_a_file_is_declared_as_one():
    of_files = {row["field"] for row in rows() if row.get("metavar") in ("FILE", "DIR", "PATH")}
    assert of_files - {"custom_endpoint"} == path_options()  # that one is a path of a URL


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "load: {concurency: 4}",
            "aiperf.yaml:1: load.concurency: unknown key (did you mean 'concurrency'?)",
        ),
        ("load: {isl: 4}", "aiperf.yaml:1: load.isl: unknown key; the option isl is input.isl here"),
        (
            "load:\n  benchmarkDuration: 4",
            "aiperf.yaml:2: load.benchmarkDuration: unknown key; the option benchmark-duration is load.durationS here",
        ),
        (
            "output:\n  json: a",
            "aiperf.yaml:2: output.json: unknown key; the option json is output.jsonPath here",
        ),
        (
            "load: {runs: 4}",
            "aiperf.yaml:1: load.runs: unknown key in this section; it belongs to the section verdict",
        ),
        (
            "laod: {}",
            "aiperf.yaml:1: laod: unknown key (did you mean 'load'?); there is: schemaVersion, variables, *",
        ),
        ("isl: 5", "aiperf.yaml:1: isl: unknown key; it belongs into the section input"),
        ("load: [1]", "aiperf.yaml:1: load: write key: value pairs below it"),
        ("- 1", "aiperf.yaml:1: holds no configuration; write sections such as endpoint:"),
        ("# nothing\n", "aiperf.yaml: holds no configuration; *"),
        (
            "load: {requestCount: 5, request_count: 6}",
            "aiperf.yaml:1: load.request_count: stands here twice, also as requestCount; keep one of them",
        ),
        (
            "load:\n  concurrency: 5\n  concurrency: 6",
            "aiperf.yaml:3: load.concurrency: stands here twice, first on line 2; keep one of them",
        ),
        (
            "load:\n  concurrency: 0",
            "aiperf.yaml:2: load.concurrency: input should be greater than or equal to 1, got 0",
        ),
        (
            "load: {durationS: soon}",
            "*: load.durationS: 'soon' is not a time; write 90s, 5m or a number of seconds",
        ),
        ("verdict: {alpha: much}", "*: verdict.alpha: 'much' is not a share; write 10% or 0.1"),
        (
            "verdict: {mode: chek}",
            "*: verdict.mode: input should be 'check', 'measure', 'quick' or 'off', got 'chek'",
        ),
        (
            "verdict: {mode: off}",
            "*: verdict.mode: YAML reads off as false; * a text: put it into quotes, 'off'",
        ),
        (
            "endpoint: {model: 8}",
            "*: endpoint.model: YAML reads 8 as a number; what it takes is a text: put it into *",
        ),
        (
            "endpoint: {model: 2026-01-01}",
            "*: endpoint.model: YAML reads 2026-01-01 as a date; *: put it into quotes*",
        ),
        (
            "endpoint: {model: 2026-99-01}",
            "*: endpoint.model: '2026-99-01': month must be *; put it into quotes if *",
        ),
        (
            "load: {concurrency: yes}",
            "*: load.concurrency: YAML reads yes as true; what it takes is a whole number",
        ),
        ("load: {concurrency: [1]}", "*: load.concurrency: is a list; what it takes is a whole number"),
        ("load: {concurrency: .inf}", "*: load.concurrency: *"),
        ("load: {requestRate: .nan}", "*: load.requestRate: must be finite, got nan"),
        (
            "verdict:\n  goodput:\n    ttft: yes",
            "aiperf.yaml:3: verdict.goodput.ttft: YAML reads yes as true; *",
        ),
        (
            "verdict:\n  goodput:\n    ttft: fast",
            "aiperf.yaml:3: verdict.goodput.ttft: input should be a valid number*",
        ),
        (
            "verdict: {tolerance: {ttft.p50: lots}}",
            "*: verdict.tolerance.ttft.p50: tolerance 'lots' is not a share *",
        ),
        (
            "verdict: {tolerance: {ttft.p50: {flor: 1}}}",
            "*: verdict.tolerance.ttft.p50: tolerance {'flor': 1} is out *",
        ),
        ("verdict: {tolerance: 5%}", "*: verdict.tolerance: write metric.statistic: 5% pairs below it"),
        ("verdict: {metrics: [{a: b}]}", "*: verdict.metrics: write a list of metrics, *"),
        ("endpoint: {type: caht}", "*: endpoint.type: *caht*(did you mean 'chat'?)*"),
        ("endpoint: {furtherUrls: [http://b]}", "*: endpoint.furtherUrls: there is no url *"),
        ("baseline: {update: [sometimes]}", "*: baseline.update: input should be 'missing'*"),
        ("schemaVersion: '2.0'", "aiperf.yaml:1: schemaVersion: '2.0' is not known; this version reads 1.0"),
        ("schemaVersion: new", "aiperf.yaml:1: schemaVersion: 'new' is not known; this version reads 1.0"),
        ("variables: [1]", "aiperf.yaml:1: variables: write name: value pairs below it"),
        (
            "variables: {a-b: 1}",
            "aiperf.yaml:1: variables.a-b: a variable is a name of letters, digits and _",
        ),
        (
            "load:\n\tconcurrency: 1",
            "aiperf.yaml:2: is not YAML: *; is it a tab? YAML is indented with spaces",
        ),
        ("load: {concurrency: 1", "aiperf.yaml:*: is not YAML: *"),
        ("load: 1\n---\nload: 2", "aiperf.yaml:2: is not YAML: but found another document"),
        (
            "load: {concurrency: {{ n }}}",
            "aiperf.yaml:1: load.concurrency: a key is a mapping or a list; put a value *",
        ),
        (
            "load: {concurrency: !!python/name:os.system x}",
            "*: load.concurrency: *could not determine a constructor*",
        ),
        (
            "load: !!set {concurrency}",
            "*: load: the tag 'tag:yaml.org,2002:set' is not read here; leave it out",
        ),
        (b"load: \xff\n", "aiperf.yaml:1: is not UTF-8 text; save it as UTF-8"),
        ("load: \x07", "aiperf.yaml: is not YAML: unacceptable character *"),
    ],
)
def test_a_mistake_is_told_with_file_line_and_key(problems, text, message):
    (told,) = problems(text)
    pattern = re.escape(message).replace(r"\*", ".*")
    assert re.fullmatch(pattern, told, re.DOTALL), told


def test_all_problems_are_told_at_once_in_the_order_of_their_lines(problems):
    text = "load:\n  concurrency: 0\n  nothing: 1\nverdict:\n  goodput: {ttft: x, itl: y}\n  alpha: 7\ninput: 5\n"
    told = problems(text)
    assert [re.match(r"aiperf\.yaml:(\d+): ([\w.]+): ", line).groups() for line in told] == [
        ("2", "load.concurrency"),
        ("3", "load.nothing"),
        ("5", "verdict.goodput.ttft"),
        ("5", "verdict.goodput.itl"),
        ("6", "verdict.alpha"),
        ("7", "input"),
    ]


def test_no_more_than_twenty_problems_are_told(read):
    with pytest.raises(ConfigFileError) as caught:
        read("load:\n" + "".join(f"  k{number}: 1\n" for number in range(25)))
    assert len(caught.value.problems) == 25
    lines = str(caught.value).splitlines()
    assert len(lines) == 21
    assert lines[-1] == "  and 5 more"


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
        + "".join(
            f"{b}: &{b} [{', '.join([f'*{a}'] * 10)}]\n" for a, b in zip("abcdef", "bcdefg", strict=True)
        ),
        "a: &a {b: *a}\n",
        "load: " + "[" * 100_000 + "]" * 100_000,
        "- " * 100_000 + "x",
        "load: [" + "1, " * 30_000 + "1]",
    ],
    ids=["billion laughs", "endless", "deep", "deep block", "long"],
)
def test_a_yaml_bomb_is_refused(problems, text):
    (told,) = problems(text)
    assert re.search(r"more than (20000 values|20 levels|nested 20 deep|of 20000 values)", told), told[:200]


def test_aliases_and_merge_keys_work_within_limits(read):
    file = read("variables:\n  v: &v 3\nload: &load {concurrency: *v, workers: 2}\ninput: {}\n")
    assert file.values == {"concurrency": 3, "workers": 2}
    merged = read("variables:\n  a: &a {ttft: 1, itl: 2}\nverdict:\n  goodput: {<<: *a, ttft: 5}\n")
    assert merged.values == {"goodput": {"ttft": 5, "itl": 2}}


def test_what_cannot_be_read_is_refused_clearly(tmp_path):
    link, folder, large, empty = (tmp_path / name for name in ("link", "folder", "large", "empty"))
    link.symlink_to(tmp_path / "nowhere")
    folder.mkdir()
    with large.open("wb") as file:
        file.truncate(16 * 1024 * 1024 + 1)
    empty.touch()
    for path, message in (
        (tmp_path / "none.yaml", "there is no such file"),
        (link, "is a symbolic link; give the path that it points to"),
        (folder, "it is not a regular file"),
        (large, "it is larger than 16777216 bytes"),
        (empty, "it is empty"),
    ):
        with pytest.raises(ConfigFileError, match=message) as caught:
            read_config_file(path)
        assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        f"endpoint: {{headers: {{authorization: Bearer {SECRET}}}}}",
        f"endpoint: {{headers: {{x-api-key: {SECRET}}}}}",
        "endpoint: {headers: {x-api-key: '${VALUE}'}}",
        f"endpoint: {{headers: 'x-api-key: {SECRET}'}}",
        f"endpoint: {{url: 'http://me:{SECRET}@host'}}",
        f"endpoint: {{url: http://a, furtherUrls: ['http://me:{SECRET}@host']}}",
        f"endpoint: {{url: ['http://me:{SECRET}@host']}}",
        f"endpoint: {{proxy: 'http://me:{SECRET}@host'}}",
        f"verdict: {{against: 'http://me:{SECRET}@host'}}",
        "endpoint: {model: '${MY_API_KEY}'}",
    ],
)
def test_g4_a_secret_in_the_file_is_refused_and_never_shown(problems, text):
    (told,) = problems(text, {"MY_API_KEY": SECRET, "VALUE": SECRET})
    assert SECRET not in told


def test_d2_unknown_keys_of_a_newer_minor_schema_are_left_out_with_a_warning(read):
    file = read("schemaVersion: '1.3'\nload: {concurrency: 2, shape: new}\nplots: {}\n")
    assert file.values == {"concurrency": 2}
    assert [warning.partition(": ")[0] for warning in file.warnings] == ["aiperf.yaml"] * 2
    assert "line 2: load.shape is not known here, and left out: the file is of schema 1.3" in file.warnings[0]


def test_further_checks_tell_the_line_of_each_item(problems):
    def check(item):
        raise ConfigurationError(f"no {item}")

    text = "verdict:\n  goodput:\n    ttft: 1\n    itl: 2\n  metrics: [a, b]\n  tolerance: {t: 5%}\n"
    text += "output: {columns: a}\n"
    checks = dict.fromkeys(("goodput", "metrics", "tolerance", "columns"), check)
    assert [re.sub(r"no .*", "no", told) for told in problems(text, checks=checks)] == [
        "aiperf.yaml:3: verdict.goodput.ttft: no",
        "aiperf.yaml:4: verdict.goodput.itl: no",
        "aiperf.yaml:5: verdict.metrics: no",
        "aiperf.yaml:5: verdict.metrics: no",
        "aiperf.yaml:6: verdict.tolerance.t: no",
        "aiperf.yaml:7: output.columns: no",
    ]


def test_the_file_gives_the_same_configuration_as_its_options(read):
    file = read(
        "load: {concurrency: 3, durationS: 90s}\ninput: {isl: 7}\nverdict: {strict: yes, maxMde: 10 %}\n"
    )
    typed = CLIConfig(concurrency="3", benchmark_duration="90s", isl="7", strict="yes", max_mde="10 %")
    assert to_aiperf_config(resolve([file.layer]), url="http://h") == to_aiperf_config(typed, url="http://h")
