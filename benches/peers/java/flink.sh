#!/usr/bin/env bash
# usage: flink.sh HOST:PORT PREFIX MODEL_DIR
set -euo pipefail
part=flink
source "$(dirname "$0")/build.sh"
exec java -Xms512m -Xmx1g -XX:+UseSerialGC --add-opens=java.base/java.util=ALL-UNNAMED \
    --add-opens=java.base/java.lang=ALL-UNNAMED -cp "$classpath" Job "$@"
