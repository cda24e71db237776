-- Factors of one symbol and event for one and the same day, or for no day at all.
WITH ordered AS (
    SELECT event, ticker, first_date, event_date, factor, LAG(event_date) OVER (
        PARTITION BY event, ticker ORDER BY event_date
    ) AS earlier
    FROM MARKET.ADJUSTMENTS
)
SELECT event, ticker, first_date, event_date, earlier, factor
FROM ordered
WHERE first_date > event_date OR first_date < earlier
