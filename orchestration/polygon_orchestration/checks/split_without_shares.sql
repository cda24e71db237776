-- Splits that say nothing: no day, or not from and to a number of shares above zero.
SELECT id, ticker, execution_date, split_from, split_to
FROM LANDING.SPLITS
WHERE NOT COALESCE(split_from > 0 AND split_to > 0 AND execution_date IS NOT NULL, FALSE)
