"""What should be in the workspace, in the words of Airbyte's API."""

from collections.abc import Iterable, Mapping
from typing import Any

from airbyte_api import models
from airbyte_cdk.models import AirbyteStream, SyncMode

from deploy.airbyte_cloud.credentials import Credentials
from deploy.airbyte_cloud.errors import PublishError
from deploy.airbyte_cloud.settings import Connection, Destination

Json = dict[str, Any]


def snowflake(settings: Destination, credentials: Credentials) -> Json:
    """Return the configuration of the destination; secrets in it are SecretStr."""
    login: Json = {
        "auth_type": "Key Pair Authentication",
        "private_key": credentials.snowflake_private_key,
    }
    if credentials.snowflake_passphrase:
        login["private_key_password"] = credentials.snowflake_passphrase
    return {
        "host": settings.host,
        "role": settings.role,
        "warehouse": settings.warehouse,
        "database": settings.database,
        "schema": settings.schema_,
        "username": settings.username,
        "credentials": login,
    }


def connection(settings: Connection, streams: Mapping[str, AirbyteStream]) -> Json:
    """Return the connection, without its two ends; its streams are a mapping by name.

    Raises:
        PublishError: a stream of the settings is not in the manifest.
    """
    unknown = [name for name in settings.streams if name not in streams]
    if unknown:
        raise PublishError(
            f"connection.streams: there is no {', '.join(unknown)} in the manifest. "
            f"It has {', '.join(streams)}."
        )
    return {
        "schedule": {"scheduleType": "cron", "cronExpression": settings.cron},
        "namespaceDefinition": "destination",
        "prefix": settings.prefix,
        # The vendor adds fields now and then; they become columns.
        "nonBreakingSchemaUpdatesBehavior": "propagate_columns",
        "streams": {name: _stream(streams[name]) for name in settings.streams or streams},
    }


def _stream(stream: AirbyteStream) -> Json:
    if SyncMode.incremental not in stream.supported_sync_modes:
        return {"syncMode": models.ConnectionSyncModeEnum.FULL_REFRESH_OVERWRITE.value}
    return {
        "syncMode": models.ConnectionSyncModeEnum.INCREMENTAL_DEDUPED_HISTORY.value,
        "cursorField": stream.default_cursor_field,
        "primaryKey": stream.source_defined_primary_key,
    }


def stream_list(streams: Mapping[str, Json]) -> list[Json]:
    """Return the streams of a connection as the API wants them."""
    return [{"name": name, **settings} for name, settings in streams.items()]


def stream_mapping(streams: Iterable[Json]) -> dict[str, Json]:
    """Return the streams of the API's answer by name, with what this command decides about them."""
    keys = ("syncMode", "cursorField", "primaryKey")
    return {
        # Where the source defines cursor and key, the API may leave them out.
        stream["name"]: {key: stream[key] for key in keys if stream.get(key)}
        for stream in streams
    }
