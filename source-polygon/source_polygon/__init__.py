"""Airbyte source for Polygon.io (Massive.com)."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from source_polygon.source import SourcePolygon

__all__ = ["SourcePolygon"]


def __getattr__(name: str) -> Any:
    """Import the source, and with it the CDK, when it is asked for: the command does so its way."""
    if name == "SourcePolygon":
        from source_polygon.source import SourcePolygon

        return SourcePolygon
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
