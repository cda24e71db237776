#!/usr/bin/env bash
# Create the topics of topics.csv with Kafka's own tools; those that exist stay as they are.
#   topics.sh BOOTSTRAP_SERVERS REPLICAS [CLIENT_PROPERTIES]
set -euo pipefail
servers=${1:?usage: topics.sh SERVERS REPLICAS [PROPERTIES]}
replicas=${2:?usage: topics.sh SERVERS REPLICAS [PROPERTIES]}
command=(/opt/kafka/bin/kafka-topics.sh --bootstrap-server "$servers")
[ $# -lt 3 ] || command+=(--command-config "$3")

tail -n +2 "$(dirname "$0")/topics.csv" |
    while IFS=, read -r topic partitions retention policy largest; do
        "${command[@]}" --create --if-not-exists --topic "$topic" \
            --partitions "$partitions" --replication-factor "$replicas" \
            --config retention.ms="$retention" --config cleanup.policy="$policy" \
            --config max.message.bytes="$largest" </dev/null
    done
