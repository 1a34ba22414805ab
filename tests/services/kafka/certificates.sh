#!/usr/bin/env bash
# Makes what a broker with encrypted listeners and its clients need, for a few days:
#   ca.pem                     who signs          other-ca.pem   who does not
#   broker-chain.pem           the broker's key and certificate, for 127.0.0.1
#   client.pem client.key      the client's; the key is locked with "locked"
# usage: certificates.sh DIR
set -euo pipefail
dir=$1
mkdir -p "$dir"
cd "$dir"

authority() { # name of the files, name in the certificate
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3 -subj "/CN=$2" \
        -keyout "$1.key" -out "$1.pem" 2>/dev/null
}
signed() { # name of the files, name in the certificate, whom it is for
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$2" \
        -keyout "$1.bare" -out "$1.csr" 2>/dev/null
    openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 3 -out "$1.pem" \
        -extfile <(printf 'subjectAltName=%s\n' "$3") 2>/dev/null
}
authority ca tests
authority other-ca strangers
signed broker broker IP:127.0.0.1
signed client correnteza DNS:correnteza
cat broker.bare broker.pem > broker-chain.pem
openssl pkcs8 -topk8 -in client.bare -passout pass:locked -out client.key
rm -f ./*.csr ./*.bare
