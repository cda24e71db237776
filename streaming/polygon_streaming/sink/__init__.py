"""The sink: clean records into ClickHouse."""
