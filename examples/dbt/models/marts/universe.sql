-- Who was listed on each session, those that have gone since among them.
with traded as (
    select l.market, l.ticker, l.delisted_on, min(b.date) as first_bar
    from {{ ref('stg_listings') }} as l
    join {{ ref('stg_daily_bars') }} as b
        on b.market = l.bars_market and b.ticker = l.ticker
        and b.date >= coalesce(l.symbol_since, cast('0001-01-01' as date))
        and b.date < coalesce(l.delisted_on, cast('9999-12-31' as date))
    group by l.market, l.ticker, l.delisted_on
),
sessions as (
    select distinct market, date from {{ ref('stg_daily_bars') }}
)
select s.date, l.market, l.ticker, l.name, l.type, l.cik
from sessions as s
join {{ ref('stg_listings') }} as l on l.bars_market = s.market
join traded as t
    on t.market = l.market and t.ticker = l.ticker
    and coalesce(t.delisted_on, cast('9999-12-31' as date))
        = coalesce(l.delisted_on, cast('9999-12-31' as date))
where t.first_bar <= s.date and s.date < coalesce(l.delisted_on, cast('9999-12-31' as date))
