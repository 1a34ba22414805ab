# What start.sh and cluster.sh share: jars, ports, settings and the start of a broker. Sourced.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
lib=$(cd "$here/../../.." && pwd)/.services/kafka-lib

# Fetches the jars, once.
fetch_jars() {
    [ ! -f "$lib/.complete" ] || return 0
    rm -rf "$lib"
    mvn -B -q -ntp -f "$here/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
        -DincludeScope=runtime -DoutputDirectory="$lib" >&2
    touch "$lib/.complete"
}

# Prints the first of so many neighbouring ports that nobody listens on.
free_ports() {
    local try near
    for _ in $(seq 50); do
        try=$((20000 + RANDOM % 10000))
        for near in $(seq "$try" $((try + $1 - 1))); do
            if (exec 3<>"/dev/tcp/127.0.0.1/$near") 2>/dev/null; then continue 2; fi
        done
        echo "$try"
        return 0
    done
    echo "no free port found" >&2
    return 1
}

# Writes what every broker is set to; the caller adds who it is. usage: settings WORKDIR COPIES IN_SYNC
settings() {
    cat > "$1/log4j2.properties" <<L
status=error
appender.f.type=File
appender.f.name=f
appender.f.fileName=$1/server.log
appender.f.layout.type=PatternLayout
appender.f.layout.pattern=[%d] %p %c: %m%n
rootLogger.level=info
rootLogger.appenderRef.f.ref=f
L
    cat > "$1/server.properties" <<C
process.roles=broker,controller
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs=$1/data
num.network.threads=2
num.io.threads=2
num.partitions=1
auto.create.topics.enable=false
default.replication.factor=$2
min.insync.replicas=$3
offsets.topic.replication.factor=$2
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=$2
transaction.state.log.min.isr=$3
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=$2
share.coordinator.state.topic.min.isr=$3
share.coordinator.state.topic.num.partitions=2
group.initial.rebalance.delay.ms=0
group.consumer.min.heartbeat.interval.ms=500
group.consumer.heartbeat.interval.ms=500
group.consumer.min.session.timeout.ms=3000
group.consumer.session.timeout.ms=6000
log.cleaner.dedupe.buffer.size=4194304
C
}

# Prepares the directory of the data. usage: format WORKDIR [options]
format() {
    local work=$1
    shift
    java -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dlog4j2.configurationFile="$work/log4j2.properties" \
        -cp "$lib/*" kafka.tools.StorageTool format -t MkU3OEVBNTcwNTJENDM2Qk \
        -c "$work/server.properties" "$@" >"$work/format.log" 2>&1
}

# Starts the broker of WORKDIR; what it says there is of this start only.
launch() {
    local work=$1
    [ ! -f "$work/server.log" ] || mv -f "$work/server.log" "$work/server.log.before"
    LOG_DIR=$work setsid nohup java -Xms128m -Xmx640m -XX:+UseSerialGC -Djava.awt.headless=true \
        -Dlog4j2.configurationFile="$work/log4j2.properties" -cp "$lib/*" kafka.Kafka "$work/server.properties" \
        >"$work/stdout.log" 2>&1 </dev/null &
    echo "$!" > "$work/pid"
}

# Waits until the broker of WORKDIR takes requests.
await() {
    local work=$1 pid
    pid=$(cat "$work/pid")
    for _ in $(seq 1200); do
        ! grep -q "Kafka Server started" "$work/server.log" 2>/dev/null || return 0
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    echo "the broker did not start; its last lines:" >&2
    tail -20 "$work/stdout.log" "$work/server.log" >&2 || true
    kill "$pid" 2>/dev/null || true
    return 1
}
