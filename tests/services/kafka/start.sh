#!/usr/bin/env bash
# Starts one Kafka 4 broker (KRaft) on a free port of 127.0.0.1 and prints host:port.
# usage: start.sh WORKDIR [restart]    jars are kept in .services/kafka-lib, data and logs go to WORKDIR;
#        restart: the broker that was there before, one of cluster.sh too, with its data and on its port
# Where there is an openssl, it listens encrypted too: on WORKDIR/secure/ssl for who has a certificate,
# on WORKDIR/secure/sasl_ssl for who has a password (files that hold host:port, beside the certificates).
set -euo pipefail
source "$(dirname "$0")/broker.sh"
work=$1
mode=${2:-new}

begin_anew() {
    local port user=() listeners protocols
    port=$(free_ports 4)
    rm -rf "$work"
    mkdir -p "$work"
    echo "$port" > "$work/port"
    settings "$work" 1 1
    listeners=PLAINTEXT://127.0.0.1:$port
    protocols=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
    if command -v openssl >/dev/null 2>&1; then
        secure "$work/secure" "$port"
        listeners=$listeners,SSL://127.0.0.1:$((port + 2)),SASL_SSL://127.0.0.1:$((port + 3))
        protocols=$protocols,SSL:SSL,SASL_SSL:SASL_SSL
        # Of this broker only; not a secret.
        user=(--add-scram 'SCRAM-SHA-512=[name=correnteza,password=right]')
    fi
    cat >> "$work/server.properties" <<C
node.id=1
controller.quorum.voters=1@127.0.0.1:$((port + 1))
listeners=$listeners,CONTROLLER://127.0.0.1:$((port + 1))
advertised.listeners=$listeners,CONTROLLER://127.0.0.1:$((port + 1))
listener.security.protocol.map=$protocols
C
    format "$work" "${user[@]}"
}

# Certificates, and the settings of the encrypted listeners. usage: secure DIR PORT
secure() {
    "$here/certificates.sh" "$1"
    echo "127.0.0.1:$(($2 + 2))" > "$1/ssl"
    echo "127.0.0.1:$(($2 + 3))" > "$1/sasl_ssl"
    cat >> "$work/server.properties" <<S
ssl.keystore.type=PEM
ssl.keystore.location=$1/broker-chain.pem
ssl.truststore.type=PEM
ssl.truststore.location=$1/ca.pem
listener.name.ssl.ssl.client.auth=required
listener.name.sasl_ssl.ssl.client.auth=none
sasl.enabled.mechanisms=SCRAM-SHA-512,PLAIN
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_correnteza="right";
S
}

fetch_jars
[ "$mode" = restart ] || begin_anew
launch "$work"
await "$work"
echo "127.0.0.1:$(cat "$work/port")"
