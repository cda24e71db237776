"""What the environment decides; docs/orchestration.md lists every variable."""

from datetime import date
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from typing_extensions import Self


class SettingsError(Exception):
    """The environment is incomplete or wrong; the message names each variable."""


class Settings(BaseSettings):
    """One deployment of the code location.

    Attributes:
        backend: who runs the connector: this process (`local`), or Airbyte Cloud or Self-Managed.
        warehouse: where the tables are.
        plan_delay_minutes: from the close of a session until the plan serves it; None: until the
            day is over in New York, as on the free plan.
        lookback_sessions: finished sessions that the schedule reads again, since bars are
            corrected for days.
        clickhouse: table of the streaming side to reconcile with, as an address; None: no such
            check.
        flat_files_access_key_id: of the key pair that reads the vendor's files; with it and
            ClickHouse, each session's file is loaded, and what was streamed held against it.
        flat_files_data: bars (of minutes), trades, quotes, separated by commas.
        owner: whom Dagster names as the owner of the assets: an e-mail address, or `team:NAME`.
        alert_webhook: where failures are sent as JSON, besides Dagster's log.
    """

    model_config = SettingsConfigDict(env_prefix="POLYGON_")

    backend: Literal["local", "airbyte"] = "local"
    warehouse: Literal["duckdb", "snowflake"] = "duckdb"
    start_date: date = date(2026, 1, 2)
    plan_delay_minutes: int | None = Field(default=None, ge=15, le=24 * 60)
    lookback_sessions: int = Field(default=5, ge=0)
    retries: int = Field(default=3, ge=0)
    retry_seconds: float = Field(default=60, ge=0)

    api_key: SecretStr = SecretStr("")
    base_url: str = "https://api.massive.com"
    requests_per_minute: int = Field(default=5, ge=1)

    airbyte_connection_id: str = ""
    airbyte_workspace_id: str = ""
    airbyte_client_id: str = ""
    airbyte_client_secret: SecretStr = SecretStr("")
    airbyte_api_url: str = "https://api.airbyte.com/v1"
    airbyte_configuration_api_url: str = "https://cloud.airbyte.com/api/v1"
    airbyte_poll_seconds: float = Field(default=10, gt=0)

    duckdb_path: Path = Path(".orchestration/polygon.duckdb")
    snowflake_account: str = ""
    snowflake_username: str = ""
    snowflake_private_key_file: Path | None = None
    snowflake_role: str = "POLYGON_LOADER"
    snowflake_warehouse: str = "POLYGON_LOADING"
    snowflake_database: str = "POLYGON"

    clickhouse: str | None = None
    clickhouse_password: SecretStr = SecretStr("")
    clickhouse_table: str = Field(default="stock_aggregates", pattern=r"^\w+(\.\w+)?$")
    flat_files_endpoint: str = "https://files.massive.com"
    flat_files_bucket: str = "flatfiles"
    flat_files_access_key_id: SecretStr = SecretStr("")
    flat_files_secret_access_key: SecretStr = SecretStr("")
    flat_files_data: str = "bars"
    owner: str = Field(default="team:market-data", pattern=r"^(team:[\w-]+|[^@\s]+@[^@\s]+\.\w+)$")
    alert_webhook: SecretStr | None = None

    @property
    def reads_flat_files(self) -> bool:
        """Whether there is a key for flat files, and a ClickHouse for their rows."""
        return bool(self.clickhouse and _text(self.flat_files_access_key_id))

    @model_validator(mode="after")
    def _complete(self) -> Self:
        needed = {
            "local": ["api_key"],
            "airbyte": [f"airbyte_{name}" for name in _AIRBYTE],
            "snowflake": [f"snowflake_{name}" for name in ("account", "username")],
            "duckdb": [],
        }
        wanted = [*needed[self.backend], *needed[self.warehouse]]
        pair = ["flat_files_access_key_id", "flat_files_secret_access_key"]
        if any(_text(getattr(self, name)) for name in pair):
            wanted += pair
        missing = [name for name in wanted if not _text(getattr(self, name))]
        if self.warehouse == "snowflake" and self.snowflake_private_key_file is None:
            missing.append("snowflake_private_key_file")
        if missing:
            raise ValueError("set " + ", ".join(f"POLYGON_{name.upper()}" for name in missing))
        if self.backend == "airbyte" and self.warehouse == "duckdb":
            raise ValueError(
                "POLYGON_WAREHOUSE: Airbyte's platform does not write to a DuckDB file here. "
                "Set it to snowflake"
            )
        if self.reads_flat_files and "." in self.clickhouse_table:
            raise ValueError(
                "POLYGON_CLICKHOUSE_TABLE: with flat files it has no database before it. "
                "Name the database at the end of POLYGON_CLICKHOUSE"
            )
        return self


_AIRBYTE = ("connection_id", "workspace_id", "client_id", "client_secret")


def _text(value: str | SecretStr) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def load() -> Settings:
    """Return the settings.

    Raises:
        SettingsError: with a sentence for each variable that is missing or wrong, without values.
    """
    try:
        return Settings()
    except ValidationError as error:
        sentences = [
            f"{'_'.join(['POLYGON', *map(str, e['loc'])]).upper()}: {e['msg']}"
            if e["loc"]
            else e["msg"].removeprefix("Value error, ")
            for e in error.errors()
        ]
        raise SettingsError("\n".join(["The environment is incomplete:", *sentences])) from None
