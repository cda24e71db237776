-- Tables for the vendor's flat files of stocks, and the stage from which load_flat_files.sql copies them.
-- Run once, after setup.sql, as a user that has SYSADMIN. It may run again: what exists stays.
--
-- First put the pair of keys to the flat files in the places of ACCESS_KEY_ID and SECRET_ACCESS_KEY, see
-- docs/deployment.md, which also says what Snowflake's support has to allow before. For a mirror in a
-- bucket of your own, create the stage VENDOR over that instead. Unverified: that Snowflake reads the
-- vendor's endpoint at all.

USE ROLE SYSADMIN;
CREATE SCHEMA IF NOT EXISTS POLYGON.FLAT_FILES;

CREATE STAGE IF NOT EXISTS POLYGON.FLAT_FILES.VENDOR
    URL = 's3compat://flatfiles/'
    ENDPOINT = 'files.massive.com'
    CREDENTIALS = (AWS_KEY_ID = 'ACCESS_KEY_ID' AWS_SECRET_KEY = 'SECRET_ACCESS_KEY')
    COMMENT = 'Flat files of the vendor, read only';

-- The header is read: columns go by name, in whatever order they come.
CREATE FILE FORMAT IF NOT EXISTS POLYGON.FLAT_FILES.PACKED_CSV
    TYPE = CSV
    COMPRESSION = GZIP
    PARSE_HEADER = TRUE
    FIELD_OPTIONALLY_ENCLOSED_BY = '"' -- "12,37" is one value: two conditions
    ERROR_ON_COLUMN_COUNT_MISMATCH = FALSE; -- by name, tables need not have every column

-- What COPY brought, until it is looked at. 19 digits of nanoseconds do not fit a FLOAT.
CREATE TRANSIENT TABLE IF NOT EXISTS POLYGON.FLAT_FILES.MINUTE_BARS_ARRIVED (
    TICKER VARCHAR NOT NULL,
    WINDOW_START NUMBER(19, 0) NOT NULL,
    OPEN NUMBER(28, 10) NOT NULL,
    HIGH NUMBER(28, 10) NOT NULL,
    LOW NUMBER(28, 10) NOT NULL,
    CLOSE NUMBER(28, 10) NOT NULL,
    VOLUME NUMBER(28, 10) NOT NULL,
    TRANSACTIONS NUMBER(19, 0),
    FILE_NAME VARCHAR NOT NULL,
    FILE_MODIFIED TIMESTAMP_NTZ NOT NULL,
    FILE_ROW NUMBER(19, 0) NOT NULL
);
CREATE TRANSIENT TABLE IF NOT EXISTS POLYGON.FLAT_FILES.TRADES_ARRIVED (
    TICKER VARCHAR NOT NULL,
    CONDITIONS VARCHAR,
    CORRECTION NUMBER(9, 0),
    EXCHANGE NUMBER(9, 0),
    ID VARCHAR,
    PARTICIPANT_TIMESTAMP NUMBER(19, 0),
    PRICE NUMBER(28, 10) NOT NULL,
    SEQUENCE_NUMBER NUMBER(19, 0),
    SIP_TIMESTAMP NUMBER(19, 0) NOT NULL,
    SIZE NUMBER(28, 10) NOT NULL,
    TAPE NUMBER(9, 0),
    TRF_ID NUMBER(9, 0),
    TRF_TIMESTAMP NUMBER(19, 0),
    FILE_NAME VARCHAR NOT NULL,
    FILE_MODIFIED TIMESTAMP_NTZ NOT NULL,
    FILE_ROW NUMBER(19, 0) NOT NULL
);

