-- Which files are in the tables: one row for each file, the latest reading of it. Rows of a day are
-- in their table before the row here is.
CREATE TABLE IF NOT EXISTS flat_files (
    target LowCardinality(String),
    market LowCardinality(String),
    kind LowCardinality(String),
    day Date,
    etag String,
    bytes UInt64,
    rows UInt64,
    seconds Float64,
    loaded_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(loaded_at)
ORDER BY (target, market, kind, day);
