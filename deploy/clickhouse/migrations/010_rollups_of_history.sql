-- Rollups of history, which comes by the hundred million bars from flat files (`polygon-stream backfill`).
-- Before this, a refresh held every new minute in memory, 400 bytes each.
--
-- A bar that is as long as its minute is that minute: no other bar has to be read with it. The latest
-- version of each is chosen in the order of the table, one key at a time. Bars of seconds are added up
-- as before. One refresh may take in any number of months.
ALTER TABLE minute_bars_refresh MODIFY QUERY
WITH (SELECT max(refreshed_at) FROM minute_bars) - INTERVAL 5 MINUTE AS since
SELECT
    market,
    symbol,
    event_type,
    toDateTime(window_start, 'UTC') AS start,
    latest.1 AS open,
    latest.2 AS high,
    latest.3 AS low,
    latest.4 AS close,
    if(volume > 0, latest.5, NULL) AS vwap,
    latest.6 AS volume,
    toUInt32(1) AS bars,
    now64(3, 'UTC') AS refreshed_at
FROM (
    SELECT
        market,
        symbol,
        event_type,
        window_start,
        argMax((open, high, low, close, ifNull(vwap, close), volume), ingested_at) AS latest
    FROM stock_aggregates
    WHERE ingested_at > since AND window_end >= window_start + INTERVAL 1 MINUTE
    GROUP BY symbol, window_start, event_type, market
)
UNION ALL
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
    SELECT symbol, toStartOfMinute(window_start)
    FROM stock_aggregates
    WHERE ingested_at > since AND window_end < window_start + INTERVAL 1 MINUTE
)
AND window_end < window_start + INTERVAL 1 MINUTE
GROUP BY market, symbol, event_type, start
SETTINGS optimize_aggregation_in_order = 1, max_partitions_per_insert_block = 0;

-- An hour holds up to sixty minutes: what a refresh remembers of them is a sixtieth, at best.
ALTER TABLE hour_bars_refresh MODIFY QUERY
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
    SELECT DISTINCT symbol, toStartOfHour(start) FROM minute_bars WHERE refreshed_at > since
)
GROUP BY market, symbol, event_type, start
SETTINGS optimize_aggregation_in_order = 1, max_partitions_per_insert_block = 0;
