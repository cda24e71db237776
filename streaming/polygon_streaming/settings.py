"""Settings of each command: flags, then environment (`POLYGON_STREAM_*`), then a YAML file.

The file is named by POLYGON_STREAM_CONFIG and holds the same names as the flags, with underscores.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

import yaml
from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    CliApp,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    YamlConfigSettingsSource,
)

from polygon_streaming.channels import BRANDS, FEEDS
from polygon_streaming.errors import ConfigError

PREFIX: Final = "POLYGON_STREAM_"
CONFIG_VARIABLE: Final = "POLYGON_STREAM_CONFIG"

_TABLE: Final = r"^[A-Za-z_][A-Za-z0-9_]*$"

Seconds = Annotated[float, Field(gt=0)]
S = TypeVar("S", bound="Settings")


class Settings(BaseSettings):
    """What every command takes."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        extra="ignore",
        frozen=True,
        validate_by_name=True,
        validate_by_alias=True,
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_hide_none_type=True,
        cli_avoid_json=True,
        cli_exit_on_error=True,
    )

    bootstrap_servers: str = Field("localhost:9092", description="Kafka brokers, host:port,...")
    kafka: dict[str, str] = Field(
        default_factory=dict,
        description="Any librdkafka property, e.g. --kafka security.protocol=SASL_SSL; may be "
        "repeated. In the environment a JSON object",
    )
    raw_topic: str = Field("polygon_stream_aggregates", description="Events as received")
    filtered_topic: str = Field("custom_filtered_stock_data_topic", description="Clean records")
    dead_letter_topic: str = Field("polygon_stream_dead_letter", description="What is unreadable")
    gaps_topic: str = Field("polygon_stream_gaps", description="What is known to be missing")
    log_format: Literal["auto", "json", "text"] = Field(
        "auto", description="auto is text on a terminal, JSON elsewhere"
    )
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put the YAML file behind flags and environment."""
        path = os.environ.get(CONFIG_VARIABLE)
        if path is None:
            return init_settings, env_settings
        if not Path(path).is_file():
            raise ConfigError(
                f"{CONFIG_VARIABLE}: there is no file {path!r}. Name one or unset it."
            )
        try:
            file = YamlConfigSettingsSource(settings_cls, Path(path))
        except (OSError, ValueError, TypeError, yaml.YAMLError) as error:
            reason = " ".join(str(error).split())
            raise ConfigError(
                f"{CONFIG_VARIABLE}: {path} is no YAML of settings: {reason}."
            ) from None
        return init_settings, env_settings, file


class Served(Settings):
    """What every long-running command takes besides."""

    http_host: str = Field("127.0.0.1", description="Where /metrics, /healthz, /readyz listen")
    http_port: int = Field(0, ge=0, le=65535, description="Their port; 0 switches them off")


class Keyed(Settings):
    """What the commands that ask the vendor take besides."""

    api_key: SecretStr = Field(
        description="The vendor's key; better in POLYGON_API_KEY than on the command line",
        validation_alias=AliasChoices("api_key", "POLYGON_STREAM_API_KEY", "POLYGON_API_KEY"),
    )

    @field_validator("api_key")
    @classmethod
    def _not_empty(cls, key: SecretStr) -> SecretStr:
        if not key.get_secret_value().strip():
            raise ValueError("is empty")
        return key


class FeedSettings(Served, Keyed):
    """Read the WebSocket and produce each event to Kafka, until SIGTERM or Ctrl-C."""

    model_config = SettingsConfigDict(cli_prog_name="polygon-stream feed")

    subscriptions: str = Field(
        "subscriptions.csv", description="CSV of market,channel,symbol: a path or s3://bucket/key"
    )
    s3_endpoint_url: str | None = Field(None, description="Another S3 than Amazon's")
    reload_seconds: Seconds = Field(30, description="How often the list is looked at")
    feed: str = Field("socket", description=f"One of {', '.join(FEEDS)}; or a host[:port]")
    brand: Literal["massive.com", "polygon.io"] = Field(
        BRANDS[0], description="The vendor's domain"
    )
    tls: bool = Field(True, description="wss://; switch off only for a local look-alike")
    shard: str = Field("1/1", pattern=r"^[1-9]\d*/[1-9]\d*$", description="Read part i of n: 2/3")
    silence_seconds: float = Field(
        120, ge=0, description="Reconnect after so long without an event in trading hours; 0 never"
    )
    ack_seconds: Seconds = Field(10, description="Report subscriptions unconfirmed after so long")
    retry_seconds: Seconds = Field(1, description="First wait after a lost connection; doubles")
    retry_max_seconds: Seconds = Field(60, description="Longest wait after a lost connection")
    cool_down_seconds: Seconds = Field(
        120, description="First wait after max_connections; doubles up to 15 times"
    )
    buffer_records: int = Field(
        1_000_000, ge=1, le=10_000_000, description="Events that may wait for the broker"
    )
    buffer_megabytes: int = Field(512, ge=1, le=2_000, description="Memory they may take")

    @field_validator("shard")
    @classmethod
    def _within(cls, shard: str) -> str:
        index, count = (int(part) for part in shard.split("/"))
        if index > count:
            raise ValueError("names a part beyond the last; give 1/n to n/n")
        return shard

    @property
    def shard_of(self) -> tuple[int, int]:
        """The shard's index, from 0, and the number of shards."""
        index, count = self.shard.split("/")
        return int(index) - 1, int(count)


