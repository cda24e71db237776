-- Sessions with a tenth more or fewer symbols than the median of the 20 before: a response cut short,
-- or another kind of bars among them.
WITH counted AS (
    SELECT date, COUNT(*) AS symbols, ROW_NUMBER() OVER (ORDER BY date) AS n
    FROM LANDING.GROUPED_DAILY
    WHERE market = 'stocks' AND NOT adjusted
    GROUP BY date
),
compared AS (
    SELECT c.date, c.symbols, MEDIAN(b.symbols) AS usual
    FROM counted AS c
    JOIN counted AS b ON b.n BETWEEN c.n - 20 AND c.n - 1
    GROUP BY c.date, c.symbols
)
SELECT date, symbols, usual
FROM compared
WHERE ABS(symbols - usual) > 0.1 * usual