-- A day is there as a whole, of one version of its file, or not at all. Prices are in USD, as traded.
CREATE TABLE IF NOT EXISTS POLYGON.FLAT_FILES.MINUTE_BARS (
    FILE_DATE DATE NOT NULL,
    TICKER VARCHAR NOT NULL,
    WINDOW_START NUMBER(19, 0) NOT NULL COMMENT 'Start of the minute, nanoseconds since 1970 UTC',
    WINDOW_START_UTC TIMESTAMP_NTZ(9) NOT NULL,
    OPEN NUMBER(28, 10) NOT NULL,
    HIGH NUMBER(28, 10) NOT NULL,
    LOW NUMBER(28, 10) NOT NULL,
    CLOSE NUMBER(28, 10) NOT NULL,
    VOLUME NUMBER(28, 10) NOT NULL COMMENT 'Shares, maybe a fraction',
    TRANSACTIONS NUMBER(19, 0),
    FILE_MODIFIED TIMESTAMP_NTZ NOT NULL COMMENT 'When the vendor put this version there, UTC'
);
CREATE TABLE IF NOT EXISTS POLYGON.FLAT_FILES.TRADES (
    FILE_DATE DATE NOT NULL,
    TICKER VARCHAR NOT NULL,
    SIP_TIMESTAMP NUMBER(19, 0) NOT NULL COMMENT 'Nanoseconds since 1970 UTC',
    SIP_TIMESTAMP_UTC TIMESTAMP_NTZ(9) NOT NULL,
    PARTICIPANT_TIMESTAMP NUMBER(19, 0) COMMENT 'Nanoseconds since 1970 UTC',
    SEQUENCE_NUMBER NUMBER(19, 0),
    ID VARCHAR,
    PRICE NUMBER(28, 10) NOT NULL,
    SIZE NUMBER(28, 10) NOT NULL COMMENT 'Shares, maybe a fraction',
    CONDITIONS VARCHAR COMMENT 'Numbers with commas between them: SPLIT(CONDITIONS, '','')',
    CORRECTION NUMBER(9, 0) COMMENT 'Not 0: corrected or cancelled later',
    EXCHANGE NUMBER(9, 0),
    TAPE NUMBER(9, 0),
    TRF_ID NUMBER(9, 0),
    TRF_TIMESTAMP NUMBER(19, 0) COMMENT 'Nanoseconds since 1970 UTC',
    FILE_ROW NUMBER(19, 0) NOT NULL,
    FILE_MODIFIED TIMESTAMP_NTZ NOT NULL COMMENT 'When the vendor put this version there, UTC'
);

-- The versions of files that have arrived. What is not `good` is not loaded, and stays here to be seen:
-- a file was once published under the next day's name.
CREATE OR REPLACE VIEW POLYGON.FLAT_FILES.ARRIVED_FILES AS
WITH arrived AS (
    SELECT 'minute_bars' AS dataset, file_name, file_modified, COUNT(*) AS rows_read,
        COUNT(DISTINCT file_row) AS rows_in_file,
        MIN(window_start) AS first_time, MAX(window_start) AS last_time
    FROM POLYGON.FLAT_FILES.MINUTE_BARS_ARRIVED
    GROUP BY file_name, file_modified
    UNION ALL
    SELECT 'trades', file_name, file_modified, COUNT(*), COUNT(DISTINCT file_row),
        MIN(sip_timestamp), MAX(sip_timestamp)
    FROM POLYGON.FLAT_FILES.TRADES_ARRIVED
    GROUP BY file_name, file_modified
),
dated AS (
    SELECT arrived.*,
        TO_DATE(LEFT(SPLIT_PART(file_name, '/', -1), 10)) AS file_date,
        -- Stocks trade from 4:00 to 20:00 New York time, so that a day there has one date.
        CONVERT_TIMEZONE('UTC', 'America/New_York', TO_TIMESTAMP_NTZ(first_time, 9))::DATE AS first_day,
        CONVERT_TIMEZONE('UTC', 'America/New_York', TO_TIMESTAMP_NTZ(last_time, 9))::DATE AS last_day
    FROM arrived
)
SELECT dataset, file_name, file_modified, file_date, rows_read,
    CASE
        WHEN file_modified < MAX(file_modified) OVER (PARTITION BY dataset, file_name) THEN 'replaced'
        WHEN rows_read > rows_in_file THEN 'read twice'
        WHEN first_day <> file_date OR last_day <> file_date THEN 'of another day'
        ELSE 'good'
    END AS state
FROM dated;

GRANT USAGE ON SCHEMA POLYGON.FLAT_FILES TO ROLE POLYGON_READER;
GRANT SELECT ON TABLE POLYGON.FLAT_FILES.MINUTE_BARS TO ROLE POLYGON_READER;
GRANT SELECT ON TABLE POLYGON.FLAT_FILES.TRADES TO ROLE POLYGON_READER;
GRANT SELECT ON VIEW POLYGON.FLAT_FILES.ARRIVED_FILES TO ROLE POLYGON_READER;
