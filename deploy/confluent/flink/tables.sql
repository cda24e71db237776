-- The filter in Confluent Cloud for Apache Flink, for teams that want no Python tasks. Run these four
-- statements once, then bars.sql, trades.sql and quotes.sql, or those of them that you want: each is
-- one statement that runs on its own, and does what `polygon-stream filter` does with the rules that
-- stand at its top.
--
-- What they do not do:
-- - Dead letters: what cannot be read is dropped.
-- - The types of JSON: a number in quotes is taken for a number, a number for a symbol, null for a
--   symbol that is missing, and an optional field that holds an object or an array becomes null, where
--   the Python filter refuses the event. So it does if something follows the event's last brace, which
--   is not looked at here.
-- - Rules that change without a new statement.
-- - Exactly-once is Flink's, by checkpoints: readers see records when a checkpoint is complete,
--   later than from the Python filter, and each statement has its own.

-- The topics (topics.csv) hold bytes without a schema, so Flink knows them as tables of `key` and
-- `val`. They need the Kafka headers and the time of the receipt as well.
ALTER TABLE polygon_stream_aggregates ADD (
    `headers` MAP<STRING, STRING> METADATA VIRTUAL,
    received TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL
);

ALTER TABLE custom_filtered_stock_data_topic ADD (
    received TIMESTAMP_LTZ(3) METADATA FROM 'timestamp'
);

ALTER TABLE custom_filtered_trades_topic ADD (
    received TIMESTAMP_LTZ(3) METADATA FROM 'timestamp'
);

ALTER TABLE custom_filtered_quotes_topic ADD (
    received TIMESTAMP_LTZ(3) METADATA FROM 'timestamp'
);
