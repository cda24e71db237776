-- Companies that are in the universe of one session twice.
SELECT date, market, ticker, composite_figi, COUNT(*) AS copies
FROM MARKET.ACTIVE_UNIVERSE
GROUP BY date, market, ticker, composite_figi
HAVING COUNT(*) > 1
