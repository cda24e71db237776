-- Symbols with more than one latest company.
SELECT market, ticker, COUNT(*) AS companies
FROM MARKET.LATEST_TICKERS
GROUP BY market, ticker
HAVING COUNT(*) > 1
