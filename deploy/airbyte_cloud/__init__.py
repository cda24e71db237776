"""Publish the connector to Airbyte Cloud: `python -m deploy.airbyte_cloud --help`.

settings    ─┐
credentials ─┼─> wanted ──> publish ──> workspace (the API of Airbyte)
manifest    ─┘
"""
