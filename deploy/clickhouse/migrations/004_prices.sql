-- The last price of each symbol, kept up by every insert. A bar that comes twice does no harm here:
-- the latest of two equal bars is that bar, and a corrected one wins by its later `ingested_at`.
CREATE TABLE IF NOT EXISTS latest_prices (
    market LowCardinality(String),
    symbol LowCardinality(String),
    price AggregateFunction(argMax, Float64, Tuple(DateTime64(3, 'UTC'), DateTime64(3, 'UTC'))),
    day_volume AggregateFunction(
        argMax, Nullable(Float64), Tuple(DateTime64(3, 'UTC'), DateTime64(3, 'UTC'))
    ),
    window_start SimpleAggregateFunction(max, DateTime64(3, 'UTC'))
)
ENGINE = AggregatingMergeTree()
ORDER BY (symbol, market);

CREATE MATERIALIZED VIEW IF NOT EXISTS latest_prices_insert TO latest_prices AS
SELECT
    market,
    symbol,
    argMaxState(close, (bar.window_start, bar.ingested_at)) AS price,
    argMaxState(accumulated_volume, (bar.window_start, bar.ingested_at)) AS day_volume,
    max(bar.window_start) AS window_start
FROM stock_aggregates AS bar
GROUP BY market, symbol;

-- SELECT * FROM latest_price WHERE symbol = 'AAPL'
CREATE VIEW IF NOT EXISTS latest_price AS
SELECT
    market,
    symbol,
    argMaxMerge(state.price) AS price,
    argMaxMerge(state.day_volume) AS day_volume,
    max(state.window_start) AS window_start
FROM latest_prices AS state
GROUP BY market, symbol;

-- Bars of any length in seconds, up to the last insert:
-- SELECT * FROM ohlc(interval = 300) WHERE symbol = 'AAPL' AND event_type = 'A' AND start >= today()
CREATE VIEW IF NOT EXISTS ohlc AS
SELECT
    market,
    symbol,
    event_type,
    toStartOfInterval(window_start, toIntervalSecond({interval:UInt32})) AS start,
    argMin(bar.open, window_start) AS open,
    max(bar.high) AS high,
    min(bar.low) AS low,
    argMax(bar.close, window_start) AS close,
    if(sum(bar.volume) > 0, sum(ifNull(bar.vwap, bar.close) * bar.volume) / sum(bar.volume), NULL) AS vwap,
    sum(bar.volume) AS volume,
    toUInt32(count()) AS bars
FROM stock_aggregates AS bar FINAL
GROUP BY market, symbol, event_type, start;
