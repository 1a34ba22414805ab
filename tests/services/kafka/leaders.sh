#!/usr/bin/env bash
# Prints how many partitions each broker leads, a line each: its number and how many.
# usage: leaders.sh HOST:PORT[,…]
set -euo pipefail
source "$(dirname "$0")/broker.sh"
exec java -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$lib/*" "$here/Leaders.java" "$1" 2>/dev/null
