#!/usr/bin/env bash
# Starts three Kafka 4 brokers, each a controller too, and prints host:port of all, separated by commas.
# usage: cluster.sh WORKDIR    the brokers' directories are WORKDIR/1 to WORKDIR/3; one of them is ended
#        by stop.sh WORKDIR/N or by its pid, and started again by start.sh WORKDIR/N restart
# Records are kept three times, and acknowledged when two have them. A broker that is gone is noticed
# within seconds, and gets back what it led soon after its return: faults are to be seen, not waited for.
set -euo pipefail
source "$(dirname "$0")/broker.sh"
work=$1
nodes=(1 2 3)

fetch_jars
port=$(free_ports 6)
voters=$(for node in "${nodes[@]}"; do echo "$node@127.0.0.1:$((port + 2 * node - 1))"; done | paste -sd,)
rm -rf "$work"
for node in "${nodes[@]}"; do
    own=$work/$node
    own_port=$((port + 2 * node - 2))
    mkdir -p "$own"
    echo "$own_port" > "$own/port"
    settings "$own" 3 2
    listeners=PLAINTEXT://127.0.0.1:$own_port,CONTROLLER://127.0.0.1:$((own_port + 1))
    cat >> "$own/server.properties" <<C
node.id=$node
controller.quorum.voters=$voters
listeners=$listeners
advertised.listeners=$listeners
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
controller.quorum.election.timeout.ms=1000
controller.quorum.fetch.timeout.ms=2000
auto.leader.rebalance.enable=true
leader.imbalance.check.interval.seconds=5
leader.imbalance.per.broker.percentage=1
C
    format "$own"
done
# Together: none takes requests before most of them are there.
for node in "${nodes[@]}"; do launch "$work/$node"; done
for node in "${nodes[@]}"; do await "$work/$node"; done
for node in "${nodes[@]}"; do echo "127.0.0.1:$(cat "$work/$node/port")"; done | paste -sd,
