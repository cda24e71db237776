-- Companies that are listed twice: one market, symbol and end of the listing.
SELECT market, ticker, delisted_utc, COUNT(*) AS copies
FROM LANDING.TICKERS
GROUP BY market, ticker, delisted_utc
HAVING COUNT(*) > 1
