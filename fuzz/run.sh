#!/usr/bin/env bash
# Fuzzes what reads bytes from outside, guided by coverage (libFuzzer). Needs a C++ compiler; stable Rust.
# usage: fuzz/run.sh [seconds [target…]]      default: 60 seconds each, every target
# What was found interesting is kept in fuzz/corpus, what makes a reader fail in fuzz/artifacts.
set -euo pipefail
cd "$(dirname "$0")"
command -v c++ >/dev/null || { echo "missing: c++ (install g++)" >&2; exit 2; }

seconds=${1:-60}
[ $# -gt 0 ] && shift
# What cargo-fuzz passes for coverage without a sanitizer; only a target named by hand keeps build scripts plain.
host=$(rustc -vV | sed -n 's/^host: //p')
coverage="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4"
coverage+=" -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table"
coverage+=" -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 --cfg fuzzing"
RUSTFLAGS=$coverage cargo build --quiet --release --target "$host" --bin parsers

targets=("$@")
known=$(FUZZ_SEEDS=corpus "target/$host/release/parsers" 2>/dev/null)
[ ${#targets[@]} -gt 0 ] || mapfile -t targets <<<"$known"
failed=()
for target in "${targets[@]}"; do
    mkdir -p "artifacts/$target" "corpus/$target"
    log="artifacts/$target.log"
    if FUZZ_TARGET=$target "target/$host/release/parsers" "corpus/$target" -max_total_time="$seconds" \
        -max_len=65536 -timeout=10 -rss_limit_mb=2048 -artifact_prefix="artifacts/$target/" \
        -print_final_stats=1 >"$log" 2>&1; then
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
        edges=$(grep -o 'cov: [0-9]*' "$log" | tail -1 | grep -o '[0-9]*')
        printf '%-12s ok, %s runs, %s edges in %s s\n' "$target" "$runs" "$edges" "$seconds"
    else
        printf '%-12s FAILED: see fuzz/%s and fuzz/artifacts/%s\n' "$target" "$log" "$target"
        failed+=("$target")
    fi
done
[ ${#failed[@]} -eq 0 ]
