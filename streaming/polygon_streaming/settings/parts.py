"""What several commands take: the parts that their settings are put together from."""

from typing import ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

_TABLE: Final = r"^[A-Za-z_][A-Za-z0-9_]*$"


class Settings(BaseModel):
    """What every command takes."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=False)

    command: ClassVar[str] = ""
    examples: ClassVar[str] = ""
    positional: ClassVar[str] = ""

    log_format: Literal["auto", "json", "text"] = Field(
        "auto", description="auto is text on a terminal, JSON elsewhere"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="How much is logged"
    )


class KafkaSettings(Settings):
    """What the commands take that read from Kafka or write to it."""

    bootstrap_servers: str = Field(
        "localhost:9092", description="Kafka brokers, host:port, separated by commas"
    )
    kafka: dict[str, str] = Field(
        default_factory=dict,
        description="Any librdkafka property, such as security.protocol=SASL_SSL; may be "
        "repeated. In the environment a JSON object, in the file lines of a group",
    )
    raw_topic: str = Field("polygon_stream_aggregates", description="Events as received")
    filtered_topic: str = Field("custom_filtered_stock_data_topic", description="Clean bars")
    trades_topic: str = Field("custom_filtered_trades_topic", description="Clean trades")
    quotes_topic: str = Field("custom_filtered_quotes_topic", description="Clean quotes")
    dead_letter_topic: str = Field("polygon_stream_dead_letter", description="What is unreadable")
    gaps_topic: str = Field("polygon_stream_gaps", description="What is known to be missing")

    @property
    def targets(self) -> dict[str, str]:
        """The topic of the clean records of each kind."""
        return {
            "bars": self.filtered_topic,
            "trades": self.trades_topic,
            "quotes": self.quotes_topic,
        }


class Served(KafkaSettings):
    """What every long-running command takes besides."""

    http_host: str = Field("127.0.0.1", description="Where /metrics, /healthz, /readyz listen")
    http_port: int = Field(0, ge=0, le=65535, description="Their port; 0 switches them off")


class Keyed(KafkaSettings):
    """What the commands that ask the vendor take besides."""

    api_key: SecretStr = Field(
        description="The vendor's key; better in POLYGON_API_KEY than on the command line",
    )

    @field_validator("api_key")
    @classmethod
    def _not_empty(cls, key: SecretStr) -> SecretStr:
        if not key.get_secret_value().strip():
            raise ValueError("is empty")
        return key


class Tables(Settings):
    """Where the tables are."""

    clickhouse: str = Field(
        "http://localhost:8123/default",
        description="http(s)://user@host:port/database, or chdb:DIRECTORY for the embedded one",
    )
    clickhouse_password: SecretStr = Field(
        SecretStr(""), description="Better in POLYGON_STREAM_CLICKHOUSE_PASSWORD"
    )
    table: str = Field("stock_aggregates", pattern=_TABLE, description="Table of the bars")
    trades_table: str = Field("trades", pattern=_TABLE, description="Table of the trades")
    quotes_table: str = Field("quotes", pattern=_TABLE, description="Table of the quotes")

    @property
    def tables(self) -> dict[str, str]:
        """The table of each kind."""
        return {
            "bars": self.table,
            "trades": self.trades_table,
            "quotes": self.quotes_table,
        }


class FlatFiles(Settings):
    """Where the vendor's flat files are, and the key to them."""

    flat_files_endpoint: str = Field(
        "https://files.massive.com", description="S3 with the flat files: the vendor's, or a mirror"
    )
    flat_files_bucket: str = Field(
        "flatfiles", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="Bucket of the flat files"
    )
    flat_files_access_key_id: SecretStr = Field(
        SecretStr(""), description="Better in POLYGON_FLAT_FILES_ACCESS_KEY_ID"
    )
    flat_files_secret_access_key: SecretStr = Field(
        SecretStr(""), description="Better in POLYGON_FLAT_FILES_SECRET_ACCESS_KEY"
    )
    flat_files_collection: str = Field(
        "",
        pattern=r"^$|^[A-Za-z_][A-Za-z0-9_]*$",
        description="Named collection of the ClickHouse server with the key to the files; without "
        "one the key is sent along with each query",
    )
