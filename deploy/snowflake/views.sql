-- Views over the tables that Airbyte lands: grouped_daily (with the connector's default
-- `adjusted: false`) and tickers, incremental and deduplicated, splits and dividends, overwritten.
-- Run after the first sync, and after each change of this file.

USE ROLE SYSADMIN;
USE DATABASE POLYGON;

-- One row a symbol: the company that has it now, or had it last.
CREATE OR REPLACE VIEW MARKET.LATEST_TICKERS AS
SELECT
    market, ticker, name, active, type, locale, primary_exchange,
    currency_name, currency_symbol, base_currency_name, base_currency_symbol,
    cik, composite_figi, share_class_figi, source_feed,
    delisted_utc, last_updated_utc
FROM LANDING.TICKERS
QUALIFY ROW_NUMBER() OVER (
    PARTITION BY market, ticker
    ORDER BY active DESC, delisted_utc DESC NULLS LAST, last_updated_utc DESC NULLS LAST
) = 1;

-- One row a company that has, or had, a symbol; symbols are used again.
--   bars_market   the market of its bars: OTC symbols are among the bars of stocks
--   symbol_since  the day from which the symbol was not the earlier company's; null for the first
--   delisted_on   the first day on which it did not trade; null while it is listed
--   first_bar     its first session in GROUPED_DAILY; null if there is none
--   last_bar      its last one
CREATE OR REPLACE VIEW MARKET.LISTINGS AS
WITH companies AS (
    SELECT
        market, ticker, name, active, type, primary_exchange, cik, composite_figi,
        IFF(market = 'otc', 'stocks', market) AS bars_market,
        -- Midnight of the day, in UTC or in New York: the date in UTC is the same.
        IFF(active, NULL, CONVERT_TIMEZONE('UTC', delisted_utc)::DATE) AS delisted_on
    FROM LANDING.TICKERS
),
followed AS (
    SELECT
        *,
        LAG(delisted_on) OVER (
            PARTITION BY bars_market, ticker ORDER BY delisted_on NULLS LAST
        ) AS symbol_since
    FROM companies
),
traded AS (
    SELECT f.bars_market, f.ticker, f.delisted_on, MIN(b.date) AS first_bar, MAX(b.date) AS last_bar
    FROM followed AS f
    JOIN LANDING.GROUPED_DAILY AS b
        ON b.market = f.bars_market
        AND b.ticker = f.ticker
        AND b.date >= COALESCE(f.symbol_since, '0001-01-01'::DATE)
        AND b.date < COALESCE(f.delisted_on, '9999-12-31'::DATE)
    GROUP BY f.bars_market, f.ticker, f.delisted_on
)
SELECT f.*, t.first_bar, t.last_bar
FROM followed AS f
LEFT JOIN traded AS t
    ON t.bars_market = f.bars_market
    AND t.ticker = f.ticker
    AND t.delisted_on IS NOT DISTINCT FROM f.delisted_on;

-- One row a session and a company listed on it, also if it did not trade that day:
--     SELECT ticker, name FROM MARKET.ACTIVE_UNIVERSE WHERE date = '2026-03-02'
-- The vendor's list does not say since when a company is listed; its first bar does. So the first
-- sessions of the table lack companies that did not trade until later.
CREATE OR REPLACE VIEW MARKET.ACTIVE_UNIVERSE AS
SELECT s.date, l.market, l.ticker, l.name, l.type, l.primary_exchange, l.cik, l.composite_figi
FROM (SELECT DISTINCT market, date FROM LANDING.GROUPED_DAILY) AS s
JOIN MARKET.LISTINGS AS l
    ON l.bars_market = s.market
    AND l.first_bar <= s.date
    AND (l.active OR l.delisted_on > s.date);

-- Bars as they were traded.
CREATE OR REPLACE VIEW MARKET.DAILY_BARS AS
SELECT
    market, date, ticker, open, high, low, close, volume, vwap, transactions, otc, last_updated_utc
FROM LANDING.GROUPED_DAILY
WHERE NOT adjusted;

