-- The quotes of the filter, with these rules of its rules.yaml:
--
--   quotes:
--     markets: [stocks, options, forex, crypto]
--     exclude: [ZVZZT]
--     min_price: 0.01
--
-- What it does not do: see tables.sql, and further
-- - Of a size the decimals behind the twentieth are not seen, where the Python filter refuses more
--   than 18.

INSERT INTO custom_filtered_quotes_topic (`key`, val, received)
WITH
events AS (
    SELECT received, `headers`, val, DECODE(val, 'UTF-8') AS event FROM polygon_stream_aggregates
),
-- Quotes of currencies have names of their own for what is in all quotes.
quotes AS (
    SELECT
        received,
        -- The origin without the connection; the release before wrote its market alone.
        COALESCE(REGEXP_REPLACE(`headers`['origin'], '/?[^/]*\z', ''), `headers`['market'], '')
            AS market,
        `headers`['healed'] IS NOT NULL AS healed,
        JSON_VALUE(event, '$.ev') AS event_type,
        CASE
            WHEN JSON_VALUE(event, '$.ev') = 'C' THEN JSON_OBJECT(
                KEY 'pair' VALUE JSON_VALUE(event, '$.p'),
                KEY 't' VALUE JSON_VALUE(event, '$.t'),
                -- Of currencies none may be missing.
                KEY 'bp' VALUE COALESCE(JSON_VALUE(event, '$.b'), ''),
                KEY 'ap' VALUE COALESCE(JSON_VALUE(event, '$.a'), ''),
                KEY 'x' VALUE JSON_VALUE(event, '$.x')
            )
            ELSE event
        END AS event,
        -- Flink would put this, and each JSON_VALUE below, wherever its column is used, and parse the
        -- event hundreds of times. It does not where something random is used twice, as this and the
        -- next one are below, and the last one at the end.
        RAND() AS apart
    FROM events
    WHERE
        ENCODE(event, 'UTF-8') = val -- or it is no UTF-8
        AND JSON_VALUE(event, '$.ev') IN ('Q', 'XQ', 'C')
),
-- The vendor's fields under the vendor's names, as text, whatever they hold.
fields AS (
    SELECT
        received,
        market,
        healed,
        event_type,
        JSON_VALUE(event, '$.sym') AS sym,
        JSON_VALUE(event, '$.pair') AS pair,
        JSON_VALUE(event, '$.t') AS t,
        JSON_VALUE(event, '$.q') AS q,
        JSON_VALUE(event, '$.bp') AS bp,
        JSON_VALUE(event, '$.bs') AS bs,
        -- Of crypto both sides are of one exchange.
        COALESCE(JSON_VALUE(event, '$.bx'), JSON_VALUE(event, '$.x')) AS bx,
        JSON_VALUE(event, '$.ap') AS ap,
        JSON_VALUE(event, '$.as') AS `as`,
        COALESCE(JSON_VALUE(event, '$.ax'), JSON_VALUE(event, '$.x')) AS ax,
        JSON_VALUE(event, '$.x') AS x,
        -- Arrays; one number is an array of one.
        COALESCE(JSON_QUERY(event, '$.c' WITH CONDITIONAL ARRAY WRAPPER), '[]') AS c,
        COALESCE(JSON_QUERY(event, '$.i' WITH CONDITIONAL ARRAY WRAPPER), '[]') AS i,
        JSON_VALUE(event, '$.z') AS z,
        JSON_VALUE(event, '$.trfi') AS trfi,
        JSON_VALUE(event, '$.trft') AS trft,
        JSON_VALUE(event, '$.participant_timestamp') AS participant_timestamp,
        JSON_VALUE(event, '$.bt') AS bt,
        JSON_VALUE(event, '$.at') AS `at`,
        JSON_VALUE(event, '$.r') AS r,
        apart + apart AS known,
        RAND() AS apart_again
    FROM quotes
),
-- TRY_CAST, since one event that CAST could not read would stop the statement for good.
typed AS (
    SELECT
        *,
        apart_again + apart_again + known AS all_known,
        RAND() AS apart_at_last,
        COALESCE(NULLIF(sym, ''), NULLIF(pair, '')) AS symbol,
        TRY_CAST(t AS DECIMAL(38, 6)) AS t_number,
        TRY_CAST(q AS BIGINT) AS sequence_number,
        TRY_CAST(bp AS DOUBLE) AS bid_price,
        TRY_CAST(bs AS DECIMAL(38, 18)) AS bid_size,
        TRY_CAST(bx AS INT) AS bid_exchange,
        TRY_CAST(ap AS DOUBLE) AS ask_price,
        TRY_CAST(`as` AS DECIMAL(38, 18)) AS ask_size,
        TRY_CAST(ax AS INT) AS ask_exchange,
        TRY_CAST(JSON_QUERY(c, '$' RETURNING ARRAY<STRING>) AS ARRAY<INT>) AS conditions,
        TRY_CAST(JSON_QUERY(i, '$' RETURNING ARRAY<STRING>) AS ARRAY<INT>) AS indicators,
        TRY_CAST(z AS INT) AS tape,
        TRY_CAST(trfi AS INT) AS trf_id,
        TRY_CAST(trft AS DECIMAL(38, 6)) AS trf_number,
        TRY_CAST(participant_timestamp AS DECIMAL(38, 6)) AS participant_number,
        TRY_CAST(bt AS DECIMAL(38, 6)) AS bid_number,
        TRY_CAST(`at` AS DECIMAL(38, 6)) AS ask_number,
        TRY_CAST(r AS DECIMAL(38, 6)) AS vendor_number
    FROM fields
),
-- A number can be only one of milliseconds and nanoseconds of the years 2000 to 2100.
timed AS (
    SELECT
        *,
        CASE
            WHEN t_number BETWEEN 946684800000 AND 4102444800000
                THEN CAST(t_number AS BIGINT) * 1000000
            WHEN t_number BETWEEN 946684800000000000 AND 4102444800000000000
                THEN CAST(t_number AS BIGINT)
        END AS tape_ns,
        CASE
            WHEN trf_number BETWEEN 946684800000 AND 4102444800000
                THEN CAST(trf_number AS BIGINT) * 1000000
            WHEN trf_number BETWEEN 946684800000000000 AND 4102444800000000000
                THEN CAST(trf_number AS BIGINT)
        END AS trf_ns,
        CASE
            WHEN participant_number BETWEEN 946684800000 AND 4102444800000
                THEN CAST(participant_number AS BIGINT) * 1000000
            WHEN participant_number BETWEEN 946684800000000000 AND 4102444800000000000
                THEN CAST(participant_number AS BIGINT)
        END AS participant_ns,
        CASE
            WHEN bid_number BETWEEN 946684800000 AND 4102444800000
                THEN CAST(bid_number AS BIGINT) * 1000000
            WHEN bid_number BETWEEN 946684800000000000 AND 4102444800000000000
                THEN CAST(bid_number AS BIGINT)
        END AS bid_ns,
        CASE
            WHEN ask_number BETWEEN 946684800000 AND 4102444800000
                THEN CAST(ask_number AS BIGINT) * 1000000
            WHEN ask_number BETWEEN 946684800000000000 AND 4102444800000000000
                THEN CAST(ask_number AS BIGINT)
        END AS ask_ns,
        CASE
            WHEN vendor_number BETWEEN 946684800000 AND 4102444800000
                THEN CAST(vendor_number AS BIGINT) * 1000000
            WHEN vendor_number BETWEEN 946684800000000000 AND 4102444800000000000
                THEN CAST(vendor_number AS BIGINT)
        END AS vendor_ns
    FROM typed
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
            KEY 'timestamp' VALUE
                DATE_FORMAT(TO_TIMESTAMP_LTZ(tape_ns / 1000000, 3), 'yyyy-MM-dd HH:mm:ss.SSS')
                || LPAD(CAST(MOD(tape_ns, 1000000) AS STRING), 6, '0'),
            KEY 'sequence_number' VALUE sequence_number,
            KEY 'bid_price' VALUE bid_price,
            KEY 'bid_size' VALUE
                TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM CAST(bid_size AS STRING))),
            KEY 'bid_exchange' VALUE bid_exchange,
            KEY 'ask_price' VALUE ask_price,
            KEY 'ask_size' VALUE
                TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM CAST(ask_size AS STRING))),
            KEY 'ask_exchange' VALUE ask_exchange,
            KEY 'conditions' VALUE conditions,
            KEY 'indicators' VALUE indicators,
            KEY 'tape' VALUE tape,
            KEY 'trf_id' VALUE trf_id,
            KEY 'trf_timestamp' VALUE
                DATE_FORMAT(TO_TIMESTAMP_LTZ(trf_ns / 1000000, 3), 'yyyy-MM-dd HH:mm:ss.SSS')
                || LPAD(CAST(MOD(trf_ns, 1000000) AS STRING), 6, '0'),
            KEY 'participant_timestamp' VALUE
                DATE_FORMAT(TO_TIMESTAMP_LTZ(participant_ns / 1000000, 3), 'yyyy-MM-dd HH:mm:ss.SSS')
                || LPAD(CAST(MOD(participant_ns, 1000000) AS STRING), 6, '0'),
            KEY 'bid_timestamp' VALUE
                DATE_FORMAT(TO_TIMESTAMP_LTZ(bid_ns / 1000000, 3), 'yyyy-MM-dd HH:mm:ss.SSS')
                || LPAD(CAST(MOD(bid_ns, 1000000) AS STRING), 6, '0'),
            KEY 'ask_timestamp' VALUE
                DATE_FORMAT(TO_TIMESTAMP_LTZ(ask_ns / 1000000, 3), 'yyyy-MM-dd HH:mm:ss.SSS')
                || LPAD(CAST(MOD(ask_ns, 1000000) AS STRING), 6, '0'),
            KEY 'vendor_timestamp' VALUE
                DATE_FORMAT(TO_TIMESTAMP_LTZ(vendor_ns / 1000000, 3), 'yyyy-MM-dd HH:mm:ss.SSS')
                || LPAD(CAST(MOD(vendor_ns, 1000000) AS STRING), 6, '0'),
            KEY 'received_at' VALUE DATE_FORMAT(received, 'yyyy-MM-dd HH:mm:ss.SSS'),
            KEY 'healed' VALUE healed
        ),
        'UTF-8'
    ),
    received
