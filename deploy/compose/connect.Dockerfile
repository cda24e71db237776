# A Connect worker with the official sink, from Confluent's hub.
FROM confluentinc/cp-kafka-connect:8.0.0
RUN confluent-hub install --no-prompt clickhouse/clickhouse-kafka-connect:v1.5.0
