"""Which option belongs to which part of `AIPerfConfig`. Disjoint, and together all of `CLIConfig`."""

from __future__ import annotations

from typing import Final

ENDPOINT_FIELDS: Final = frozenset(
    {"endpoint", "model", "endpoint_type", "streaming", "request_timeout", "extra_inputs"}
)
LOAD_FIELDS: Final = frozenset({"concurrency", "request_count"})
INPUT_FIELDS: Final = frozenset({"isl", "osl", "seed"})
VERDICT_FIELDS: Final = frozenset(
    {"mode", "max_time", "max_mde", "inconclusive", "missing", "strict", "require"}
)
BASELINE_FIELDS: Final = frozenset({"update", "profile", "baseline_dir"})
OUTPUT_FIELDS: Final = frozenset({"json_path"})

SECTIONS: Final = {
    "endpoint": ENDPOINT_FIELDS,
    "load": LOAD_FIELDS,
    "input": INPUT_FIELDS,
    "verdict": VERDICT_FIELDS,
    "baseline": BASELINE_FIELDS,
    "output": OUTPUT_FIELDS,
}
