-- Quotes: the best bid and ask from an instant on. Keyed as trades are; what has no sequence number on
-- the stream (crypto, forex, futures) is told apart by its millisecond, prices and sizes, so that of
-- two quotes that say the same at the same time one is left. Times are UTC.
CREATE TABLE IF NOT EXISTS {table} (
    event_type LowCardinality(String),
    market LowCardinality(String),
    symbol LowCardinality(String),
    timestamp DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    sequence_number Nullable(Int64) CODEC(Delta, ZSTD(1)),
    bid_price Nullable(Float64) CODEC(ZSTD(1)),
    bid_size Nullable(Decimal(38, 18)) CODEC(ZSTD(1)),
    bid_exchange Nullable(UInt32) CODEC(ZSTD(1)),
    ask_price Nullable(Float64) CODEC(ZSTD(1)),
    ask_size Nullable(Decimal(38, 18)) CODEC(ZSTD(1)),
    ask_exchange Nullable(UInt32) CODEC(ZSTD(1)),
    conditions Array(UInt32) CODEC(ZSTD(1)),
    indicators Array(UInt32) CODEC(ZSTD(1)),
    tape Nullable(UInt32) CODEC(ZSTD(1)),
    trf_id Nullable(UInt32) CODEC(ZSTD(1)),
    trf_timestamp Nullable(DateTime64(9, 'UTC')) CODEC(Delta, ZSTD(1)),
    participant_timestamp Nullable(DateTime64(9, 'UTC')) CODEC(Delta, ZSTD(1)),
    bid_timestamp Nullable(DateTime64(9, 'UTC')) CODEC(Delta, ZSTD(1)),
    ask_timestamp Nullable(DateTime64(9, 'UTC')) CODEC(Delta, ZSTD(1)),
    vendor_timestamp Nullable(DateTime64(9, 'UTC')) CODEC(Delta, ZSTD(1)),
    received_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    healed Bool,
    ingested_at DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(Delta, ZSTD(1)),
    identity UInt64 MATERIALIZED if(
        sequence_number IS NOT NULL,
        toUInt64(assumeNotNull(sequence_number)),
        cityHash64(
            toUnixTimestamp64Milli(timestamp),
            ifNull(bid_price, nan), ifNull(bid_size, -1), ifNull(ask_price, nan), ifNull(ask_size, -1)
        )
    ) CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(ingested_at)
PARTITION BY toYYYYMM(timestamp)
PRIMARY KEY (symbol, toStartOfMinute(timestamp))
ORDER BY (symbol, toStartOfMinute(timestamp), identity, market);
