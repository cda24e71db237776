"""Airbyte source for Polygon.io (Massive.com)."""

from source_polygon.source import SourcePolygon

__all__ = ["SourcePolygon"]
