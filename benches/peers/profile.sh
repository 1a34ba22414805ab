#!/usr/bin/env bash
# Runs a command and its children under perf and prints where the time went, by program and function.
# usage: profile.sh COMMAND [ARGUMENT…]    for names of functions: CARGO_PROFILE_RELEASE_DEBUG=1 when building
set -euo pipefail
command -v perf >/dev/null || { echo "perf is not installed" >&2; exit 3; }
[ "$#" -gt 0 ] || { echo "usage: profile.sh COMMAND [ARGUMENT…]" >&2; exit 2; }
data=$(mktemp)
trap 'rm -f "$data"' EXIT
perf record -q -F 499 -g -o "$data" -- "$@"
perf report -i "$data" --stdio --no-children -g none --percent-limit 0.5 --sort comm,symbol 2>/dev/null
