#!/bin/sh
# The main job in three steps, on the embedded server: record a baseline, pass against it, catch a slowdown.
set -eu
cd "$(dirname "$0")"
store=$(mktemp -d)
trap 'rm -rf "$store"' EXIT
server='mock://?ttft_ms=20&itl_ms=2&jitter=0.1'

step() { printf '\n=== %s\n\n' "$1"; }

measure() { pytest -p no:cacheprovider test_first.py --aiperf-baseline-dir="$store" --aiperf-endpoint="$1" $2; }

step '1. Record a baseline: three sessions, which show how much sessions differ'
for session in 1 2 3; do
    measure "$server" --aiperf-update
done

step '2. Measure again: nothing changed, so it passes'
measure "$server" ''

step '3. Make the server 25 % slower: it fails, and says by how much'
if measure "$server&slow_pct=25" ''; then
    echo 'the slowdown was not found' >&2
    exit 1
fi
printf '\n=== The slowdown was found.\n'
