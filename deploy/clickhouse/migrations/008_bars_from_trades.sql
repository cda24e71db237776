-- What the conditions of a trade let it update, as the vendor's list of conditions says (consolidated
-- rules). `python -m deploy.clickhouse.conditions` fills it; a condition that is not here updates all.
CREATE TABLE IF NOT EXISTS trade_conditions (
    market LowCardinality(String),
    id UInt32,
    name String,
    updates_open_close Bool,
    updates_high_low Bool,
    updates_volume Bool,
    ingested_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(ingested_at)
ORDER BY (market, id);

-- Bars of any length in seconds from the trades themselves:
-- SELECT * FROM ohlc_from_trades(interval = 60) WHERE symbol = 'AAPL' AND start >= today()
-- They equal the vendor's bars where all trades are there and the rules are loaded. Condition 12
-- (extended hours) is passed over, for the vendor's bars of minutes and seconds take in such trades
-- all the same. Volume, vwap and the number of trades are of all trades that update the volume. Open
-- and close are null where a window has no trade that sets them.
CREATE VIEW IF NOT EXISTS ohlc_from_trades AS
WITH
    (SELECT groupArray((market, id)) FROM trade_conditions FINAL
     WHERE NOT updates_open_close AND id != 12) AS not_open_close,
    (SELECT groupArray((market, id)) FROM trade_conditions FINAL
     WHERE NOT updates_high_low AND id != 12) AS not_high_low,
    (SELECT groupArray((market, id)) FROM trade_conditions FINAL
     WHERE NOT updates_volume) AS not_volume,
    arrayMap(condition -> (trade.market, condition), trade.conditions) AS carried,
    NOT hasAny(carried, not_open_close) AS is_end,
    NOT hasAny(carried, not_high_low) AS is_extreme,
    NOT hasAny(carried, not_volume) AS is_counted,
    (trade.timestamp, trade.identity) AS place
SELECT
    market,
    symbol,
    toStartOfInterval(timestamp, toIntervalSecond({interval:UInt32})) AS start,
    if(countIf(is_end) > 0, argMinIf(trade.price, place, is_end), NULL) AS open,
    if(countIf(is_extreme) > 0, maxIf(trade.price, is_extreme), NULL) AS high,
    if(countIf(is_extreme) > 0, minIf(trade.price, is_extreme), NULL) AS low,
    if(countIf(is_end) > 0, argMaxIf(trade.price, place, is_end), NULL) AS close,
    if(
        volume > 0,
        sumIf(trade.price * toFloat64(trade.size), is_counted) / toFloat64(volume),
        NULL
    ) AS vwap,
    sumIf(trade.size, is_counted) AS volume,
    countIf(is_counted) AS trades
FROM trades AS trade FINAL
GROUP BY market, symbol, start;