class FilterSettings(Served):
    """Turn raw events into clean records that pass the rules, exactly once, until SIGTERM."""

    model_config = SettingsConfigDict(cli_prog_name="polygon-stream filter")

    rules: Path | None = Field(None, description="YAML file of rules; without it all bars pass")
    reload_seconds: Seconds = Field(5, description="How often the rules file is looked at")
    group: str = Field("polygon-stream-filter", description="Consumer group")
    transactional_id: str = Field(
        "polygon-stream-filter-1",
        description="Unique among running filters, the same after a restart",
    )
    batch_records: int = Field(10_000, ge=1, description="Most records of one transaction")
    linger_ms: int = Field(
        20, ge=0, description="How long a transaction waits for more; part of the latency"
    )
    dead_letter_limit: int = Field(
        1_000, ge=0, description="Stop after so many unreadable records in a row; 0 never"
    )


class SinkSettings(Served):
    """Insert the filtered topic into ClickHouse in batches, at least once, until SIGTERM."""

    model_config = SettingsConfigDict(cli_prog_name="polygon-stream sink")

    clickhouse: str = Field(
        "http://localhost:8123/default",
        description="http(s)://user@host:port/database, or chdb:DIRECTORY for the embedded one",
    )
    clickhouse_password: SecretStr = SecretStr("")
    table: str = Field("stock_aggregates", pattern=_TABLE, description="Name of the table")
    create_table: bool = Field(True, description="Create the table if it is missing")
    group: str = Field("polygon-stream-sink", description="Consumer group")
    batch_records: int = Field(50_000, ge=1, description="Most rows of one insert")
    batch_seconds: Seconds = Field(1, description="Longest wait for a batch to fill")


class HealSettings(Keyed):
    """Fill recorded gaps from the REST aggregates into the raw topic, then exit."""

    model_config = SettingsConfigDict(cli_prog_name="polygon-stream heal")

    rest_url: str = Field("https://api.massive.com", description="Address of the REST API")
    subscriptions: str = Field(
        "subscriptions.csv",
        description="The feed's list, for gaps that name nothing",
    )
    s3_endpoint_url: str | None = Field(None, description="Another S3 than Amazon's")
    group: str = Field("polygon-stream-heal", description="Remembers which gaps are healed")
    requests_per_minute: float = Field(300, gt=0, description="Pace; the free plan allows 5")
    max_symbols: int = Field(
        1_000, ge=1, description="Most symbols of a wildcard that are healed for one gap"
    )


class DoctorSettings(Settings):
    """Check key, subscriptions, Kafka and ClickHouse; say what is wrong. Exit 1 if anything is."""

    model_config = SettingsConfigDict(cli_prog_name="polygon-stream doctor")

    api_key: SecretStr = Field(
        SecretStr(""),
        description="The vendor's key; better in POLYGON_API_KEY than on the command line",
        validation_alias=AliasChoices("api_key", "POLYGON_STREAM_API_KEY", "POLYGON_API_KEY"),
    )
    rest_url: str = Field("https://api.massive.com", description="Address of the REST API")
    subscriptions: str = Field("subscriptions.csv", description="A path or s3://bucket/key")
    s3_endpoint_url: str | None = Field(None, description="Another S3 than Amazon's")
    rules: Path | None = Field(None, description="YAML file of rules")
    clickhouse: str = Field("", description="As for the sink; empty leaves it out")
    clickhouse_password: SecretStr = SecretStr("")
    table: str = Field("stock_aggregates", pattern=_TABLE)


def load(kind: type[S], arguments: Sequence[str]) -> S:
    """Return the settings of a command.

    Raises:
        ConfigError: any of them is missing or wrong; the text names each with its fix.
        SystemExit: after `--help`, or for an unknown flag.
    """
    try:
        return CliApp.run(kind, cli_args=list(arguments), cli_cmd_method_name="none")
    except SettingsError as error:
        raise ConfigError(f"{error}. A value with a comma goes into the environment.") from None
    except ValidationError as error:
        raise ConfigError(" ".join(_sentence(problem) for problem in error.errors())) from None


def _sentence(problem: Any) -> str:
    name = str(problem["loc"][0]) if problem["loc"] else "settings"
    if problem["type"] == "missing":
        name = "api_key" if name.endswith("API_KEY") else name
    variable = "POLYGON_API_KEY" if name == "api_key" else f"{PREFIX}{name.upper()}"
    fault = "is missing" if problem["type"] == "missing" else problem["msg"]
    fault = fault.removeprefix("Value error, ")
    return f"{name}: {fault}. Give --{name.replace('_', '-')} or {variable}."
