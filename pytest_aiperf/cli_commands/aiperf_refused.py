"""Flags of ``aiperf profile`` 0.13 that `profile` does not take: why, and what to do instead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Flags that are not taken, all for one reason."""

    flags: tuple[str, ...]
    instead: str
    """A sentence or two."""


_PYTEST_SWEEP: Final = (
    "A measurement has one load: run one command for each value, or let a test sweep, "
    "`aiperf.sweep(concurrency=[1, 8, 32])`."
)
_RUNS: Final = (
    "How many runs a verdict takes follows from the gate: give `--num-profile-runs` (most runs), `--max-time` "
    "and `--alpha`."
)
_WARM_UP: Final = (
    "The warm-up is the beginning of the load itself: give `--warmup-request-count`; before all runs the whole "
    "load is rehearsed once."
)
_REPLAY: Final = "Traces are replayed as they are; `--fixed-schedule-speedup` changes their pace."
_WEKA: Final = "Weka and agentic traces are not read. Loaders: `pytest-aiperf plugins list dataset_loader`."
_DOWNLOAD: Final = "Nothing is ever downloaded: fetch the data yourself and give it as `--input-file`."
_SERVICES: Final = "There is no such service: the load processes talk to this one alone. Leave it out."
_EXPORTS: Final = (
    "Figures go into the result document, `--json FILE`, and every request into `--artifacts DIR`."
)

