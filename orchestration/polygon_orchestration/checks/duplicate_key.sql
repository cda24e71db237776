-- Rows of one key: a warehouse that did not deduplicate, or a key that is none.
SELECT market, date, ticker, adjusted, COUNT(*) AS copies
FROM LANDING.GROUPED_DAILY
GROUP BY market, date, ticker, adjusted
HAVING COUNT(*) > 1
