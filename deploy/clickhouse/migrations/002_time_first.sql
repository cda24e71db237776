-- All symbols in a short time. The table is sorted by symbol first, so that such a query would read
-- a granule of nearly every symbol; this projection keeps the rows a second time, by time. It costs
-- the table's size again. Without it: one minute of 100 symbols reads the whole day.
-- A merge that replaces bars rebuilds the projection, which is why the mode is set.
ALTER TABLE stock_aggregates MODIFY SETTING deduplicate_merge_projection_mode = 'rebuild';

ALTER TABLE stock_aggregates
    ADD PROJECTION IF NOT EXISTS by_time (SELECT * ORDER BY window_start, symbol);

-- For a table that has rows already.
ALTER TABLE stock_aggregates MATERIALIZE PROJECTION by_time;

-- The bars of all symbols that start in [since, until), each in its latest version.
-- `FINAL` reads no projection; choosing the version here does, and gives the same rows.
CREATE VIEW IF NOT EXISTS bars_between AS
SELECT *
FROM stock_aggregates
WHERE window_start >= {since:DateTime64(3, 'UTC')} AND window_start < {until:DateTime64(3, 'UTC')}
ORDER BY ingested_at DESC
LIMIT 1 BY symbol, window_start, event_type, market;
