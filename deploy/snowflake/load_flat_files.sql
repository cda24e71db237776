-- Loads the flat files that are new or were replaced. Run it as often as you like, one at a time: a run
-- again loads nothing twice, and after one that was cut off the next goes on.
--
-- Narrow PATTERN to the days that your plan has: the vendor lists files, too, that it does not hand out.

USE ROLE SYSADMIN;
USE WAREHOUSE POLYGON_LOADING;

-- COPY knows by name and ETag what it has loaded, for 64 days. A file with an error brings no row, is
-- tried again by the next run, and is named in what COPY answers.
COPY INTO POLYGON.FLAT_FILES.MINUTE_BARS_ARRIVED
FROM @POLYGON.FLAT_FILES.VENDOR/us_stocks_sip/minute_aggs_v1/
PATTERN = '.*/2026-1[12]-[0-9]{2}[.]csv[.]gz'
FILE_FORMAT = (FORMAT_NAME = 'POLYGON.FLAT_FILES.PACKED_CSV')
MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE
INCLUDE_METADATA = (
    FILE_NAME = METADATA$FILENAME,
    FILE_MODIFIED = METADATA$FILE_LAST_MODIFIED,
    FILE_ROW = METADATA$FILE_ROW_NUMBER
)
ON_ERROR = SKIP_FILE;

BEGIN TRANSACTION;
DELETE FROM POLYGON.FLAT_FILES.MINUTE_BARS WHERE file_date IN (
    SELECT file_date FROM POLYGON.FLAT_FILES.ARRIVED_FILES
    WHERE dataset = 'minute_bars' AND state = 'good'
);
INSERT INTO POLYGON.FLAT_FILES.MINUTE_BARS (
    file_date, ticker, window_start, window_start_utc, open, high, low, close, volume, transactions,
    file_modified
)
SELECT f.file_date, a.ticker, a.window_start, TO_TIMESTAMP_NTZ(a.window_start, 9), a.open, a.high,
    a.low, a.close, a.volume, a.transactions, a.file_modified
FROM POLYGON.FLAT_FILES.MINUTE_BARS_ARRIVED AS a
JOIN POLYGON.FLAT_FILES.ARRIVED_FILES AS f
    ON f.dataset = 'minute_bars' AND f.file_name = a.file_name AND f.file_modified = a.file_modified
WHERE f.state = 'good';
-- TRUNCATE would make COPY forget what it has loaded.
DELETE FROM POLYGON.FLAT_FILES.MINUTE_BARS_ARRIVED WHERE (file_name, file_modified) IN (
    SELECT file_name, file_modified FROM POLYGON.FLAT_FILES.ARRIVED_FILES
    WHERE dataset = 'minute_bars' AND state IN ('good', 'replaced')
);
COMMIT;

COPY INTO POLYGON.FLAT_FILES.TRADES_ARRIVED
FROM @POLYGON.FLAT_FILES.VENDOR/us_stocks_sip/trades_v1/
PATTERN = '.*/2026-1[12]-[0-9]{2}[.]csv[.]gz'
FILE_FORMAT = (FORMAT_NAME = 'POLYGON.FLAT_FILES.PACKED_CSV')
MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE
INCLUDE_METADATA = (
    FILE_NAME = METADATA$FILENAME,
    FILE_MODIFIED = METADATA$FILE_LAST_MODIFIED,
    FILE_ROW = METADATA$FILE_ROW_NUMBER
)
ON_ERROR = SKIP_FILE;

BEGIN TRANSACTION;
DELETE FROM POLYGON.FLAT_FILES.TRADES WHERE file_date IN (
    SELECT file_date FROM POLYGON.FLAT_FILES.ARRIVED_FILES
    WHERE dataset = 'trades' AND state = 'good'
);
INSERT INTO POLYGON.FLAT_FILES.TRADES (
    file_date, ticker, sip_timestamp, sip_timestamp_utc, participant_timestamp, sequence_number, id,
    price, size, conditions, correction, exchange, tape, trf_id, trf_timestamp, file_row, file_modified
)
SELECT f.file_date, a.ticker, a.sip_timestamp, TO_TIMESTAMP_NTZ(a.sip_timestamp, 9),
    a.participant_timestamp, a.sequence_number, a.id, a.price, a.size, a.conditions, a.correction,
    a.exchange, a.tape, a.trf_id, a.trf_timestamp, a.file_row, a.file_modified
FROM POLYGON.FLAT_FILES.TRADES_ARRIVED AS a
JOIN POLYGON.FLAT_FILES.ARRIVED_FILES AS f
    ON f.dataset = 'trades' AND f.file_name = a.file_name AND f.file_modified = a.file_modified
WHERE f.state = 'good';
DELETE FROM POLYGON.FLAT_FILES.TRADES_ARRIVED WHERE (file_name, file_modified) IN (
    SELECT file_name, file_modified FROM POLYGON.FLAT_FILES.ARRIVED_FILES
    WHERE dataset = 'trades' AND state IN ('good', 'replaced')
);
COMMIT;

-- What was not loaded, and why. This should be empty.
SELECT dataset, file_name, file_modified, rows_read, state FROM POLYGON.FLAT_FILES.ARRIVED_FILES;
