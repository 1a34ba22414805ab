#!/usr/bin/env bash
# Measures the classifier and, where Python is at hand, scikit-learn on the same features; writes
# benches/quality/results.{json,md}. usage: benches/quality/run.sh [set…]
# PROFILE=dev takes the build of the tests (the classifier is optimised in it too).
set -euo pipefail
cd "$(dirname "$0")/../.."

out=target/quality
venv=.services/quality-venv
profile=${PROFILE:-release}

cargo build --quiet --profile "$profile" -p classifier --example quality
built=$profile
[ "$profile" = dev ] && built=debug
# linfa prints every fit to standard error.
"target/$built/examples/quality" "$out" "$@" 2>"$out.log" || { tail -5 "$out.log"; exit 1; }

if ! "$venv/bin/python" -c 'import sklearn' 2>/dev/null; then
    python3 -m venv "$venv" 2>/dev/null &&
        "$venv/bin/pip" install --quiet 'scikit-learn==1.9.*' ||
        echo "SKIPPED: scikit-learn: no Python 3 with venv, or it cannot be installed"
fi
if "$venv/bin/python" -c 'import sklearn' 2>/dev/null; then
    sets=()
    for file in "$out"/*.train.svm; do
        [ -e "$file" ] || continue
        name=$(basename "$file" .train.svm)
        [ $# -eq 0 ] || [[ " $* " == *" $name "* ]] || continue
        sets+=("$name")
    done
    [ ${#sets[@]} -eq 0 ] || "$venv/bin/python" benches/quality/sklearn_side.py "$out" "${sets[@]}"
fi
python3 benches/quality/table.py "$out" benches/quality
