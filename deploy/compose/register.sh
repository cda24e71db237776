#!/usr/bin/env bash
# Create the connectors of a folder at a Connect worker, or bring them up to date.
#   register.sh http://connect:8083 REPLICAS [FOLDER]
set -euo pipefail
usage='usage: register.sh WORKER REPLICAS [FOLDER]'
worker=${1:?$usage} replicas=${2:?$usage} folder=${3:-/connectors}
for connector in clickhouse-sink clickhouse-dead-letters; do
    # The name, then what is inside "config": PUT takes that, the first time and later.
    { read -r name; read -r config; } < <(python3 -c '
import json, sys
given = json.load(open(sys.argv[1]))
config = given["config"]
if "errors.deadletterqueue.topic.name" in config:
    config["errors.deadletterqueue.topic.replication.factor"] = sys.argv[2]
print(given["name"], json.dumps(config), sep="\n")
' "$folder/$connector.json" "$replicas")
    # A worker that still takes in the connector before answers 409.
    curl --fail --silent --show-error --retry 60 --retry-delay 1 --retry-all-errors \
        --request PUT --header 'Content-Type: application/json' --data "$config" \
        "$worker/connectors/$name/config" >/dev/null
    echo "$name registered"
done
