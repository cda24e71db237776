-- Bars in today's shares, as the API has them with adjusted=true, and the close with dividends
-- reinvested. A factor that is not known makes what hangs on it null.
with factored as (
    select
        b.*,
        case when s.ticker is null then 1 else s.factor end as split_factor,
        case when d.ticker is null then 1 else d.factor end as dividend_factor
    from {{ ref('stg_daily_bars') }} as b
    left join {{ ref('stg_adjustments') }} as s
        on s.event = 'split' and b.market = 'stocks' and s.ticker = b.ticker
        and b.date >= s.first_date and b.date < s.event_date
    left join {{ ref('stg_adjustments') }} as d
        on d.event = 'dividend' and b.market = 'stocks' and d.ticker = b.ticker
        and b.date >= d.first_date and b.date < d.event_date
)
select
    market, date, ticker,
    open * split_factor as open,
    high * split_factor as high,
    low * split_factor as low,
    close * split_factor as close,
    volume / split_factor as volume,
    vwap * split_factor as vwap,
    close * split_factor * dividend_factor as total_return_close,
    split_factor, dividend_factor
from factored
