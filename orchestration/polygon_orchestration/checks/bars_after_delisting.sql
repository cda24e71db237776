-- Companies with bars from the day of their delisting on, or with a last bar before the first.
SELECT ticker, delisted_on, first_bar, last_bar
FROM MARKET.LISTINGS
WHERE last_bar >= delisted_on OR last_bar < first_bar
