-- Bars as they were traded, one a market, day and ticker.
select
    market, date, ticker, open, high, low, close, volume, vwap, transactions, last_updated_utc
from {{ source('landing', 'grouped_daily') }}
where not adjusted
