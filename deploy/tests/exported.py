"""The names of the series that a stage exports."""

from polygon_streaming import metrics

_ENDINGS = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}


def exported(stage: str) -> set[str]:
    """Return the names of a stage's series, those of its process among them."""
    families = metrics.exported(stage, lambda: True).collect()
    return {f.name + ending for f in families for ending in _ENDINGS.get(f.type, [""])}
