-- Symbols that have traded and are in no list: a ticker list that was not read to its end, or is
-- older than the bars. OTC symbols are among the bars of stocks.
SELECT b.ticker, MIN(b.date) AS first_bar, MAX(b.date) AS last_bar
FROM LANDING.GROUPED_DAILY AS b
LEFT JOIN LANDING.TICKERS AS t
    ON t.ticker = b.ticker AND IFF(t.market = 'otc', 'stocks', t.market) = b.market
WHERE t.ticker IS NULL
GROUP BY b.ticker
