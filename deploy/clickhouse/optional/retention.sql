-- How long rows stay. Not a migration: run what you want, and again with other figures to change it.
-- Whole months are dropped at once, so this costs next to nothing.
ALTER TABLE stock_aggregates MODIFY SETTING ttl_only_drop_parts = 1;
ALTER TABLE stock_aggregates MODIFY TTL toDateTime(window_start) + INTERVAL 13 MONTH;
ALTER TABLE minute_bars MODIFY TTL start + INTERVAL 5 YEAR;
ALTER TABLE trades MODIFY SETTING ttl_only_drop_parts = 1;
ALTER TABLE trades MODIFY TTL toDateTime(timestamp) + INTERVAL 13 MONTH;
ALTER TABLE quotes MODIFY SETTING ttl_only_drop_parts = 1;
ALTER TABLE quotes MODIFY TTL toDateTime(timestamp) + INTERVAL 3 MONTH;
