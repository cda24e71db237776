-- Sessions with another number of adjusted bars than of traded ones.
SELECT traded.date, traded.bars AS traded, adjusted.bars AS adjusted
FROM (SELECT date, COUNT(*) AS bars FROM MARKET.DAILY_BARS GROUP BY date) AS traded
LEFT JOIN (
    SELECT date, COUNT(*) AS bars FROM MARKET.DAILY_BARS_ADJUSTED GROUP BY date
) AS adjusted
    ON adjusted.date = traded.date
WHERE adjusted.bars IS DISTINCT FROM traded.bars
