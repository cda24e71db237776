"""Settings of each command: flags, then environment (`POLYGON_STREAM_*`), then a YAML file.

The file is named by POLYGON_STREAM_CONFIG and serves all commands; `configuration` reads it
and the environment, `flags` the command line.
"""

from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field, SecretStr, field_validator

from polygon_streaming.channels import BRANDS, FEEDS
from polygon_streaming.settings.files import BackfillSettings, VerifySettings
from polygon_streaming.settings.parts import (
    FlatFiles,
    KafkaSettings,
    Keyed,
    Served,
    Tables,
)

ClientName = Literal["polygon-api-client", "massive"]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class FeedSettings(Served, Keyed):
    """Read the WebSocket and produce each event to Kafka, until SIGTERM or Ctrl-C."""

    command: ClassVar[str] = "feed"
    examples: ClassVar[str] = """\
  POLYGON_API_KEY=... polygon-stream feed --subscriptions s3://my-bucket/subscriptions.csv
  POLYGON_API_KEY=... polygon-stream feed --feed delayed --http-port 9101
"""

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
    websocket_client: ClientName = Field(
        "polygon-api-client",
        description="The vendor's client that reads the socket, under its old name or its new one "
        "(pip install massive)",
    )
    shard: str = Field("1/1", pattern=r"^[1-9]\d*/[1-9]\d*$", description="Read part i of n: 2/3")
    silence_seconds: float = Field(
        120, ge=0, description="Reconnect after so long without an event in trading hours; 0 never"
    )
    ack_seconds: Seconds = Field(10, description="Report subscriptions unconfirmed after so long")
    retry_seconds: Seconds = Field(1, description="First wait after a lost connection; doubles")
    retry_max_seconds: Seconds = Field(60, description="Longest wait after a lost connection")
    cool_down_seconds: Seconds = Field(
        120,
        description="First wait after max_connections, or for a market that is refused; doubles "
        "up to 15 times",
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

    command: ClassVar[str] = "filter"
    examples: ClassVar[str] = """\
  polygon-stream filter --rules rules.yaml --http-port 9102
  polygon-stream filter --transactional-id polygon-stream-filter-2    # a second one beside it
"""

    rules: Path | None = Field(None, description="YAML file of rules; without it all events pass")
    reload_seconds: Seconds = Field(5, description="How often the rules file is looked at")
    group: str = Field("polygon-stream-filter", description="Consumer group")
    transactional_id: str = Field(
        "polygon-stream-filter-1",
        description="Unique among running filters, the same after a restart",
    )
    batch_records: int = Field(10_000, ge=1, description="Most records of one transaction")
    linger_ms: int = Field(
        10, ge=0, description="How long a transaction waits for more; part of the latency"
    )
    dead_letter_limit: int = Field(
        1_000, ge=0, description="Stop after so many unreadable records in a row; 0 never"
    )


class SinkSettings(Served, Tables):
    """Insert the clean records into ClickHouse in batches, at least once, until SIGTERM."""

    command: ClassVar[str] = "sink"
    examples: ClassVar[str] = """\
  polygon-stream sink --clickhouse http://writer@clickhouse:8123/default
  polygon-stream sink --clickhouse chdb:table.chdb    # ClickHouse embedded, no server
"""

    create_table: bool = Field(True, description="Create the tables that are missing")
    group: str = Field("polygon-stream-sink", description="Consumer group")
    batch_records: int = Field(50_000, ge=1, description="Most rows of one insert")
    batch_seconds: Seconds = Field(1, description="Longest wait for a batch to fill")


class HealSettings(Keyed):
    """Fill recorded gaps from the REST aggregates into the raw topic, then exit."""

    command: ClassVar[str] = "heal"
    examples: ClassVar[str] = """\
  POLYGON_API_KEY=... polygon-stream heal
  POLYGON_API_KEY=... polygon-stream heal --requests-per-minute 5    # the free plan
"""

    rest_url: str = Field("https://api.massive.com", description="Address of the REST API")
    subscriptions: str = Field(
        "subscriptions.csv",
        description="The feed's list, a path or s3://bucket/key, for gaps that name nothing",
    )
    s3_endpoint_url: str | None = Field(None, description="Another S3 than Amazon's")
    group: str = Field("polygon-stream-heal", description="Remembers which gaps are healed")
    requests_per_minute: float = Field(300, gt=0, description="Pace; the free plan allows 5")
    max_symbols: int = Field(
        1_000, ge=1, description="Most symbols of a wildcard that are healed for one gap"
    )


class DoctorSettings(KafkaSettings, Tables, FlatFiles):
    """Check key, list, Kafka, ClickHouse, flat files; say what is wrong. Exit 1 if anything is."""

    command: ClassVar[str] = "doctor"
    examples: ClassVar[str] = """\
  POLYGON_API_KEY=... polygon-stream doctor --rules rules.yaml
  polygon-stream doctor --clickhouse http://writer@clickhouse:8123/default
"""

    api_key: SecretStr = Field(
        SecretStr(""),
        description="The vendor's key; better in POLYGON_API_KEY than on the command line",
    )
    rest_url: str = Field("https://api.massive.com", description="Address of the REST API")
    subscriptions: str = Field("subscriptions.csv", description="A path or s3://bucket/key")
    s3_endpoint_url: str | None = Field(None, description="Another S3 than Amazon's")
    rules: Path | None = Field(None, description="YAML file of rules")
    clickhouse: str = Field("", description="As for the sink; empty leaves it out")


COMMANDS: Final = (
    FeedSettings,
    FilterSettings,
    SinkSettings,
    HealSettings,
    BackfillSettings,
    VerifySettings,
    DoctorSettings,
)
NAMES: Final = tuple(dict.fromkeys(name for kind in COMMANDS for name in kind.model_fields))
"""The settings of all commands. Environment and file serve all of them, so each knows them all."""
