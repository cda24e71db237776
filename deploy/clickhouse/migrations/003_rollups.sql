-- Bars of a minute and of an hour, from the bars of `stock_aggregates`, for each event_type on its
-- own: `A` (seconds) and `AM` (minutes) tell of the same trades and must not be added up.
--
-- A view that adds up each insert would count a bar twice that comes a second time: after a crash of
-- the sink, a correction, a healed gap. These views are refreshed once a minute instead: they
-- compute anew, from the latest version of each bar, every minute that got a bar since the last
-- refresh, however old that minute is. The price: a rollup is up to a minute behind, and each refresh
-- also repeats what the five minutes before the last one brought. Where that is too late, `ohlc`
-- computes the same from the bars themselves.
--
-- Five minutes are longer than an insert may take (the connector gives up after four), so that no
-- bar is missed which got its `ingested_at` before a refresh and became visible after it. The first
-- refresh takes all there is, and so does the next one after a pause.
--
-- Read both with FINAL.

-- Finds the granules with new bars: within a symbol they lie together.
ALTER TABLE stock_aggregates
    ADD INDEX IF NOT EXISTS by_ingestion ingested_at TYPE minmax GRANULARITY 1;

CREATE TABLE IF NOT EXISTS minute_bars (
    market LowCardinality(String),
    symbol LowCardinality(String),
    event_type LowCardinality(String),
    start DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    open Float64 CODEC(ZSTD(1)),
    high Float64 CODEC(ZSTD(1)),
    low Float64 CODEC(ZSTD(1)),
    close Float64 CODEC(ZSTD(1)),
    vwap Nullable(Float64) CODEC(ZSTD(1)),
    volume Float64 CODEC(ZSTD(1)),
    bars UInt32 CODEC(T64, ZSTD(1)),
    refreshed_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    INDEX by_refresh refreshed_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(refreshed_at)
PARTITION BY toYYYYMM(start)
ORDER BY (symbol, start, event_type, market);

CREATE MATERIALIZED VIEW IF NOT EXISTS minute_bars_refresh
REFRESH EVERY 1 MINUTE APPEND TO minute_bars AS
WITH (SELECT max(refreshed_at) FROM minute_bars) - INTERVAL 5 MINUTE AS since
SELECT
    market,
    symbol,
    event_type,
    toStartOfMinute(window_start) AS start,
    argMin(bar.open, window_start) AS open,
    max(bar.high) AS high,
    min(bar.low) AS low,
    argMax(bar.close, window_start) AS close,
    if(sum(bar.volume) > 0, sum(ifNull(bar.vwap, bar.close) * bar.volume) / sum(bar.volume), NULL) AS vwap,
    sum(bar.volume) AS volume,
    toUInt32(count()) AS bars,
    now64(3, 'UTC') AS refreshed_at
FROM stock_aggregates AS bar FINAL
WHERE (symbol, toStartOfMinute(window_start)) IN (
    SELECT symbol, toStartOfMinute(window_start) FROM stock_aggregates WHERE ingested_at > since
)
GROUP BY market, symbol, event_type, start;

CREATE TABLE IF NOT EXISTS hour_bars (
    market LowCardinality(String),
    symbol LowCardinality(String),
    event_type LowCardinality(String),
    start DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    open Float64 CODEC(ZSTD(1)),
    high Float64 CODEC(ZSTD(1)),
    low Float64 CODEC(ZSTD(1)),
    close Float64 CODEC(ZSTD(1)),
    vwap Nullable(Float64) CODEC(ZSTD(1)),
    volume Float64 CODEC(ZSTD(1)),
    bars UInt32 CODEC(T64, ZSTD(1)),
    refreshed_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(refreshed_at)
PARTITION BY toYYYYMM(start)
ORDER BY (symbol, start, event_type, market);

-- From the minutes, which are sixty times fewer than the seconds.
CREATE MATERIALIZED VIEW IF NOT EXISTS hour_bars_refresh
REFRESH EVERY 1 MINUTE DEPENDS ON minute_bars_refresh APPEND TO hour_bars AS
WITH (SELECT max(refreshed_at) FROM hour_bars) - INTERVAL 5 MINUTE AS since
SELECT
    market,
    symbol,
    event_type,
    toStartOfHour(minute.start) AS start,
    argMin(minute.open, minute.start) AS open,
    max(minute.high) AS high,
    min(minute.low) AS low,
    argMax(minute.close, minute.start) AS close,
    if(sum(minute.volume) > 0, sum(ifNull(minute.vwap, minute.close) * minute.volume) / sum(minute.volume), NULL) AS vwap,
    sum(minute.volume) AS volume,
    toUInt32(sum(minute.bars)) AS bars,
    now64(3, 'UTC') AS refreshed_at
FROM minute_bars AS minute FINAL
WHERE (symbol, toStartOfHour(minute.start)) IN (
    SELECT symbol, toStartOfHour(start) FROM minute_bars WHERE refreshed_at > since
)
GROUP BY market, symbol, event_type, start;
