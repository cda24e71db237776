-- The bars of the filter, with these rules of its rules.yaml:
--
--   markets: [stocks]
--   exclude: [ZVZZT]
--   drop_otc: true
--   min_price: 1.0
--   min_notional: 10000
--
-- What it does not do: see tables.sql, and further
-- - An optional field that holds something else than a number becomes null.
-- - The watch for jumps of accumulated volume.

INSERT INTO custom_filtered_stock_data_topic (`key`, val, received)
WITH
-- The vendor's fields under the vendor's names, as text, whatever they hold.
fields AS (
    SELECT
        received,
        -- The origin without the connection; the release before wrote its market alone.
        COALESCE(REGEXP_REPLACE(`headers`['origin'], '/?[^/]*\z', ''), `headers`['market'], '')
            AS market,
        `headers`['healed'] IS NOT NULL AS healed,
        JSON_VALUE(event, '$.ev') AS event_type,
        JSON_VALUE(event, '$.sym') AS sym,
        JSON_VALUE(event, '$.pair') AS pair,
        JSON_VALUE(event, '$.v') AS v,
        JSON_VALUE(event, '$.dv') AS dv,
        JSON_VALUE(event, '$.av') AS av,
        JSON_VALUE(event, '$.dav') AS dav,
        JSON_VALUE(event, '$.op') AS op,
        JSON_VALUE(event, '$.vw') AS vw,
        JSON_VALUE(event, '$.o') AS o,
        JSON_VALUE(event, '$.c') AS c,
        JSON_VALUE(event, '$.h') AS h,
        JSON_VALUE(event, '$.l') AS l,
        JSON_VALUE(event, '$.a') AS a,
        JSON_VALUE(event, '$.z') AS z,
        JSON_VALUE(event, '$.s') AS s,
        JSON_VALUE(event, '$.e') AS e,
        JSON_VALUE(event, '$.otc') AS otc_text,
        -- Flink would put each JSON_VALUE wherever its column is used, and parse the event a hundred
        -- times. It does not where something random is used twice, as this is below.
        RAND() AS apart
    FROM (SELECT *, DECODE(val, 'UTF-8') AS event FROM polygon_stream_aggregates)
    WHERE
        ENCODE(event, 'UTF-8') = val -- or it is no UTF-8
        AND JSON_VALUE(event, '$.ev') IN ('A', 'AM', 'XA', 'XAS', 'CA', 'CAS')
),
-- TRY_CAST, since one event that CAST could not read would stop the statement for good. Times by way
-- of DOUBLE, for 1.7E12 is one as well.
typed AS (
    SELECT
        *,
        apart + apart AS known,
        COALESCE(NULLIF(sym, ''), NULLIF(pair, '')) AS symbol,
        CAST(TRY_CAST(s AS DOUBLE) AS BIGINT) AS start_ms,
        COALESCE(
            CAST(TRY_CAST(e AS DOUBLE) AS BIGINT),
            CAST(TRY_CAST(s AS DOUBLE) AS BIGINT)
                + CASE WHEN event_type IN ('A', 'XAS', 'CAS') THEN 1000 ELSE 60000 END
        ) AS end_ms,
        TRY_CAST(o AS DOUBLE) AS `open`,
        TRY_CAST(h AS DOUBLE) AS high,
        TRY_CAST(l AS DOUBLE) AS low,
        TRY_CAST(c AS DOUBLE) AS `close`,
        TRY_CAST(vw AS DOUBLE) AS vwap,
        TRY_CAST(v AS DOUBLE) AS plain_volume,
        TRY_CAST(av AS DOUBLE) AS plain_accumulated,
        TRY_CAST(COALESCE(dv, v, '0') AS DOUBLE) AS volume,
        TRY_CAST(COALESCE(dav, av) AS DOUBLE) AS accumulated_volume,
        TRY_CAST(op AS DOUBLE) AS official_open,
        TRY_CAST(a AS DOUBLE) AS day_vwap,
        TRY_CAST(z AS DOUBLE) AS average_trade_size,
        COALESCE(TRY_CAST(otc_text AS BOOLEAN), FALSE) AS otc
    FROM fields
)
-- DATE_FORMAT writes in the session's time zone, which must be UTC, as it is unless set otherwise:
-- SET 'sql.local-time-zone' = 'UTC';
SELECT
    ENCODE(symbol, 'UTF-8'),
    -- Not a table with columns: Confluent's JSON format puts a schema's number before the JSON, which
    -- the sink's converter could not read.
    ENCODE(
        JSON_OBJECT(
            KEY 'event_type' VALUE event_type,
            KEY 'market' VALUE market,
            KEY 'symbol' VALUE symbol,
            KEY 'window_start' VALUE
                DATE_FORMAT(TO_TIMESTAMP_LTZ(start_ms, 3), 'yyyy-MM-dd HH:mm:ss.SSS'),
            KEY 'window_end' VALUE
                DATE_FORMAT(TO_TIMESTAMP_LTZ(end_ms, 3), 'yyyy-MM-dd HH:mm:ss.SSS'),
            KEY 'open' VALUE `open`,
            KEY 'high' VALUE high,
            KEY 'low' VALUE low,
            KEY 'close' VALUE `close`,
            KEY 'vwap' VALUE vwap,
            KEY 'volume' VALUE volume,
            KEY 'accumulated_volume' VALUE accumulated_volume,
            KEY 'official_open' VALUE official_open,
            KEY 'day_vwap' VALUE day_vwap,
            KEY 'average_trade_size' VALUE average_trade_size,
            KEY 'otc' VALUE otc,
            KEY 'received_at' VALUE DATE_FORMAT(received, 'yyyy-MM-dd HH:mm:ss.SSS'),
            KEY 'healed' VALUE healed
        ),
        'UTF-8'
    ),
    received
