-- A bar whose high is below its low, or whose close lies outside of both.
select * from {{ ref('stg_daily_bars') }}
where high < low or close < low or close > high
