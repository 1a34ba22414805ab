#!/usr/bin/env bash
# Starts one Cassandra 5 node on free ports of 127.0.0.1 and prints the CQL port's host:port.
# usage: start.sh WORKDIR [restart]    jars are kept in .services/cassandra-lib, data and logs go to
#        WORKDIR; restart: the node that was there before, with its data and on its ports
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
lib="$root/.services/cassandra-lib"
mkdir -p "$1"
work=$(cd "$1" && pwd)
mode=${2:-new}

if [ ! -f "$lib/.complete" ]; then
    rm -rf "$lib"
    mvn -B -q -ntp -f "$here/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
        -DincludeScope=runtime -DoutputDirectory="$lib" >&2
    touch "$lib/.complete"
fi

# Three in a row: clients, other nodes (there are none), JMX.
free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
# COMMITLOG_SYNC=batch: what is acknowledged survives kill -9. Periodic, its default, is faster and
# loses the last of it, which a cluster has on other nodes and a single node has nowhere.
case ${COMMITLOG_SYNC:-periodic} in
    batch) sync="commitlog_sync: batch" ;;
    *) sync=$'commitlog_sync: periodic\ncommitlog_sync_period: 10000ms' ;;
esac

begin_anew() {
port=""
for _ in $(seq 50); do
    try=$((20000 + RANDOM % 10000))
    if free "$try" && free $((try + 1)) && free $((try + 2)); then port=$try; break; fi
done
[ -n "$port" ] || { echo "no free ports found" >&2; exit 1; }

rm -rf "$work"
mkdir -p "$work/conf" "$work/tmp"
echo "$port" > "$work/port"
cat > "$work/conf/cassandra.yaml" <<C
cluster_name: correnteza_tests
num_tokens: 1
partitioner: org.apache.cassandra.dht.Murmur3Partitioner
authenticator: AllowAllAuthenticator
authorizer: AllowAllAuthorizer
endpoint_snitch: SimpleSnitch
listen_address: 127.0.0.1
rpc_address: 127.0.0.1
native_transport_port: $port
storage_port: $((port + 1))
start_native_transport: true
seed_provider:
  - class_name: org.apache.cassandra.locator.SimpleSeedProvider
    parameters:
      - seeds: "127.0.0.1:$((port + 1))"
data_file_directories: [$work/data]
commitlog_directory: $work/commitlog
saved_caches_directory: $work/saved_caches
hints_directory: $work/hints
cdc_raw_directory: $work/cdc
$sync
commitlog_segment_size: 16MiB
disk_failure_policy: die
concurrent_reads: 8
concurrent_writes: 8
memtable_heap_space: 64MiB
memtable_offheap_space: 64MiB
file_cache_size: 32MiB
networking_cache_size: 16MiB
key_cache_size: 8MiB
counter_cache_size: 0MiB
# A statement that scans, filters or indexes where our tables need none is refused, not slow.
allow_filtering_enabled: false
secondary_indexes_enabled: false
materialized_views_enabled: false
auto_snapshot: false
C
cat > "$work/conf/logback.xml" <<L
<configuration>
<appender name="F" class="ch.qos.logback.core.FileAppender"><file>$work/server.log</file>
<encoder><pattern>%-5level %date{ISO8601} %logger{0} - %msg%n</pattern></encoder></appender>
<root level="INFO"><appender-ref ref="F"/></root>
</configuration>
L
}

if [ "$mode" = restart ]; then
    port=$(cat "$work/port")
    # What is waited for below is said by the new one.
    mv -f "$work/server.log" "$work/server.log.before"
else
    begin_anew
fi
# What Cassandra's own scripts open of the JDK's insides.
opens=()
for inside in java.base/jdk.internal.misc java.management.rmi/com.sun.jmx.remote.internal.rmi java.rmi/sun.rmi.registry \
    java.rmi/sun.rmi.server java.sql/java.sql java.base/java.lang.ref jdk.unsupported/sun.misc \
    jdk.compiler/com.sun.tools.javac.file jdk.attach/sun.tools.attach; do
    opens+=(--add-exports "$inside=ALL-UNNAMED")
done
for inside in java.base/java.lang java.base/java.lang.module java.base/java.lang.reflect java.base/java.io java.base/java.nio \
    java.base/java.util java.base/jdk.internal.loader java.base/jdk.internal.ref java.base/jdk.internal.reflect \
    java.base/jdk.internal.math java.base/jdk.internal.module java.base/jdk.internal.util.jar java.base/sun.nio.ch \
    jdk.management/com.sun.management.internal jdk.compiler/com.sun.tools.javac; do
    opens+=(--add-opens "$inside=ALL-UNNAMED")
done
setsid nohup java -Xms512m -Xmx512m -XX:MaxDirectMemorySize=256m -XX:+UseSerialGC -Xss256k -XX:+PerfDisableSharedMem \
    -Djava.net.preferIPv4Stack=true -javaagent:"$(ls "$lib"/jamm-*.jar)" -Djdk.attach.allowAttachSelf=true "${opens[@]}" \
    -Dio.netty.tryReflectionSetAccessible=true -Djava.io.tmpdir="$work/tmp" -Djna.tmpdir="$work/tmp" \
    -Dcassandra.config="file://$work/conf/cassandra.yaml" -Dlogback.configurationFile="$work/conf/logback.xml" \
    -Dcassandra.storagedir="$work" -Dcassandra.logdir="$work" -Dcassandra-foreground=yes \
    -Dcassandra.jmx.local.port=$((port + 2)) -Dcassandra.skip_wait_for_gossip_to_settle=0 -Dcassandra.ring_delay_ms=100 \
    -Dcassandra.initial_token=0 -cp "$work/conf:$lib/*" org.apache.cassandra.service.CassandraDaemon \
    >"$work/stdout.log" 2>&1 </dev/null &
pid=$!
echo "$pid" > "$work/pid"
# Nine seconds on a quiet machine, most of a minute on a busy one.
for _ in $(seq 3000); do
    if grep -q "Starting listening for CQL clients" "$work/server.log" 2>/dev/null && ! free "$port"; then
        echo "127.0.0.1:$port"
        exit 0
    fi
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
done
echo "Cassandra did not start; its last lines:" >&2
tail -20 "$work/stdout.log" "$work/server.log" >&2 || true
kill "$pid" 2>/dev/null || true
exit 1
