#!/usr/bin/env bash
# Create the connectors of /connectors at a Connect worker, or bring them up to date.
#   register.sh http://connect:8083 REPLICAS
set -euo pipefail
worker=${1:?usage: register.sh WORKER REPLICAS} replicas=${2:?usage: register.sh WORKER REPLICAS}
for name in clickhouse-sink clickhouse-dead-letters; do
    # PUT takes what is inside "config", and is the same the first time and later.
    python3 -c '
import json, sys
given = json.load(open(sys.argv[1]))
config = given["config"]
if "errors.deadletterqueue.topic.name" in config:
    config["errors.deadletterqueue.topic.replication.factor"] = sys.argv[2]
json.dump(config, open("/tmp/config.json", "w"))
open("/tmp/name", "w").write(given["name"])
' "/connectors/$name.json" "$replicas"
    curl --fail --silent --show-error --request PUT --header 'Content-Type: application/json' \
        --data @/tmp/config.json "$worker/connectors/$(cat /tmp/name)/config" >/dev/null
    echo "$name registered"
done
