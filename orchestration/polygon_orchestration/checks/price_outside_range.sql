-- Bars that cannot have been traded: open or close outside [low, high], or a price missing.
SELECT market, date, ticker, open, high, low, close
FROM LANDING.GROUPED_DAILY
WHERE NOT COALESCE(
    low > 0 AND open BETWEEN low AND high AND close BETWEEN low AND high, FALSE
)
