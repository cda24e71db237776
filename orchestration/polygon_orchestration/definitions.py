"""The code location that Dagster loads."""

from datetime import datetime
from typing import Any

import dagster as dg
from airbyte.caches import CacheBase, DuckDBCache, SnowflakeCache
from dagster_airbyte import AirbyteWorkspace

from polygon_orchestration import assets
from polygon_orchestration.alerts import sensors
from polygon_orchestration.brought import Brought
from polygon_orchestration.checks import Check, checks
from polygon_orchestration.ingestion import Ingestion, Local, Platform
from polygon_orchestration.reconciliation import reconciliation
from polygon_orchestration.schedules import schedules
from polygon_orchestration.sessions import NEW_YORK, partitions
from polygon_orchestration.settings import Settings, SettingsError, load
from polygon_orchestration.views import views
from polygon_orchestration.warehouse import DuckDB, QueryError, Snowflake, Warehouse


@dg.definitions
def defs() -> dg.Definitions:
    """Return the definitions for the environment of this process."""
    return definitions(load())


def definitions(settings: Settings) -> dg.Definitions:
    """Return assets, checks, schedules and sensors for a deployment."""
    today = datetime.now(NEW_YORK).date()
    trading = partitions(settings.start_date, today, settings.plan_delay_minutes)
    warehouse = _warehouse(settings)
    retry = dg.RetryPolicy(
        max_retries=settings.retries,
        delay=settings.retry_seconds,
        backoff=dg.Backoff.EXPONENTIAL,
    )
    brought = Brought(warehouse, settings.plan_delay_minutes)
    house = assets.House(settings.owner, settings.warehouse)
    raw = assets.raw(house, _ingestion(settings), brought, trading, retry)
    modelled = [assets.modelled(house, view, warehouse) for view in views()]
    streamed = [assets.streamed(settings.owner, settings.clickhouse_table)]
    verified, arrivals = _flat_files(settings, retry)
    with assets.beta():
        referenced = dg.with_source_code_references([raw, *modelled])
    return dg.Definitions(
        assets=[*referenced, *(streamed if settings.clickhouse else []), *verified],
        asset_checks=[check.definition() for check in _checks(settings, warehouse)],
        schedules=schedules(
            settings.plan_delay_minutes, settings.lookback_sessions, settings.start_date
        ),
        sensors=[*sensors(_webhook(settings)), *arrivals],
        # A DuckDB file has one writing process.
        executor=dg.in_process_executor,
    )


def _checks(settings: Settings, warehouse: Warehouse) -> list[Check]:
    always = checks(warehouse, settings.plan_delay_minutes)
    if settings.clickhouse is None:
        return always
    return [
        *always,
        reconciliation(warehouse, lambda: _clickhouse(settings), settings.clickhouse_table),
    ]


def _flat_files(
    settings: Settings, retry: dg.RetryPolicy
) -> tuple[list[dg.AssetsDefinition], list[dg.SensorDefinition]]:
    if not settings.reads_flat_files:
        return [], []
    try:
        from polygon_orchestration.arrivals import arrivals
        from polygon_orchestration.flat_files import FlatFiles
        from polygon_orchestration.verified import KEY, verified
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"Flat files need this package's extra [streaming]: {error.name} is not installed."
        ) from None
    files = FlatFiles(settings)
    today = datetime.now(NEW_YORK).date()
    # The files come on the day after, so from its beginning on a session can be asked for.
    trading = partitions(settings.start_date, today, None)
    asset = verified(settings.owner, files, settings.clickhouse_table, trading, retry)
    return [asset], [arrivals(files, KEY, settings.start_date)]


def _clickhouse(settings: Settings) -> Any:
    try:
        from polygon_streaming import StreamError, clickhouse
    except ImportError:
        raise QueryError("POLYGON_CLICKHOUSE needs this package's extra [streaming].") from None
    password = settings.clickhouse_password.get_secret_value()
    try:
        return clickhouse.connect(settings.clickhouse or "", password)
    except StreamError as error:
        raise QueryError(str(error)) from None


def _webhook(settings: Settings) -> str | None:
    return settings.alert_webhook.get_secret_value() if settings.alert_webhook else None


def _ingestion(settings: Settings) -> Ingestion:
    if settings.backend == "local":
        config = {
            "api_key": settings.api_key.get_secret_value(),
            "start_date": settings.start_date.isoformat(),
            "base_url": settings.base_url,
            "requests_per_minute": settings.requests_per_minute,
        }
        return Local(config, lambda: _cache(settings))
    workspace = AirbyteWorkspace(
        rest_api_base_url=settings.airbyte_api_url,
        configuration_api_base_url=settings.airbyte_configuration_api_url,
        workspace_id=settings.airbyte_workspace_id,
        client_id=settings.airbyte_client_id,
        client_secret=settings.airbyte_client_secret.get_secret_value(),
        poll_interval=settings.airbyte_poll_seconds,
        poll_previous_running_sync=True,
    )
    return Platform(workspace, settings.airbyte_connection_id)


def _warehouse(settings: Settings) -> Warehouse:
    if settings.warehouse == "duckdb":
        return DuckDB(settings.duckdb_path)
    return Snowflake(
        user=settings.snowflake_username,
        private_key_file=str(settings.snowflake_private_key_file),
        **_snowflake(settings),
    )


def _cache(settings: Settings) -> CacheBase:
    if settings.warehouse == "duckdb":
        return DuckDBCache(
            db_path=settings.duckdb_path,
            schema_name="landing",
            cache_dir=settings.duckdb_path.parent / "cache",
        )
    return SnowflakeCache(
        username=settings.snowflake_username,
        private_key_path=str(settings.snowflake_private_key_file),
        schema_name="LANDING",
        **_snowflake(settings),
    )


def _snowflake(settings: Settings) -> dict[str, Any]:
    names = ("account", "role", "warehouse", "database")
    return {name: getattr(settings, f"snowflake_{name}") for name in names}
