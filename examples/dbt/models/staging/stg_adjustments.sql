-- What earlier prices are multiplied by, from first_date to before event_date. The vendor's factor of
-- an event holds all later ones; events that are only announced do not count yet.
with events as (
    select 'split' as event, ticker, execution_date as event_date, historical_adjustment_factor
    from {{ source('landing', 'splits') }}
    union all
    select 'dividend' as event, ticker, ex_dividend_date as event_date, historical_adjustment_factor
    from {{ source('landing', 'dividends') }}
),
happened as (
    select
        e.event, e.ticker, e.event_date,
        -- Events of one day have one factor, which is over all of them.
        nullif(min(e.historical_adjustment_factor), 0) as factor,
        -- Bars from before that day are of another company that had the symbol.
        coalesce(max(l.delisted_on), cast('0001-01-01' as date)) as symbol_since
    from events as e
    left join {{ ref('stg_listings') }} as l
        on l.bars_market = 'stocks' and l.ticker = e.ticker and l.delisted_on <= e.event_date
    where e.event_date <= {{ var('as_of') }}
    group by e.event, e.ticker, e.event_date
),
followed as (
    select
        *,
        lag(event_date) over (partition by event, ticker order by event_date) as event_before
    from happened
)
select
    event, ticker, event_date, factor,
    greatest(symbol_since, coalesce(event_before, symbol_since)) as first_date
from followed
