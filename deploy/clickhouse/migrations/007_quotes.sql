-- Quotes: the best bid and ask from an instant on. Keyed as trades are; what has no sequence number on
-- the stream (crypto, forex, futures) is told apart by its millisecond, prices and sizes, so that of
-- two quotes that say the same at the same time one is left. Times are UTC.
CREATE TABLE IF NOT EXISTS quotes (
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

-- The last quote of each symbol, kept up by every insert. Of two in one instant the one with the
-- greater sequence number is later.
CREATE TABLE IF NOT EXISTS latest_quotes (
    market LowCardinality(String),
    symbol LowCardinality(String),
    quote AggregateFunction(
        argMax,
        Tuple(
            bid_price Nullable(Float64), bid_size Nullable(Decimal(38, 18)),
            bid_exchange Nullable(UInt32), ask_price Nullable(Float64),
            ask_size Nullable(Decimal(38, 18)), ask_exchange Nullable(UInt32)
        ),
        Tuple(DateTime64(9, 'UTC'), Int64)
    ),
    timestamp SimpleAggregateFunction(max, DateTime64(9, 'UTC'))
)
ENGINE = AggregatingMergeTree()
ORDER BY (symbol, market);

CREATE MATERIALIZED VIEW IF NOT EXISTS latest_quotes_insert TO latest_quotes AS
SELECT
    market,
    symbol,
    argMaxState(
        CAST(
            (bid_price, bid_size, bid_exchange, ask_price, ask_size, ask_exchange),
            'Tuple(bid_price Nullable(Float64), bid_size Nullable(Decimal(38, 18)),
                bid_exchange Nullable(UInt32), ask_price Nullable(Float64),
                ask_size Nullable(Decimal(38, 18)), ask_exchange Nullable(UInt32))'
        ),
        (q.timestamp, ifNull(sequence_number, 0))
    ) AS quote,
    max(q.timestamp) AS timestamp
FROM quotes AS q
GROUP BY market, symbol;

-- SELECT * FROM latest_quote WHERE symbol = 'AAPL'
CREATE VIEW IF NOT EXISTS latest_quote AS
SELECT
    market,
    symbol,
    max(state.timestamp) AS timestamp,
    tupleElement(argMaxMerge(state.quote) AS last, 'bid_price') AS bid_price,
    tupleElement(last, 'bid_size') AS bid_size,
    tupleElement(last, 'bid_exchange') AS bid_exchange,
    tupleElement(last, 'ask_price') AS ask_price,
    tupleElement(last, 'ask_size') AS ask_size,
    tupleElement(last, 'ask_exchange') AS ask_exchange
FROM latest_quotes AS state
GROUP BY market, symbol;

-- The best bid and ask of a symbol at an instant: the last quote at or before it, of the seven days
-- before it at most. Reads the symbol's newest minutes first, and no more of them than it needs.
-- SELECT * FROM nbbo_at(symbol = 'AAPL', time = '2026-11-23 14:30:00.5')
CREATE VIEW IF NOT EXISTS nbbo_at AS
SELECT
    market,
    q.symbol AS symbol,
    timestamp,
    bid_price,
    bid_size,
    bid_exchange,
    ask_price,
    ask_size,
    ask_exchange,
    sequence_number
FROM quotes AS q
WHERE
    q.symbol = {symbol:String}
    AND timestamp <= {time:DateTime64(9, 'UTC')}
    AND timestamp > {time:DateTime64(9, 'UTC')} - INTERVAL 7 DAY
ORDER BY q.symbol DESC, toStartOfMinute(timestamp) DESC, timestamp DESC, sequence_number DESC
LIMIT 1;
