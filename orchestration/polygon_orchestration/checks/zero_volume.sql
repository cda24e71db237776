-- Sessions in which more than one bar in a hundred has no volume. A bar is made of trades.
SELECT date, COUNT(*) AS bars, SUM(IFF(COALESCE(volume, 0) <= 0, 1, 0)) AS without_volume
FROM LANDING.GROUPED_DAILY
WHERE market = 'stocks'
GROUP BY date
HAVING SUM(IFF(COALESCE(volume, 0) <= 0, 1, 0)) > 0.01 * COUNT(*)
