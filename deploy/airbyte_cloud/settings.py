"""What the user wants in the workspace, from settings.yaml. It holds no secret."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import yaml
from airbyte_cdk.utils.yaml_loader import safe_load_yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from deploy.airbyte_cloud.errors import PublishError


class Section(BaseModel):
    """A part of the file. A key that is not known here is an error, most likely a typing error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Definition(Section):
    """The custom connector, by the name it has in the workspace."""

    name: str


class Source(Section):
    """The connector with a configuration; the fields are those of docs/connector.md."""

    name: str
    configuration: dict[str, Any]

    @field_validator("configuration")
    @classmethod
    def _no_secret_and_dates_as_text(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        if "api_key" in given:
            raise ValueError("api_key does not belong in a file; set POLYGON_API_KEY")
        # YAML takes 2024-01-02 for a date where the connector wants text.
        return {key: str(v) if isinstance(v, date) else v for key, v in given.items()}


class Destination(Section):
    """The Snowflake account, and what deploy/snowflake/setup.sql has created there."""

    name: str
    host: str = Field(pattern=r"^[^\s/:]+\.snowflakecomputing\.com$")
    role: str
    warehouse: str
    database: str
    schema_: str = Field(alias="schema")
    username: str

    @field_validator("host")
    @classmethod
    def _filled_in(cls, given: str) -> str:
        if given.startswith("ORGANISATION-ACCOUNT"):
            raise ValueError("put the names of your organisation and account here")
        return given


class Connection(Section):
    """What is read, where to and when.

    Attributes:
        cron: a Quartz expression, in UTC.
        streams: names of the streams to read; all of the manifest if empty.
        prefix: put before the names of the tables.
    """

    name: str
    cron: str
    streams: list[str] = []
    prefix: str = ""

    @field_validator("cron")
    @classmethod
    def _quartz(cls, given: str) -> str:
        if len(given.split()) not in (6, 7):
            raise ValueError(
                "a Quartz expression has six fields, seconds first, such as 0 0 6 * * ?"
            )
        return given


class Settings(Section):
    """The whole file."""

    workspace_id: UUID
    api_url: str = Field("https://api.airbyte.com/v1", pattern=r"^https?://[^\s?#]+[^\s?#/]$")
    definition: Definition
    source: Source
    destination: Destination
    connection: Connection

    @field_validator("workspace_id")
    @classmethod
    def _filled_in(cls, given: UUID) -> UUID:
        if not given.int:
            raise ValueError("put the identifier of your workspace here")
        return given


def read_settings(path: Path) -> Settings:
    """Return the settings in a file.

    Raises:
        PublishError: it cannot be read, or something in it is wrong; all of it is named.
    """
    try:
        content = safe_load_yaml(path.read_text())
        return Settings.model_validate(content)
    except ValidationError as error:
        problems = [_problem(found) for found in error.errors()]
        raise PublishError("\n".join([f"{path} is not usable:", *problems])) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise PublishError(f"{path} cannot be read: {error}") from None


def _problem(found: Mapping[str, Any]) -> str:
    where = ".".join(map(str, found["loc"])) or "the file"
    return f"  {where}: {found['msg'].removeprefix('Value error, ')}"
