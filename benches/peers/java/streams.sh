#!/usr/bin/env bash
# usage: streams.sh HOST:PORT PREFIX MODEL_DIR at_least_once|exactly_once_v2
set -euo pipefail
part=streams
source "$(dirname "$0")/build.sh"
exec java -Xms256m -Xmx512m -XX:+UseSerialGC -cp "$classpath" Streams "$@"
