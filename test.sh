#!/usr/bin/env bash
# Everything: format, lints, unit and conformance tests, the product from outside, a real browser, a
# real Kafka and Cassandra. What this machine lacks is named, with what to install; what is skipped is counted.
# usage: ./test.sh [words cargo test filters by]
set -uo pipefail
cd "$(dirname "$0")"

work=$PWD/.services
mkdir -p "$work"
skipped=()
failed=()
began=$SECONDS

say() { printf '\n== %s (%d s)\n' "$1" $((SECONDS - began)); }
skip() { skipped+=("$1"); printf 'SKIPPED: %s\n' "$1"; }
step() {
    local name=$1
    shift
    say "$name"
    if ! "$@" 2>&1; then failed+=("$name"); fi
}
has() { command -v "$1" >/dev/null 2>&1; }

# Without these there is nothing to test.
missing=()
has cargo || missing+=("cargo (install Rust: rustup)")
has cc || missing+=("cc (install a C compiler: build-essential)")
if [ ${#missing[@]} -gt 0 ]; then
    printf 'missing: %s\n' "${missing[@]}"
    exit 1
fi

# Both clients use OpenSSL, Kafka's is built from source; their servers are Java programs.
# The binary under test can be told where to die.
features=(--features app/failpoints)
has_clients=1
client=()
has make || client+=(make)
has pkg-config || client+=(pkg-config)
has pkg-config && ! pkg-config --exists libssl && client+=(libssl-dev)
if [ ${#client[@]} -gt 0 ]; then
    features+=(--no-default-features)
    has_clients=0
    skip "Kafka, and ScyllaDB or Cassandra: install ${client[*]}"
fi

step "format" cargo fmt --all --check
step "lints" cargo clippy --workspace --all-targets "${features[@]}" --quiet -- -D warnings
if has cargo-deny; then
    step "licences and advisories" cargo deny --offline check licenses bans sources
else
    skip "licences and advisories: cargo install cargo-deny"
fi

step "build" cargo build --workspace --bins --tests "${features[@]}" --quiet
export CORRENTEZA_BIN=${CARGO_TARGET_DIR:-$PWD/target}/debug/correnteza

java=()
has java || java+=("a JDK 17")
has mvn || java+=(Maven)
trap 'tests/services/kafka/stop.sh "$work/kafka"; tests/services/cassandra/stop.sh "$work/cassandra"; tests/services/mail/stop.sh "$work/mail"' EXIT
if [ ${#java[@]} -gt 0 ]; then
    skip "a mail server: install ${java[*]}"
else
    say "a mail server"
    if address=$(tests/services/mail/start.sh "$work/mail"); then
        export MAIL_SERVER=$address
        echo "SMTP and IMAP at $address"
    else
        failed+=("a mail server")
    fi
fi
if [ $has_clients = 1 ] && [ ${#java[@]} -gt 0 ]; then
    skip "Kafka's broker and Cassandra: install ${java[*]}"
elif [ $has_clients = 1 ]; then
    say "a Kafka broker"
    if address=$(tests/services/kafka/start.sh "$work/kafka"); then
        export KAFKA_BOOTSTRAP=$address
        if [ -f "$work/kafka/secure/ssl" ]; then
            export KAFKA_SECURE=$work/kafka/secure
        else
            skip "Kafka's passwords and certificates: install openssl"
        fi
        echo "Kafka at $address"
    else
        failed+=("a Kafka broker")
    fi
    say "a Cassandra node"
    if address=$(tests/services/cassandra/start.sh "$work/cassandra"); then
        export CQL_CONTACT=$address
        echo "Cassandra at $address"
    else
        failed+=("a Cassandra node")
    fi
fi
if ! has chromedriver || ! has chromium; then
    skip "pages in a browser: install chromium and chromium-driver"
fi

# Deliberate panics are many here: a trace of each would bury what matters.
export RUST_BACKTRACE=0
# What every test printed goes into the log; the screen gets what went wrong, below.
tests() {
    cargo test --workspace "${features[@]}" --no-fail-fast -- --show-output "$@" 2>&1 \
        | tee "$work/tests.log" \
        | grep --line-buffered -aE '^( +Running|test result:|test .* FAILED$|error|SKIPPED:)'
    return "${PIPESTATUS[0]}"
}
step "tests" tests "$@"
# A test binary's account of its failures stands between "failures:" and its result.
awk '/^failures:$/ {on = 1} /^test result:/ {on = 0} on' "$work/tests.log" | cut -c1-400 | head -400

say "done"
sum() { grep -aoE "^test result: .*" "$work/tests.log" | grep -oE "[0-9]+ $1" | awk '{n += $1} END {print n + 0}'; }
# Tests that found nothing to run against say so themselves.
mapfile -t quiet < <(grep -aoE "^SKIPPED: .*" "$work/tests.log" | sort -u)
for one in "${quiet[@]}"; do printf '%s\n' "$one"; done
for one in "${skipped[@]}"; do printf 'SKIPPED: %s\n' "$one"; done
for one in "${failed[@]}"; do printf 'FAILED: %s\n' "$one"; done
broken=$(sum failed)
[ "$broken" -gt 0 ] || broken=${#failed[@]}
printf '%d passed, %d failed, %d skipped\n' "$(sum passed)" "$broken" $((${#skipped[@]} + ${#quiet[@]}))
[ ${#failed[@]} -eq 0 ]