REFUSED: Final[Sequence[Refused]] = (
    Refused(
        flags=("--api-key",),
        instead="A command line is seen by everybody on the machine and kept in logs: put the key into the "
        "environment variable `AIPERF_API_KEY` and leave the flag out.",
    ),
    Refused(
        flags=("--model-selection-strategy",),
        instead="A measurement has one model: run one command for each.",
    ),
    Refused(flags=("--url-strategy",), instead="Several URLs are always used in turn. Leave it out."),
    Refused(
        flags=("--wait-for-model-timeout", "--wait-for-model-mode", "--wait-for-model-interval"),
        instead="Before the load single requests are sent until one is answered, three at most. For a server that is "
        "still loading, wait in the script that starts it, or start it with a `ServerProcess` in a test.",
    ),
    Refused(
        flags=("--reset-kv-cache", "--reset-kv-cache-timeout-seconds", "--reset-kv-cache-path"),
        instead="Give `--cache-bust`: every run then has prompts that no prefix cache knows.",
    ),
    Refused(
        flags=(
            "--server-profiler",
            "--server-profiler-timeout-seconds",
            "--server-profiler-start-path",
            "--server-profiler-stop-path",
        ),
        instead="Start and stop a profiler with the hooks of pytest, `pytest_aiperf_before_measure` and "
        "`pytest_aiperf_after_measure`.",
    ),
    Refused(
        flags=("--use-legacy-max-tokens",),
        instead="The length always goes by `max_tokens`. Leave it out.",
    ),
    Refused(
        flags=("--use-server-token-count",),
        instead="The server's counts are always used where it reports them. Leave it out.",
    ),
    Refused(
        flags=("--per-chunk-usage",),
        instead="Messages with several tokens need no counts: their stamps and the total are enough. A server that "
        "wants the field gets it with `--extra-inputs`.",
    ),
    Refused(
        flags=("--request-content-type",),
        instead="The content type is that of the endpoint type, `--endpoint-type`.",
    ),
    Refused(
        flags=("--session-header",),
        instead="Give `--connection-reuse-strategy sticky-user-sessions`, which keeps a conversation on a connection.",
    ),
    Refused(flags=("--uuid-and-strip",), instead="Images are sent as they are."),
    Refused(
        flags=("--public-dataset", "--hf-subset", "--hf-weka-dataset", "--dataset-filter"), instead=_DOWNLOAD
    ),
    Refused(
        flags=(
            "--use-think-time-only",
            "--max-context-length",
            "--allow-dataset-wrap",
            "--no-allow-dataset-wrap",
            "--trajectory-start-min-ratio",
            "--trajectory-start-max-ratio",
            "--burst-phase-starts",
            "--trace-idle-gap-cap-seconds",
            "--system-idle-gap-cap-seconds",
            "--agentic-cache-warmup-duration",
            "--agentic-warmup-grace-period",
        ),
        instead=_WEKA,
    ),
    Refused(
        flags=("--ignore-trace-delays",),
        instead="Give `--session-delay-ratio 0`: no turn is then waited for.",
    ),
    Refused(
        flags=("--no-fixed-schedule",),
        instead="Times in the data are kept to only where `--fixed-schedule FILE` asks for it. Leave it out.",
    ),
    Refused(
        flags=(
            "--replay-speedup",
            "--open-loop-replay",
            "--no-open-loop-replay",
            "--open-loop-strict",
            "--inter-turn-delay-cap-seconds",
            "--max-idle-gap-cap-seconds",
            "--omit-kv-hints",
            "--force-min-tokens",
            "--no-force-min-tokens",
            "--trace-session-sample-ratio",
        ),
        instead=_REPLAY,
    ),
    Refused(
        flags=(
            "--synthesis-speedup-ratio",
            "--synthesis-prefix-len-multiplier",
            "--synthesis-prefix-root-multiplier",
            "--synthesis-prompt-len-multiplier",
            "--synthesis-output-len-multiplier",
            "--synthesis-max-isl",
            "--synthesis-max-osl",
        ),
        instead="A trace is used as it is: change the file itself.",
    ),
    Refused(
        flags=(
            "--profile-export-prefix",
            "--profile-export-file",
            "--export-level",
            "--profile-export-level",
            "--slice-duration",
            "--export-outputs-json",
            "--export-http-trace",
            "--show-trace-timing",
        ),
        instead=_EXPORTS,
    ),
    Refused(
        flags=("--auto-plot", "--no-auto-plot", "--plot-required"),
        instead="Nothing is drawn after a measurement. Leave it out.",
    ),
    Refused(
        flags=("--otel-url", "--stream", "--otel-resource-attributes", "--gen-ai-provider"),
        instead="Nothing is streamed while a measurement runs. " + _EXPORTS,
    ),
    Refused(
        flags=(
            "--mlflow-tracking-uri",
            "--mlflow-experiment",
            "--mlflow-run-name",
            "--mlflow-tag",
            "--mlflow-parent-run-id",
            "--mlflow-artifact-glob",
            "--wandb-project",
            "--wandb-entity",
            "--wandb-run-name",
            "--wandb-tag",
        ),
        instead="Nothing is uploaded. Give `--json FILE` and upload that.",
    ),
    Refused(
        flags=("--tokenizer-revision", "--tokenizer-trust-remote-code", "--apply-chat-template"),
        instead="A tokenizer is a local `tokenizer.json`, `--tokenizer FILE`; nothing is downloaded or executed.",
    ),
    Refused(
        flags=("--prefill-concurrency-ramp-duration", "--request-rate-series"),
        instead="There are ramps of the concurrency and of the request rate: `--concurrency-ramp-duration`, "
        "`--request-rate-ramp-duration`, `--ramp-shape`; any other course is a file, `--fixed-schedule FILE`.",
    ),
    Refused(
        flags=("--failed-request-threshold",),
        instead="Too many errors make a measurement invalid: `--validity error_share:0.1` changes the limit.",
    ),
    Refused(
        flags=("--scenario", "--unsafe-override"), instead="Give the options of the scenario one by one."
    ),
    Refused(
        flags=(
            "--warmup-duration",
            "--num-warmup-sessions",
            "--warmup-concurrency",
            "--warmup-prefill-concurrency",
            "--warmup-request-rate",
            "--warmup-arrival-pattern",
            "--warmup-grace-period",
            "--warmup-concurrency-ramp-duration",
            "--warmup-prefill-concurrency-ramp-duration",
            "--warmup-request-rate-ramp-duration",
        ),
        instead=_WARM_UP,
    ),
    Refused(
        flags=("--conversation-num", "--num-conversations", "--num-sessions"),
        instead="A run ends by `--request-count` or `--benchmark-duration`; `--num-dataset-entries` says how many "
        "conversations are different.",
    ),
    Refused(
        flags=("--random-range-ratio", "--random-corpus-style"),
        instead="Give `--isl-stddev` and `--osl-stddev`, or a mix, `--seq-dist`.",
    ),
    Refused(
        flags=("--prompt-corpus",),
        instead="Synthetic prompts are made of plain words; other text is an `--input-file`.",
    ),
    Refused(
        flags=("--audio-depths", "--image-source", "--image-source-sampling", "--video-synth-type"),
        instead="Made-up media are noise of one kind; give your own with `--input-file`.",
    ),
    Refused(
        flags=(
            "--video-format",
            "--video-codec",
            "--video-audio-sample-rate",
            "--video-audio-num-channels",
            "--video-audio-codec",
            "--video-audio-depth",
        ),
        instead="Made-up videos have one format, without sound; give your own with `--input-file`.",
    ),
    Refused(
        flags=("--log-level", "--verbose", "-v", "--extra-verbose", "-vv"),
        instead="The load processes keep their logs in `.aiperf/logs`, or below `--artifacts DIR`.",
    ),
    Refused(
        flags=(
            "--record-processor-service-count",
            "--record-processors",
            "--api-port",
            "--api-host",
            "--zmq-host",
            "--zmq-ipc-path",
            "--zmq-dual-bind",
        ),
        instead=_SERVICES,
    ),
    Refused(
        flags=("--ui-type", "--ui", "--stats-interval"),
        instead="Progress is one live line on a terminal and a line each 30 s elsewhere, on stderr. Leave it out.",
    ),
    Refused(
        flags=("--server-metrics", "--no-server-metrics", "--server-metrics-formats"),
        instead="The server's own metrics are not collected. Leave it out.",
    ),
    Refused(
        flags=("--network-latency-automatic", "--network-latency-mean", "--network-latency-ping-interval"),
        instead="Nothing is subtracted from what was measured; a comparison with `--against` or `--baseline` has "
        "the same network on both sides.",
    ),
    Refused(
        flags=("--gpu-telemetry", "--no-gpu-telemetry"),
        instead="The cards of this machine are named in the result; their load is not recorded. Leave it out.",
    ),
    Refused(
        flags=(
            "--accuracy-benchmark",
            "--accuracy-tasks",
            "--accuracy-n-shots",
            "--accuracy-enable-cot",
            "--accuracy-no-enable-cot",
            "--accuracy-system-prompt",
            "--accuracy-verbose",
        ),
        instead="Give questions with the answers that are expected as `--input-file`, and `--accuracy-grader`.",
    ),
    Refused(
        flags=(
            "--profile-run-cooldown-seconds",
            "--confidence-level",
            "--profile-run-disable-warmup-after-first",
            "--no-profile-run-disable-warmup-after-first",
            "--set-consistent-seed",
            "--no-set-consistent-seed",
            "--vary-seed-per-trial",
            "--no-vary-seed-per-trial",
            "--convergence-metric",
            "--convergence-stat",
            "--convergence-threshold",
            "--convergence-mode",
        ),
        instead=_RUNS,
    ),
    Refused(
        flags=(
            "--parameter-sweep-cooldown-seconds",
            "--parameter-sweep-same-seed",
            "--no-parameter-sweep-same-seed",
            "--parameter-sweep-mode",
            "--sweep-type",
            "--no-sweep-table",
            "--variant",
            "--sweep-variant",
            "--isl-osl-pairs",
            "--isl-min",
            "--isl-max",
            "--isl-steps",
            "--concurrency-min",
            "--concurrency-max",
            "--concurrency-steps",
            "--osl-min",
            "--osl-max",
            "--osl-steps",
        ),
        instead=_PYTEST_SWEEP,
    ),
    Refused(
        flags=(
            "--search-space",
            "--search-metric",
            "--search-stat",
            "--search-direction",
            "--search-max-iterations",
            "--search-initial-points",
            "--search-random-seed",
            "--search-planner",
            "--search-percentile-pooling",
            "--search-sla",
            "--search-sla-tier",
            "--search-recipe",
            "--search-style",
            "--optuna-sampler",
            "--optuna-acquisition",
            "--optuna-terminator",
            "--bo-constraint-mode",
            "--slo-attainment-fraction",
            "--degradation-threshold",
            "--degradation-metric-tag",
            "--degradation-stat",
        ),
        instead="Nothing is searched for. " + _PYTEST_SWEEP,
    ),
    Refused(
        flags=("--ttft-sla-ms", "--itl-sla-ms", "--tpot-sla-ms", "--e2e-sla-ms"),
        instead="Give absolute limits with `--slo`: `--slo ttft.p95=400 --slo itl.p95=20 --slo latency.p99=2000`.",
    ),
    Refused(
        flags=("--error-rate-sla",),
        instead="Too many errors make a measurement invalid: `--validity error_share:0.05` changes the limit.",
    ),
)
