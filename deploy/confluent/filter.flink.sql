-- The filter in Confluent Cloud for Apache Flink, for teams that want no Python tasks. It does what
-- `polygon-stream filter` does with this rules.yaml:
--
--   markets: [stocks]
--   exclude: [ZVZZT]
--   drop_otc: true
--   min_price: 1.0
--   min_notional: 10000
--
-- What it does not do: dead letters (Flink skips or fails), the watch for jumps of accumulated volume,
-- rules that change without a new statement. Exactly-once is Flink's, by checkpoints: readers
-- see records when a checkpoint is complete, seconds later than from the Python filter.

-- The raw topic holds JSON without a schema: Flink sees `key` and `val` as bytes. The alterations
-- give it the Kafka headers and the time of the receipt.
ALTER TABLE polygon_stream_aggregates ADD (
    `headers` MAP<BYTES, BYTES> METADATA,
    `received` TIMESTAMP_LTZ(3) METADATA FROM 'timestamp'
);

CREATE TABLE custom_filtered_stock_data_topic (
    `key` STRING,
    event_type STRING NOT NULL,
    market STRING NOT NULL,
    symbol STRING NOT NULL,
    window_start STRING NOT NULL,
    window_end STRING,
    `open` DOUBLE,
    high DOUBLE,
    low DOUBLE,
    `close` DOUBLE,
    vwap DOUBLE,
    volume DOUBLE,
    accumulated_volume DOUBLE,
    official_open DOUBLE,
    day_vwap DOUBLE,
    average_trade_size DOUBLE,
    otc BOOLEAN,
    received_at STRING,
    healed BOOLEAN
) DISTRIBUTED BY HASH(`key`) INTO 6 BUCKETS WITH (
    'key.format' = 'raw',
    -- No schema registry in the value, or the sink's JSON converter could not read it.
    'value.format' = 'json',
    'value.fields-include' = 'except-key'
);

INSERT INTO custom_filtered_stock_data_topic
SELECT
    symbol, event_type, market, symbol, window_start, window_end, `open`, high, low, `close`, vwap,
    volume, accumulated_volume, official_open, day_vwap, average_trade_size, otc, received_at, healed
FROM (
    SELECT
        JSON_VALUE(event, '$.ev') AS event_type,
        DECODE(`headers`[ENCODE('market', 'UTF-8')], 'UTF-8') AS market,
        COALESCE(JSON_VALUE(event, '$.sym'), JSON_VALUE(event, '$.pair')) AS symbol,
        DATE_FORMAT(
            TO_TIMESTAMP_LTZ(CAST(JSON_VALUE(event, '$.s') AS BIGINT), 3), 'yyyy-MM-dd HH:mm:ss.SSS'
        ) AS window_start,
        DATE_FORMAT(
            TO_TIMESTAMP_LTZ(CAST(JSON_VALUE(event, '$.e') AS BIGINT), 3), 'yyyy-MM-dd HH:mm:ss.SSS'
        ) AS window_end,
        CAST(JSON_VALUE(event, '$.o') AS DOUBLE) AS `open`,
        CAST(JSON_VALUE(event, '$.h') AS DOUBLE) AS high,
        CAST(JSON_VALUE(event, '$.l') AS DOUBLE) AS low,
        CAST(JSON_VALUE(event, '$.c') AS DOUBLE) AS `close`,
        CAST(JSON_VALUE(event, '$.vw') AS DOUBLE) AS vwap,
        CAST(COALESCE(JSON_VALUE(event, '$.dv'), JSON_VALUE(event, '$.v'), '0') AS DOUBLE) AS volume,
        CAST(COALESCE(JSON_VALUE(event, '$.dav'), JSON_VALUE(event, '$.av')) AS DOUBLE)
            AS accumulated_volume,
        CAST(JSON_VALUE(event, '$.op') AS DOUBLE) AS official_open,
        CAST(JSON_VALUE(event, '$.a') AS DOUBLE) AS day_vwap,
        CAST(JSON_VALUE(event, '$.z') AS DOUBLE) AS average_trade_size,
        COALESCE(CAST(JSON_VALUE(event, '$.otc') AS BOOLEAN), FALSE) AS otc,
        DATE_FORMAT(received, 'yyyy-MM-dd HH:mm:ss.SSS') AS received_at,
        `headers`[ENCODE('healed', 'UTF-8')] IS NOT NULL AS healed
    FROM (SELECT DECODE(val, 'UTF-8') AS event, `headers`, received FROM polygon_stream_aggregates)
)
-- The session's time zone must be UTC: SET 'sql.local-time-zone' = 'UTC';
WHERE event_type IN ('A', 'AM', 'XA', 'XAS', 'CA', 'CAS')
    AND market = 'stocks'
    AND symbol NOT IN ('ZVZZT')
    AND NOT otc
    AND `close` >= 1.0
    AND volume * COALESCE(NULLIF(vwap, 0), `close`) >= 10000;
