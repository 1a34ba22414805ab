#!/usr/bin/env bash
# usage: run.sh HOST:PORT PREFIX MODEL_DIR
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
peers=$(cd "$here/../../.." && pwd)/.services/peers
"$here/../install.sh" python
# One thread of numbers: with a few hundred rows a second one only costs.
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
exec "$peers/python/bin/python" "$here/score.py" "$@"
