#!/usr/bin/env bash
# Ends the mail server that start.sh put into WORKDIR, by its pid.
# usage: stop.sh WORKDIR
work=$1
pid=$(cat "$work/pid" 2>/dev/null) || exit 0
# The pid may be another process's by now.
grep -aq greenmail "/proc/$pid/cmdline" 2>/dev/null || exit 0
kill "$pid"
for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || exit 0; sleep 0.1; done
kill -9 "$pid" 2>/dev/null
exit 0
