-- Dividends that say nothing: no ex-dividend day, or not an amount of zero or more.
SELECT id, ticker, ex_dividend_date, cash_amount
FROM LANDING.DIVIDENDS
WHERE NOT COALESCE(cash_amount >= 0 AND ex_dividend_date IS NOT NULL, FALSE)
