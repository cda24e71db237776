-- The official bars of the latest session, to compare with those of the stream.
SELECT date, ticker, high, low, close, volume
FROM LANDING.GROUPED_DAILY
WHERE market = 'stocks' AND NOT adjusted
    AND date = (SELECT MAX(date) FROM LANDING.GROUPED_DAILY WHERE market = 'stocks')
