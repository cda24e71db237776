-- The trades of the filter, with these rules of its rules.yaml:
--
--   trades:
--     exclude: [ZVZZT]
--     exclude_conditions: [15, 16]
--     min_notional: 1
--
-- What it does not do: see tables.sql, and further
-- - Of a size the decimals behind the twentieth are not seen, where the Python filter refuses more
--   than 18.

INSERT INTO custom_filtered_trades_topic (`key`, val, received)
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
        JSON_VALUE(event, '$.t') AS t,
        JSON_VALUE(event, '$.q') AS q,
        JSON_VALUE(event, '$.i') AS i,
        JSON_VALUE(event, '$.p') AS p,
        JSON_VALUE(event, '$.s') AS s,
        -- The exact size, where `s` is rounded.
        COALESCE(JSON_VALUE(event, '$.ds'), JSON_VALUE(event, '$.s')) AS exact_size,
        -- An array; one number is an array of one.
        COALESCE(JSON_QUERY(event, '$.c' WITH CONDITIONAL ARRAY WRAPPER), '[]') AS c,
        JSON_VALUE(event, '$.x') AS x,
        JSON_VALUE(event, '$.z') AS z,
        JSON_VALUE(event, '$.trfi') AS trfi,
        JSON_VALUE(event, '$.trft') AS trft,
        JSON_VALUE(event, '$.participant_timestamp') AS participant_timestamp,
        JSON_VALUE(event, '$.r') AS r,
        JSON_VALUE(event, '$.correction') AS correction,
        -- Flink would put each JSON_VALUE wherever its column is used, and parse the event a hundred
        -- times. It does not where something random is used twice, as this is below and the next one
        -- at the end.
        RAND() AS apart
    FROM (SELECT *, DECODE(val, 'UTF-8') AS event FROM polygon_stream_aggregates)
    WHERE
        ENCODE(event, 'UTF-8') = val -- or it is no UTF-8
        AND JSON_VALUE(event, '$.ev') IN ('T', 'XT')
),
-- TRY_CAST, since one event that CAST could not read would stop the statement for good.
typed AS (
    SELECT
        *,
        apart + apart AS known,
        RAND() AS apart_again,
        COALESCE(NULLIF(sym, ''), NULLIF(pair, '')) AS symbol,
        TRY_CAST(t AS DECIMAL(38, 6)) AS t_number,
        TRY_CAST(q AS BIGINT) AS sequence_number,
        TRY_CAST(p AS DOUBLE) AS price,
        TRY_CAST(exact_size AS DECIMAL(38, 18)) AS size,
        TRY_CAST(JSON_QUERY(c, '$' RETURNING ARRAY<STRING>) AS ARRAY<INT>) AS conditions,
        TRY_CAST(x AS INT) AS exchange,
        TRY_CAST(z AS INT) AS tape,
        TRY_CAST(trfi AS INT) AS trf_id,
        TRY_CAST(trft AS DECIMAL(38, 6)) AS trf_number,
        TRY_CAST(participant_timestamp AS DECIMAL(38, 6)) AS participant_number,
        TRY_CAST(r AS DECIMAL(38, 6)) AS vendor_number,
        TRY_CAST(correction AS INT) AS correction_code
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
            KEY 'trade_id' VALUE COALESCE(i, ''),
            KEY 'price' VALUE price,
            KEY 'size' VALUE TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM CAST(size AS STRING))),
            KEY 'conditions' VALUE conditions,
            KEY 'exchange' VALUE exchange,
            KEY 'tape' VALUE tape,
            KEY 'trf_id' VALUE trf_id,
            KEY 'trf_timestamp' VALUE
                DATE_FORMAT(TO_TIMESTAMP_LTZ(trf_ns / 1000000, 3), 'yyyy-MM-dd HH:mm:ss.SSS')
                || LPAD(CAST(MOD(trf_ns, 1000000) AS STRING), 6, '0'),
            KEY 'participant_timestamp' VALUE
                DATE_FORMAT(TO_TIMESTAMP_LTZ(participant_ns / 1000000, 3), 'yyyy-MM-dd HH:mm:ss.SSS')
                || LPAD(CAST(MOD(participant_ns, 1000000) AS STRING), 6, '0'),
            KEY 'vendor_timestamp' VALUE
                DATE_FORMAT(TO_TIMESTAMP_LTZ(vendor_ns / 1000000, 3), 'yyyy-MM-dd HH:mm:ss.SSS')
                || LPAD(CAST(MOD(vendor_ns, 1000000) AS STRING), 6, '0'),
            KEY 'correction' VALUE correction_code,
            KEY 'received_at' VALUE DATE_FORMAT(received, 'yyyy-MM-dd HH:mm:ss.SSS'),
            KEY 'healed' VALUE healed
        ),
        'UTF-8'
    ),
    received
FROM timed
WHERE
    -- What the Python filter reads as a trade. A comparison with null keeps nothing.
    symbol IS NOT NULL
    AND CHAR_LENGTH(market) <= 100
    AND CHAR_LENGTH(COALESCE(sym, '')) <= 100
    AND CHAR_LENGTH(COALESCE(pair, '')) <= 100
    AND CHAR_LENGTH(COALESCE(i, '')) <= 100
    AND CASE WHEN tape_ns IS NOT NULL -- else it is not a time
        THEN TO_TIMESTAMP_LTZ((tape_ns + 999999) / 1000000, 3) END <= received + INTERVAL '1' HOUR
    -- JSON knows neither NaN nor infinity, and one of them would stop the statement for good.
    AND ABS(price) < 1E18
    AND TRY_CAST(s AS DOUBLE) IS NOT NULL
    AND size >= 0
    -- As text, since two decimals are rounded before they are compared. Else it is rounded, or too
    -- great.
    AND CAST(size AS STRING) || '00' = CAST(TRY_CAST(exact_size AS DECIMAL(38, 20)) AS STRING)
    AND conditions IS NOT NULL AND REGEXP(c, '^\[[0-9,]*\]$')
    AND (q IS NULL OR sequence_number >= 0 AND REGEXP(q, '^[0-9]+$'))
    AND (x IS NULL OR exchange >= 0 AND REGEXP(x, '^[0-9]+$'))
    AND (z IS NULL OR tape >= 0 AND REGEXP(z, '^[0-9]+$'))
    AND (trfi IS NULL OR trf_id >= 0 AND REGEXP(trfi, '^[0-9]+$'))
    AND (correction IS NULL OR correction_code >= 0 AND REGEXP(correction, '^[0-9]+$'))
    AND (trft IS NULL OR trf_number = 0 OR trf_ns > 0)
    AND (participant_timestamp IS NULL OR participant_number = 0 OR participant_ns > 0)
    AND (r IS NULL OR vendor_number = 0 OR vendor_ns > 0)
    AND apart_again + apart_again + known >= 0 -- always
    -- The rules.
    AND symbol NOT IN ('ZVZZT')
    AND NOT ARRAY_CONTAINS(conditions, 15)
    AND NOT ARRAY_CONTAINS(conditions, 16)
    AND price * CAST(size AS DOUBLE) >= 1;