FROM timed
WHERE
    -- What the Python filter reads as a quote. A comparison with null keeps nothing.
    symbol IS NOT NULL
    AND CHAR_LENGTH(market) <= 100
    AND CHAR_LENGTH(COALESCE(sym, '')) <= 100
    AND CHAR_LENGTH(COALESCE(pair, '')) <= 100
    AND CASE WHEN tape_ns IS NOT NULL -- else it is not a time
        THEN TO_TIMESTAMP_LTZ((tape_ns + 999999) / 1000000, 3) END <= received + INTERVAL '1' HOUR
    -- A side may be missing. JSON knows neither NaN nor infinity, and one of them would stop the
    -- statement for good.
    AND (bp IS NULL OR ABS(bid_price) < 1E18)
    AND (ap IS NULL OR ABS(ask_price) < 1E18)
    -- As text, since two decimals are rounded before they are compared. Else one is rounded, or too
    -- great.
    AND (
        bs IS NULL
        OR bid_size >= 0
        AND CAST(bid_size AS STRING) || '00' = CAST(TRY_CAST(bs AS DECIMAL(38, 20)) AS STRING)
    )
    AND (
        `as` IS NULL
        OR ask_size >= 0
        AND CAST(ask_size AS STRING) || '00' = CAST(TRY_CAST(`as` AS DECIMAL(38, 20)) AS STRING)
    )
    AND conditions IS NOT NULL AND REGEXP(c, '^\[[0-9,]*\]$')
    AND indicators IS NOT NULL AND REGEXP(i, '^\[[0-9,]*\]$')
    AND (q IS NULL OR sequence_number >= 0 AND REGEXP(q, '^[0-9]+$'))
    AND (bx IS NULL OR bid_exchange >= 0 AND REGEXP(bx, '^[0-9]+$'))
    AND (ax IS NULL OR ask_exchange >= 0 AND REGEXP(ax, '^[0-9]+$'))
    AND (x IS NULL OR TRY_CAST(x AS INT) >= 0 AND REGEXP(x, '^[0-9]+$'))
    AND (z IS NULL OR tape >= 0 AND REGEXP(z, '^[0-9]+$'))
    AND (trfi IS NULL OR trf_id >= 0 AND REGEXP(trfi, '^[0-9]+$'))
    AND (trft IS NULL OR trf_number = 0 OR trf_ns > 0)
    AND (participant_timestamp IS NULL OR participant_number = 0 OR participant_ns > 0)
    AND (bt IS NULL OR bid_number = 0 OR bid_ns > 0)
    AND (`at` IS NULL OR ask_number = 0 OR ask_ns > 0)
    AND (r IS NULL OR vendor_number = 0 OR vendor_ns > 0)
    AND apart_at_last + apart_at_last + all_known >= 0 -- always
    -- The rules; limits hold for each side that has a price.
    AND market IN ('stocks', 'options', 'forex', 'crypto')
    AND symbol NOT IN ('ZVZZT')
    AND COALESCE(bid_price, 0.01) >= 0.01
    AND COALESCE(ask_price, 0.01) >= 0.01;
