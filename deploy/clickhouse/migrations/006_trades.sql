-- Trades. `identity` is what a trade has once: its sequence number, or where the vendor has none
-- (crypto) a hash of exchange and trade id. Within a minute of a symbol a trade that comes again,
-- re-sent or healed, replaces the earlier one at the next merge; until then `FINAL` does. The key has
-- the minute and not the time itself, for the stream's milliseconds and REST's nanoseconds are two
-- times of one trade. Symbol first, so that one symbol's day reads few granules. Times are UTC.
CREATE TABLE IF NOT EXISTS trades (
    event_type LowCardinality(String),
    market LowCardinality(String),
    symbol LowCardinality(String),
    timestamp DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    sequence_number Nullable(Int64) CODEC(Delta, ZSTD(1)),
    trade_id String CODEC(ZSTD(1)),
    price Float64 CODEC(ZSTD(1)),
    size Decimal(38, 18) CODEC(ZSTD(1)),
    conditions Array(UInt32) CODEC(ZSTD(1)),
    exchange Nullable(UInt32) CODEC(ZSTD(1)),
    tape Nullable(UInt32) CODEC(ZSTD(1)),
    trf_id Nullable(UInt32) CODEC(ZSTD(1)),
    trf_timestamp Nullable(DateTime64(9, 'UTC')) CODEC(Delta, ZSTD(1)),
    participant_timestamp Nullable(DateTime64(9, 'UTC')) CODEC(Delta, ZSTD(1)),
    vendor_timestamp Nullable(DateTime64(9, 'UTC')) CODEC(Delta, ZSTD(1)),
    correction Nullable(UInt32) CODEC(ZSTD(1)),
    received_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    healed Bool,
    ingested_at DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(Delta, ZSTD(1)),
    identity UInt64 MATERIALIZED multiIf(
        sequence_number IS NOT NULL, toUInt64(assumeNotNull(sequence_number)),
        trade_id != '', cityHash64(ifNull(exchange, 0), trade_id),
        cityHash64(ifNull(exchange, 0), toUnixTimestamp64Milli(timestamp), price, size)
    ) CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(ingested_at)
PARTITION BY toYYYYMM(timestamp)
PRIMARY KEY (symbol, toStartOfMinute(timestamp))
ORDER BY (symbol, toStartOfMinute(timestamp), identity, market);
