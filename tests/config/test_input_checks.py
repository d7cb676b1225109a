"""Options of prompts and data that do not go together, and mixes of lengths that cannot be read."""

from __future__ import annotations

import pytest

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.config.cli_config import CLIConfig
from pytest_aiperf.config.converter import to_aiperf_config
from pytest_aiperf.config.input_config import InputConfig
from pytest_aiperf.config.length_mix import LengthPair, parse_length_mix

URL = "http://localhost:8000"
PAIRS = (
    LengthPair(isl=256, osl=128, prob=40.0),
    LengthPair(isl=512, isl_stddev=20.0, osl=256, osl_stddev=10.0, prob=60.0),
)


def refused(**options):
    """What is said of these options."""
    with pytest.raises(ConfigurationError) as caught:
        to_aiperf_config(CLIConfig(**options), url=URL)
    return str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seq_dist": "9,9:100", "isl_stddev": 2}, "seq_dist does not go with isl_stddev: the deviation"),
        ({"seq_dist": "9,9:100", "osl_stddev": 2}, "seq_dist does not go with osl_stddev: the deviation"),
        ({"system_prompt": "a", "system_prompt_file": "b"}, "does not go with system_prompt_file"),
        ({"system_prompt": "a", "shared_system_prompt_length": 9}, "both are the system prompt; give one"),
        ({"system_prompt_file": "a", "shared_system_prompt_length": 9}, "both are the system prompt"),
        ({"input_file": "f", "isl_stddev": 9}, "input_file does not go with isl_stddev: the file says what"),
        ({"input_file": "f", "tokenizer": "t"}, "input_file does not go with tokenizer"),
        ({"input_file": "f", "session_turns_mean": 3}, "does not go with session_turns_mean"),
        ({"seq_dist": "9,9:100", "isl_distribution": "lognormal"}, r"takes a deviation in seq_dist"),
        ({"seq_dist": "9|1,9:100", "osl_distribution": "lognormal"}, r"takes a deviation in seq_dist"),
    ],
)
def test_options_of_the_input_that_contradict_each_other_are_refused(options, message):
    assert message in refused(**options)


@pytest.mark.parametrize(
    "options",
    [
        {"seq_dist": "9|1,9:100", "isl_distribution": "lognormal"},
        {"input_file": "f", "system_prompt": "a"},
        {"input_file": "f", "tokenizer": "t", "shared_system_prompt_length": 9},
        {"prefix_prompt_pool_size": 1, "prefix_prompt_length": 9, "shared_system_prompt_length": 9},
    ],
)
def test_options_that_go_together_are_taken(options):
    assert to_aiperf_config(CLIConfig(**options), url=URL)


def test_all_contradictions_are_told_at_once():
    message = refused(image_width_mean=9, prefix_prompt_length=9, video_fps=9)
    assert "image_width_mean takes image_height_mean; give both, or neither" in message
    assert "prefix_prompt_length takes prefix_prompt_pool_size" in message
    assert "video_fps takes video_duration" in message
    assert "\n" not in message


def test_a_default_that_is_written_out_is_no_contradiction():
    assert InputConfig(video_fps=4, image_format="png", isl_distribution="normal", prompt_batch_size=1)


@pytest.mark.parametrize(
    "text",
    [
        "256,128:40;512|20,256|10:60",
        " 256 , 128 : 40 ; 512|20 , 256|10 : 60 ; ",
        "[(256,128):40,(512|20,256|10):60]",
        "[ ( 256 , 128 ) : 40 , ( 512|20 , 256|10 ) : 60 ]",
        '{"pairs": [{"isl": 256, "osl": 128, "prob": 40},'
        ' {"isl": 512, "isl_stddev": 20, "osl": 256, "osl_stddev": 10, "prob": 60}]}',
    ],
)
def test_a_mix_of_lengths_is_read_in_each_of_the_three_notations(text):
    assert parse_length_mix(text) == PAIRS


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is empty; write ISL"),
        (" ; ", "it is empty"),
        ("256,128", r"pair 1 \('256,128'\): write ISL\[\|STDDEV\],OSL\[\|STDDEV\]:PERCENT"),
        ("256,128:40;512:60", r"pair 2 \('512:60'\): write"),
        ("0,128:100", r"pair 1 \('0,128:100'\): isl: .*greater than or equal to 1"),
        ("2.5,128:100", r"pair 1 .*: isl: .*valid integer"),
        ("99999999,1:100", r"isl: .*less than or equal to 10000000"),
        ("٣,128:100", "pair 1 .*: write"),
        (f"{'9' * 5000},1:100", "pair 1 .*: write"),
        ("1,1:40;2,2:50", "the shares are 90 percent together, not 100$"),
        ("1,1:0.4;2,2:0.6", "1 percent together, not 100; they are percent, not fractions"),
        ("1,1:200", r"prob: .*less than or equal to 100"),
        ("[(1,1):100", "begins with \\[ and does not end with \\]"),
        ("[]", "pair 1 .*: write \\(ISL"),
        ("[1,1:100]", r"as in \[\(256,128\):100\]"),
        ("{pairs", "it begins with { and is not JSON: "),
        ("{" * 100_000, "is not JSON"),
        ('{"a":' * 100_000, "is not JSON"),
        ('{"pair": []}', r"""it has one key, "pairs", not \['pair'\]"""),
        ('{"pairs": []}', "at least one"),
        ('{"pairs": [1]}', r"pair 1 \(1\): it is not an object"),
        ('{"pairs": [{"isl": 1, "osl": 1}]}', r"prob: Field required"),
        ('{"pairs": [{"isl": true, "osl": 1, "prob": 100}]}', r"isl: .*valid integer"),
        ('{"pairs": [{"isl": 1, "osl": 1, "prob": NaN}]}', r"prob: must be finite, got nan"),
        ('{"pairs": [{"isl": 1, "osl": 1, "prop": 100}]}', r"unknown key 'prop' \(did you mean 'prob'\?\)"),
    ],
)
def test_a_mix_of_lengths_that_cannot_be_read_is_told_with_its_pair_and_what_would_be_right(text, message):
    with pytest.raises(ValueError, match=message):
        parse_length_mix(text)


def test_all_problems_of_a_mix_are_told_at_once_up_to_twenty():
    with pytest.raises(ValueError, match=r"pair 1 .*; pair 2 .*; pair 20 ") as caught:
        parse_length_mix(";".join(["x"] * 30))
    assert "pair 21" not in str(caught.value)


def test_a_wrong_mix_is_refused_with_the_name_of_the_option():
    assert refused(seq_dist="1,1:99").startswith("input: seq_dist: the shares are 99 percent together")
