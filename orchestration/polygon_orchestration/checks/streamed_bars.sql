-- ClickHouse: what the stream's minutes of a day add up to. High and low are those of the session
-- itself; the volume is that of the whole day, as in the official bar (unverified on a live feed).
SELECT
    symbol AS ticker,
    maxIf(high, in_session) AS high,
    minIf(low, in_session) AS low,
    argMaxIf(close, window_start, in_session) AS close,
    sum(volume) AS volume,
    countIf(in_session) AS minutes
FROM (
    SELECT *, window_start >= {opens:DateTime('UTC')} AND window_start < {closes:DateTime('UTC')}
        AS in_session
    FROM {table:Identifier} FINAL
    WHERE event_type = 'AM' AND market = 'stocks'
        AND window_start >= {begins:DateTime('UTC')} AND window_start < {ends:DateTime('UTC')}
)
GROUP BY symbol
HAVING minutes > 0
