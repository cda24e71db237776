"""Backfill: the vendor's flat files into ClickHouse, and the stream held against them."""
