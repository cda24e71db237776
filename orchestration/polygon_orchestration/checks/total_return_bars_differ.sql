-- Sessions with another number of total-return bars than of adjusted ones.
SELECT adjusted.date, adjusted.bars AS adjusted, returned.bars AS total_return
FROM (SELECT date, COUNT(*) AS bars FROM MARKET.DAILY_BARS_ADJUSTED GROUP BY date) AS adjusted
LEFT JOIN (
    SELECT date, COUNT(*) AS bars FROM MARKET.DAILY_BARS_TOTAL_RETURN GROUP BY date
) AS returned
    ON returned.date = adjusted.date
WHERE returned.bars IS DISTINCT FROM adjusted.bars
