#!/usr/bin/env bash
# Topics, service accounts and their rights on Confluent Cloud, with the `confluent` CLI, logged in
# and with environment and cluster chosen (`confluent environment use`, `confluent kafka cluster use`).
# Can be run again. API keys are made by hand, so that no secret is printed by a script:
#   confluent api-key create --resource lkc-... --service-account sa-...
set -euo pipefail
here=$(dirname "$0")

tail -n +2 "$here/topics.csv" | while IFS=, read -r topic partitions retention policy largest; do
    confluent kafka topic create "$topic" --if-not-exists --partitions "$partitions" \
        --config "retention.ms=$retention,cleanup.policy=$policy,max.message.bytes=$largest" </dev/null
done

account() { # account NAME: print the id of a service account, which is made if it is missing
    local id
    id=$(confluent iam service-account list --output json </dev/null |
        python3 -c 'import json, sys
print(next((a["id"] for a in json.load(sys.stdin) if a["name"] == sys.argv[1]), ""))' "$1")
    [ -n "$id" ] || id=$(confluent iam service-account create "$1" \
        --description "polygon-stream" --output json </dev/null |
        python3 -c 'import json, sys; print(json.load(sys.stdin)["id"])')
    echo "$id"
}

tail -n +2 "$here/acls.csv" | while IFS=, read -r name operations kind resource pattern; do
    [ "$pattern" = prefix ] && prefix=(--prefix) || prefix=()
    confluent kafka acl create --allow --service-account "$(account "polygon-stream-$name")" \
        --operations "${operations// /,}" "--$kind" "$resource" "${prefix[@]}" </dev/null
done
