-- The table behind the sink. One bar per (symbol, window_start, event_type, market): a bar that comes
-- again, corrected or healed, replaces the earlier one at the next merge; until then `FINAL` does.
-- Symbol first, so that one symbol's month reads few granules. Times are UTC.
CREATE TABLE IF NOT EXISTS stock_aggregates (
    event_type LowCardinality(String),
    market LowCardinality(String),
    symbol LowCardinality(String),
    window_start DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    window_end DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    open Float64 CODEC(ZSTD(1)),
    high Float64 CODEC(ZSTD(1)),
    low Float64 CODEC(ZSTD(1)),
    close Float64 CODEC(ZSTD(1)),
    vwap Nullable(Float64) CODEC(ZSTD(1)),
    volume Float64 CODEC(ZSTD(1)),
    accumulated_volume Nullable(Float64) CODEC(ZSTD(1)),
    official_open Nullable(Float64) CODEC(ZSTD(1)),
    day_vwap Nullable(Float64) CODEC(ZSTD(1)),
    average_trade_size Nullable(Float64) CODEC(ZSTD(1)),
    otc Bool,
    received_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    healed Bool,
    ingested_at DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(ingested_at)
PARTITION BY toYYYYMM(window_start)
ORDER BY (symbol, window_start, event_type, market);