FROM typed
WHERE
    -- What the Python filter reads as a bar. A comparison with null keeps nothing.
    symbol IS NOT NULL
    AND CHAR_LENGTH(COALESCE(sym, '')) <= 100
    AND CHAR_LENGTH(COALESCE(pair, '')) <= 100
    AND start_ms BETWEEN 946684800000 AND 4102444800000 -- the years 2000 to 2100
    AND end_ms BETWEEN 946684800000 AND 4102444800000
    AND end_ms - start_ms BETWEEN 0 AND 60000
    AND CASE WHEN start_ms BETWEEN 946684800000 AND 4102444800000 -- else it is not a time
        THEN TO_TIMESTAMP_LTZ(start_ms, 3) END <= received + INTERVAL '1' HOUR
    -- JSON knows neither NaN nor infinity, and one of them would stop the statement for good.
    AND ABS(`open`) < 1E18 AND ABS(high) < 1E18 AND ABS(low) < 1E18 AND ABS(`close`) < 1E18
    AND ABS(COALESCE(vwap, 0)) < 1E18
    AND ABS(COALESCE(official_open, 0)) < 1E18
    AND ABS(COALESCE(day_vwap, 0)) < 1E18
    AND COALESCE(average_trade_size, 0) >= 0 AND COALESCE(average_trade_size, 0) < 1E18
    AND COALESCE(plain_volume, 0) >= 0 AND COALESCE(plain_volume, 0) < 1E18
    AND COALESCE(plain_accumulated, 0) >= 0 AND COALESCE(plain_accumulated, 0) < 1E18
    AND volume >= 0 AND volume < 1E18
    AND COALESCE(accumulated_volume, 0) >= 0 AND COALESCE(accumulated_volume, 0) < 1E18
    AND (dav IS NULL OR accumulated_volume IS NOT NULL)
    AND known >= 0 -- always
    -- The rules.
    AND market = 'stocks'
    AND symbol NOT IN ('ZVZZT')
    AND NOT otc
    AND `close` >= 1.0
    AND volume * COALESCE(NULLIF(vwap, 0), `close`) >= 10000;
