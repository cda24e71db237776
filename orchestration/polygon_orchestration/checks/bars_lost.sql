-- Sessions with another number of bars than were landed.
SELECT landed.date, landed.bars AS landed, modelled.bars AS modelled
FROM (
    SELECT date, COUNT(*) AS bars FROM LANDING.GROUPED_DAILY WHERE NOT adjusted GROUP BY date
) AS landed
LEFT JOIN (SELECT date, COUNT(*) AS bars FROM MARKET.DAILY_BARS GROUP BY date) AS modelled
    ON modelled.date = landed.date
WHERE modelled.bars IS DISTINCT FROM landed.bars
