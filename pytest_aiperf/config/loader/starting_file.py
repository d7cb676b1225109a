"""What `pytest-aiperf config init` writes: a file that can be used as it is, and says what else there is."""

from __future__ import annotations

from typing import Final

STARTING_FILE: Final = """\
# Options for every measurement. Give this file as --aiperf-config=FILE to pytest, or as --config FILE to
# `pytest-aiperf profile`; markers, command line and environment go before it. Relative paths are relative to this file.
# `pytest-aiperf config validate FILE` checks it, `pytest-aiperf config expand FILE` shows what it comes to.
schemaVersion: "1.0"

# Values that are used several times: "{{ concurrency }}", in quotes.
variables:
  concurrency: 8

endpoint:
  # ${NAME:default} is read from the environment. mock:// starts the embedded server.
  url: ${SERVER_URL:mock://}
  type: chat
  # model: my-model
  # A secret stays in the environment: a header takes it as $NAME, without braces.
  # headers:
  #   x-api-key: $MY_API_KEY
  # extra:
  #   ignore_eos: true
  # requestTimeoutS: 90s

load:
  concurrency: "{{ concurrency }}"
  requestCount: 200
  # warmUp: 20
  # durationS: 5m

input:
  isl: 128
  osl: 64
  # seed: 1

verdict:
  mode: check
  # runs: 8
  # alpha: 1%
  # maxTimeS: 5m
  # tolerance:
  #   ttft.p50: 5%
  #   ttft.p99: 15% or 5ms
  # metrics: [ttft.p50, itl.p50]
  # goodput:
  #   ttft: 400
  # missing: fail
  # inconclusive: warn

# baseline:
#   profile: h100
#   baselineDir: baselines

# output:
#   jsonPath: result.json
#   markdownPath: summary.md
"""
