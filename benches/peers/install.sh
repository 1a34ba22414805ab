#!/usr/bin/env bash
# Fetches what the peers run on into .services/peers (git-ignored), once each. The product needs none of it.
# usage: install.sh [streams|flink|python]...    all of them by default
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
peers=$(cd "$here/../.." && pwd)/.services/peers

jars() { # profile
    local to=$peers/$1-lib
    [ ! -f "$to/.complete" ] || return 0
    rm -rf "$to"
    mvn -B -q -ntp -f "$here/java/pom.xml" -P "$1" \
        org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
        -DincludeScope=runtime -DoutputDirectory="$to" >&2
    touch "$to/.complete"
}

python() {
    [ ! -f "$peers/python/.complete" ] || return 0
    rm -rf "$peers/python"
    python3 -m venv "$peers/python"
    "$peers/python/bin/pip" install -q --disable-pip-version-check -r "$here/python/requirements.txt" >&2
    touch "$peers/python/.complete"
}

mkdir -p "$peers"
[ "$#" -gt 0 ] || set -- streams flink python
for one in "$@"; do
    case $one in
        streams | flink) jars "$one" ;;
        python) python ;;
        *) echo "usage: install.sh [streams|flink|python]..." >&2; exit 2 ;;
    esac
done
