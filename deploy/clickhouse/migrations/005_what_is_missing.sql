-- The topic polygon_stream_gaps: what is known, or likely, to be missing. Columns are its fields.
CREATE TABLE IF NOT EXISTS gaps (
    market LowCardinality(String),
    `from` DateTime64(3, 'UTC'),
    `to` DateTime64(3, 'UTC'),
    reason String,
    certain Bool,
    subscriptions Array(String),
    feed LowCardinality(String),
    ingested_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(ingested_at)
ORDER BY (market, `from`, `to`, feed, reason);

-- The topic polygon_stream_dead_letter: records that could not be read, as they came. The reason is
-- in the record's header `__connect.errors.exception.message`, which the connector does not carry
-- over: topic, partition and offset find the record.
CREATE TABLE IF NOT EXISTS dead_letters (
    topic LowCardinality(String),
    partition Int32,
    offset Int64,
    received_at DateTime64(3, 'UTC'),
    value String CODEC(ZSTD(3)),
    ingested_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(ingested_at)
PARTITION BY toYYYYMM(received_at)
ORDER BY (topic, partition, offset)
TTL toDateTime(received_at) + INTERVAL 30 DAY;
