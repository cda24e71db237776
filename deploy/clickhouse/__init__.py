"""ClickHouse: migrations, what applies them, and their form for a cluster."""