-- What earlier prices are multiplied by, for splits and for dividends, as the vendor has it: the
-- factor of the first event after a day is the product over that event and all later ones.
--   event        'split' or 'dividend'
--   first_date   the first day that the factor is for: that of the event before, or that from which
--                the company has the symbol
--   event_date   the first day that it is not for any more: of execution, or ex dividend
--   factor       rounded by the vendor to six decimals: to 0.0000005 of the traded price; null
--                where the vendor left it out, or nothing is left of it
CREATE OR REPLACE VIEW MARKET.ADJUSTMENTS AS
WITH events AS (
    SELECT 'split' AS event, ticker, execution_date AS event_date, historical_adjustment_factor
    FROM LANDING.SPLITS
    UNION ALL
    SELECT 'dividend', ticker, ex_dividend_date, historical_adjustment_factor
    FROM LANDING.DIVIDENDS
),
dated AS (
    SELECT
        e.event, e.ticker, e.event_date,
        -- Bars from before that day are of another company that had the symbol.
        COALESCE(MAX(l.delisted_on), '0001-01-01'::DATE) AS symbol_since,
        -- Events of one day have one factor, which is over all of them.
        NULLIF(MIN(e.historical_adjustment_factor), 0)::DOUBLE AS factor
    FROM events AS e
    LEFT JOIN MARKET.LISTINGS AS l
        ON l.bars_market = 'stocks' AND l.ticker = e.ticker AND l.delisted_on <= e.event_date
    -- Announced events do not count before their day, which begins in New York.
    WHERE e.event_date <= CONVERT_TIMEZONE('America/New_York', CURRENT_TIMESTAMP())::DATE
    GROUP BY e.event, e.ticker, e.event_date
)
SELECT
    event, ticker,
    GREATEST(
        symbol_since,
        LAG(event_date, 1, symbol_since) OVER (PARTITION BY event, ticker ORDER BY event_date)
    ) AS first_date,
    event_date, factor
FROM dated;

-- The same bars in today's shares, as the API has them with adjusted=true.
--   split_factor  price = traded price * split_factor, volume = traded volume / split_factor;
--                 1 if there is none, null (as are prices and volume) if it is not known
CREATE OR REPLACE VIEW MARKET.DAILY_BARS_ADJUSTED AS
WITH adjusting AS (
    SELECT b.*, IFF(a.ticker IS NULL, 1, a.factor) AS split_factor
    FROM MARKET.DAILY_BARS AS b
    LEFT JOIN MARKET.ADJUSTMENTS AS a
        ON a.event = 'split'
        AND b.market = 'stocks'
        AND a.ticker = b.ticker
        AND b.date >= a.first_date
        AND b.date < a.event_date
)
SELECT
    market, date, ticker,
    open * split_factor AS open,
    high * split_factor AS high,
    low * split_factor AS low,
    close * split_factor AS close,
    volume / split_factor AS volume,
    vwap * split_factor AS vwap,
    transactions, otc, split_factor, last_updated_utc
FROM adjusting;

-- The same with dividends reinvested at the close before their ex-date: from one day to another the
-- prices change by what a holder made. Volumes are those in today's shares.
--   dividend_factor  price = traded price * split_factor * dividend_factor; null as above
CREATE OR REPLACE VIEW MARKET.DAILY_BARS_TOTAL_RETURN AS
WITH adjusting AS (
    SELECT b.*, IFF(a.ticker IS NULL, 1, a.factor) AS dividend_factor
    FROM MARKET.DAILY_BARS_ADJUSTED AS b
    LEFT JOIN MARKET.ADJUSTMENTS AS a
        ON a.event = 'dividend'
        AND b.market = 'stocks'
        AND a.ticker = b.ticker
        AND b.date >= a.first_date
        AND b.date < a.event_date
)
SELECT
    market, date, ticker,
    open * dividend_factor AS open,
    high * dividend_factor AS high,
    low * dividend_factor AS low,
    close * dividend_factor AS close,
    volume,
    vwap * dividend_factor AS vwap,
    transactions, otc, split_factor, dividend_factor, last_updated_utc
FROM adjusting;

GRANT SELECT ON ALL VIEWS IN SCHEMA MARKET TO ROLE POLYGON_READER;
