#!/usr/bin/env bash
# Starts a mail server (GreenMail: SMTP and IMAP in one Java program) on free ports of 127.0.0.1 and prints
# smtp-host:port imap-host:port. It keeps mails in memory, takes any user with the password it is told, and
# makes mailboxes as mails come.
# usage: start.sh WORKDIR    jars are kept in .services/mail-lib, logs go to WORKDIR
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
lib=$(cd "$here/../../.." && pwd)/.services/mail-lib
work=$1

if [ ! -f "$lib/.complete" ]; then
    rm -rf "$lib"
    mvn -B -q -ntp -f "$here/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
        -DincludeScope=runtime -DoutputDirectory="$lib" >&2
    touch "$lib/.complete"
fi

# Prints the first of three neighbouring ports that nobody listens on.
free_ports() {
    local try near
    for _ in $(seq 50); do
        try=$((20000 + RANDOM % 10000))
        for near in "$try" $((try + 1)) $((try + 2)); do
            if (exec 3<>"/dev/tcp/127.0.0.1/$near") 2>/dev/null; then continue 2; fi
        done
        echo "$try"
        return 0
    done
    echo "no free port found" >&2
    return 1
}

port=$(free_ports)
rm -rf "$work"
mkdir -p "$work"
java -Xms32m -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
    -Dgreenmail.hostname=127.0.0.1 -Dgreenmail.auth.disabled -Dgreenmail.verbose=false \
    -Dgreenmail.smtp.port="$port" -Dgreenmail.smtp.hostname=127.0.0.1 \
    -Dgreenmail.imap.port=$((port + 1)) -Dgreenmail.imap.hostname=127.0.0.1 \
    -Dgreenmail.api.port=$((port + 2)) -Dgreenmail.api.hostname=127.0.0.1 \
    -jar "$lib"/greenmail-standalone-*.jar > "$work/server.log" 2>&1 &
echo $! > "$work/pid"
for _ in $(seq 300); do
    if (exec 3<>"/dev/tcp/127.0.0.1/$port" 4<>"/dev/tcp/127.0.0.1/$((port + 1))") 2>/dev/null; then
        echo "127.0.0.1:$port 127.0.0.1:$((port + 1))"
        exit 0
    fi
    kill -0 "$(cat "$work/pid")" 2>/dev/null || break
    sleep 0.2
done
echo "the mail server did not start; see $work/server.log" >&2
exit 1
