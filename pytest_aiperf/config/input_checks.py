"""Which options of prompts and data go together: an option that would do nothing, or two things, is a mistake."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pytest_aiperf.config.length_mix import parse_length_mix

OPTION: Final = {
    "turns": "session_turns_mean",
    "turn_delay_ms": "session_turn_delay_mean",
}
"""What people type, where the configuration calls it otherwise."""

_TAKES: Final = {
    "isl_distribution": ("isl_stddev", "seq_dist"),
    "osl_distribution": ("osl_stddev", "seq_dist"),
    "prefix_prompt_pool_size": ("prefix_prompt_length",),
    "prefix_prompt_length": ("prefix_prompt_pool_size",),
    "session_turn_delay_stddev": ("turn_delay_ms",),
    "image_width_mean": ("image_height_mean",),
    "image_height_mean": ("image_width_mean",),
    "image_width_stddev": ("image_width_mean",),
    "image_height_stddev": ("image_height_mean",),
    "image_batch_size": ("image_width_mean",),
    "image_format": ("image_width_mean",),
    "audio_length_stddev": ("audio_length_mean",),
    "audio_batch_size": ("audio_length_mean",),
    "audio_format": ("audio_length_mean",),
    "audio_sample_rate": ("audio_length_mean",),
    "audio_num_channels": ("audio_length_mean",),
    "video_fps": ("video_duration",),
    "video_width": ("video_duration",),
    "video_height": ("video_duration",),
    "video_batch_size": ("video_duration",),
}
"""What says something only beside one of others."""

_APART: Final = {
    ("seq_dist", "isl_stddev"): "the deviation of its pairs is written isl|stddev",
    ("seq_dist", "osl_stddev"): "the deviation of its pairs is written osl|stddev",
    ("system_prompt", "system_prompt_file"): "both are the system prompt",
    ("system_prompt", "shared_system_prompt_length"): "both are the system prompt",
    ("system_prompt_file", "shared_system_prompt_length"): "both are the system prompt",
}

_MADE_UP: Final = (
    "num_dataset_entries",
    "isl_stddev",
    "seq_dist",
    "osl_stddev",
    "prompt_batch_size",
    "prefix_prompt_pool_size",
    "user_context_prompt_length",
    "turns",
    "session_turns_stddev",
    "turn_delay_ms",
    "image_width_mean",
    "audio_length_mean",
    "video_duration",
)
"""What shapes prompts that are made up; those of a file are as they are."""


def problems_of(given: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with these options together; `given` holds those that differ from their defaults."""
    for name, needs in _TAKES.items():
        if name in given and given.keys().isdisjoint(needs):
            yield f"{_option(name)} takes {' or '.join(map(_option, needs))}; give both, or neither"
    for (one, other), why in _APART.items():
        if one in given and other in given:
            yield f"{one} does not go with {other}: {why}; give one of them"
    if "input_file" in given:
        made_up = _MADE_UP if "shared_system_prompt_length" in given else (*_MADE_UP, "tokenizer")
        shaping = [_option(name) for name in made_up if name in given]
        if shaping:
            yield f"input_file does not go with {', '.join(shaping)}: the file says what is asked"
    if "seq_dist" in given:
        yield from _problems_of_mix(given)


def _problems_of_mix(given: Mapping[str, Any]) -> Iterator[str]:
    try:
        pairs = parse_length_mix(given["seq_dist"])
    except ValueError as error:
        yield f"seq_dist: {error}"
        return
    for name in ("isl", "osl"):
        if f"{name}_distribution" in given and not any(getattr(pair, f"{name}_stddev") for pair in pairs):
            yield f"{name}_distribution takes a deviation in seq_dist, written {name}|stddev"


def _option(name: str) -> str:
    return OPTION.get(name, name)
