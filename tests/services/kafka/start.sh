#!/usr/bin/env bash
# Starts one Kafka 4 broker (KRaft) on a free port of 127.0.0.1 and prints host:port.
# usage: start.sh WORKDIR [restart]    jars are kept in .services/kafka-lib, data and logs go to WORKDIR;
#        restart: the broker that was there before, with its data and on its port
# Where there is an openssl, it listens encrypted too: on WORKDIR/secure/ssl for who has a certificate,
# on WORKDIR/secure/sasl_ssl for who has a password (files that hold host:port, beside the certificates).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
lib="$root/.services/kafka-lib"
work=$1
mode=${2:-new}

if [ ! -f "$lib/.complete" ]; then
    rm -rf "$lib"
    mvn -B -q -ntp -f "$here/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
        -DincludeScope=runtime -DoutputDirectory="$lib" >&2
    touch "$lib/.complete"
fi

begin_anew() {
free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
port=""
for _ in $(seq 50); do
    try=$((20000 + RANDOM % 10000))
    if free "$try" && free $((try + 1)) && free $((try + 2)) && free $((try + 3)); then port=$try; break; fi
done
[ -n "$port" ] || { echo "no free port found" >&2; exit 1; }

rm -rf "$work"
mkdir -p "$work"
echo "$port" > "$work/port"
cat > "$work/log4j2.properties" <<L
status=error
appender.f.type=File
appender.f.name=f
appender.f.fileName=$work/server.log
appender.f.layout.type=PatternLayout
appender.f.layout.pattern=[%d] %p %c: %m%n
rootLogger.level=info
rootLogger.appenderRef.f.ref=f
L

listeners=PLAINTEXT://127.0.0.1:$port
protocols=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
user=()
if command -v openssl >/dev/null 2>&1; then
    secure=$work/secure
    "$here/certificates.sh" "$secure"
    listeners=$listeners,SSL://127.0.0.1:$((port + 2)),SASL_SSL://127.0.0.1:$((port + 3))
    protocols=$protocols,SSL:SSL,SASL_SSL:SASL_SSL
    # Of this broker only; not a secret.
    user=(--add-scram 'SCRAM-SHA-512=[name=correnteza,password=right]')
    cat > "$secure/server.properties" <<S
ssl.keystore.type=PEM
ssl.keystore.location=$secure/broker-chain.pem
ssl.truststore.type=PEM
ssl.truststore.location=$secure/ca.pem
listener.name.ssl.ssl.client.auth=required
listener.name.sasl_ssl.ssl.client.auth=none
sasl.enabled.mechanisms=SCRAM-SHA-512,PLAIN
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_correnteza="right";
S
fi
cat > "$work/server.properties" <<C
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$((port + 1))
controller.listener.names=CONTROLLER
listeners=$listeners,CONTROLLER://127.0.0.1:$((port + 1))
advertised.listeners=$listeners,CONTROLLER://127.0.0.1:$((port + 1))
listener.security.protocol.map=$protocols
inter.broker.listener.name=PLAINTEXT
log.dirs=$work/data
num.network.threads=2
num.io.threads=2
num.partitions=1
auto.create.topics.enable=false
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=2
group.initial.rebalance.delay.ms=0
group.consumer.min.heartbeat.interval.ms=500
group.consumer.heartbeat.interval.ms=500
group.consumer.min.session.timeout.ms=3000
group.consumer.session.timeout.ms=6000
log.cleaner.dedupe.buffer.size=4194304
C
[ ${#user[@]} -eq 0 ] || cat "$secure/server.properties" >> "$work/server.properties"
java -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dlog4j2.configurationFile="$work/log4j2.properties" \
    -cp "$lib/*" kafka.tools.StorageTool format -t MkU3OEVBNTcwNTJENDM2Qk \
    -c "$work/server.properties" "${user[@]}" >"$work/format.log" 2>&1
}

if [ "$mode" = restart ]; then
    port=$(cat "$work/port")
    # What is waited for below is said by the new one.
    mv -f "$work/server.log" "$work/server.log.before"
else
    begin_anew
fi
LOG_DIR=$work setsid nohup java -Xms128m -Xmx640m -XX:+UseSerialGC -Djava.awt.headless=true \
    -Dlog4j2.configurationFile="$work/log4j2.properties" -cp "$lib/*" kafka.Kafka "$work/server.properties" \
    >"$work/stdout.log" 2>&1 </dev/null &
pid=$!
echo "$pid" > "$work/pid"
for _ in $(seq 1200); do
    if grep -q "Kafka Server started" "$work/server.log" 2>/dev/null; then
        if [ -d "$work/secure" ]; then
            echo "127.0.0.1:$((port + 2))" > "$work/secure/ssl"
            echo "127.0.0.1:$((port + 3))" > "$work/secure/sasl_ssl"
        fi
        echo "127.0.0.1:$port"
        exit 0
    fi
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
done
echo "the broker did not start; its last lines:" >&2
tail -20 "$work/stdout.log" "$work/server.log" >&2 || true
kill "$pid" 2>/dev/null || true
exit 1
