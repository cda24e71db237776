"""Polygon.io (Massive.com) WebSocket to Kafka, an exactly-once filter, and ClickHouse."""
