-- Listings with the day from which the symbol was not an earlier company's.
with companies as (
    select
        market, ticker, name, type, active, cik, composite_figi,
        case when market = 'otc' then 'stocks' else market end as bars_market,
        case when not active then cast(delisted_utc as date) end as delisted_on
    from {{ source('landing', 'tickers') }}
)
select
    *,
    lag(delisted_on) over (
        partition by bars_market, ticker order by delisted_on nulls last
    ) as symbol_since
from companies
