"""Writes cloud.yaml: source-polygon.yaml with cloud-overlay.yaml laid over it.

    python manifests/build.py

An overlay replaces what it names and takes away what it names as null, as a JSON merge patch does
(RFC 7386); streams are matched by name. A test fails when cloud.yaml is not up to date.
"""

from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
CLOUD = HERE / "cloud.yaml"

_HEAD = """\
# The connector, Airbyte Cloud edition: pure YAML, for the Connector Builder.
# Written by `make manifests` from source-polygon.yaml and cloud-overlay.yaml. Change those.
"""


def cloud() -> str:
    """Return the text of cloud.yaml."""
    base = yaml.safe_load((HERE / "source-polygon.yaml").read_text())
    overlay = yaml.safe_load((HERE / "cloud-overlay.yaml").read_text())
    streams = overlay.pop("streams")
    manifest = _merged(base, overlay)
    manifest["streams"] = [_merged(stream, streams[stream["name"]]) for stream in base["streams"]]
    return _HEAD + yaml.dump(manifest, Dumper=_Plain, sort_keys=False, width=110)


def _merged(base: Any, overlay: Any) -> Any:
    if not isinstance(overlay, dict):
        return overlay
    kept = dict(base) if isinstance(base, dict) else {}
    for key, value in overlay.items():
        if value is None:
            kept.pop(key, None)
        else:
            kept[key] = _merged(kept.get(key), value)
    return kept


class _Plain(yaml.SafeDumper):
    """Writes a thing that occurs twice out twice: anchors would depend on chance."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


if __name__ == "__main__":
    CLOUD.write_text(cloud())
