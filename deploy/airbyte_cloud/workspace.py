"""A workspace, through Airbyte's own client of its API.

The answers are taken as the JSON that came: the client reads the configuration of a custom source
as that of whichever of its known connectors fits first.
"""

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import airbyte_api
from airbyte_api import api, errors, models
from pydantic import SecretStr
from requests import RequestException, Session
from requests.adapters import HTTPAdapter, Retry

from deploy.airbyte_cloud.credentials import Credentials
from deploy.airbyte_cloud.errors import PublishError
from deploy.airbyte_cloud.wanted import Json, stream_list

# What the API gives at most, and what a connection of a slow server may take, in seconds.
_PAGE = 100
_TIMEOUT = 120
# How the API tells the type of a new destination.
_SNOWFLAKE = {"destinationType": "snowflake"}


class Workspace:
    """Lists, creates and updates. All methods raise PublishError where Airbyte refuses."""

    def __init__(self, url: str, workspace_id: str, credentials: Credentials) -> None:
        self.url = url
        self.id = workspace_id
        self._credentials = credentials
        self._api = airbyte_api.AirbyteAPI(
            security=models.Security(
                client_credentials=models.SchemeClientCredentials(
                    client_id=credentials.client_id.get_secret_value(),
                    client_secret=credentials.client_secret.get_secret_value(),
                    token_url=f"{url}/applications/token",
                )
            ),
            server_url=url,
            client=_Patient(),
        )

    def definitions(self) -> list[Json]:
        """Return the custom connectors in pure YAML."""
        request = api.ListDeclarativeSourceDefinitionsRequest(workspace_id=self.id)
        listed = self._api.declarative_source_definitions.list_declarative_source_definitions
        return list(self._ask("list the custom connectors", listed, request)["data"])

    def create_definition(self, name: str, manifest: Json) -> str:
        """Create a custom connector and return its identifier."""
        body = models.CreateDeclarativeSourceDefinitionRequest(name=name, manifest=manifest)
        request = api.CreateDeclarativeSourceDefinitionRequest(
            workspace_id=self.id, create_declarative_source_definition_request=body
        )
        create = self._api.declarative_source_definitions.create_declarative_source_definition
        return str(self._ask("create the custom connector", create, request)["id"])

    def update_definition(self, definition_id: str, manifest: Json) -> None:
        """Give a custom connector a new version, which all its sources use from then on."""
        body = models.UpdateDeclarativeSourceDefinitionRequest(manifest=manifest)
        request = api.UpdateDeclarativeSourceDefinitionRequest(
            workspace_id=self.id,
            definition_id=definition_id,
            update_declarative_source_definition_request=body,
        )
        update = self._api.declarative_source_definitions.update_declarative_source_definition
        self._ask("update the custom connector", update, request)

    def sources(self) -> list[Json]:
        """Return the sources."""
        return list(
            self._pages("list the sources", self._api.sources.list_sources, api.ListSourcesRequest)
        )

    def create_source(self, name: str, definition_id: str, configuration: Json) -> str:
        """Create a source and return its identifier."""
        request = models.SourceCreateRequest(
            name=name,
            workspace_id=self.id,
            definition_id=definition_id,
            configuration=revealed(configuration),
        )
        create = self._api.sources.create_source
        return str(self._ask("create the source", create, request)["sourceId"])

    def replace_source(self, source_id: str, name: str, configuration: Json) -> None:
        """Give a source a new configuration."""
        body = models.SourcePutRequest(name=name, configuration=revealed(configuration))
        request = api.PutSourceRequest(source_id=source_id, source_put_request=body)
        self._ask("update the source", self._api.sources.put_source, request)

    def destinations(self) -> list[Json]:
        """Return the destinations."""
        listed = self._api.destinations.list_destinations
        return list(self._pages("list the destinations", listed, api.ListDestinationsRequest))

    def create_destination(self, name: str, configuration: Json) -> str:
        """Create a Snowflake destination and return its identifier."""
        request = models.DestinationCreateRequest(
            name=name,
            workspace_id=self.id,
            configuration={**_SNOWFLAKE, **revealed(configuration)},
        )
        create = self._api.destinations.create_destination
        return str(self._ask("create the destination", create, request)["destinationId"])

    def replace_destination(self, destination_id: str, name: str, configuration: Json) -> None:
        """Give a Snowflake destination a new configuration."""
        body = models.DestinationPutRequest(
            name=name, configuration={**_SNOWFLAKE, **revealed(configuration)}
        )
        request = api.PutDestinationRequest(
            destination_id=destination_id, destination_put_request=body
        )
        self._ask("update the destination", self._api.destinations.put_destination, request)

    def connections(self) -> list[Json]:
        """Return the connections."""
        listed = self._api.connections.list_connections
        return list(self._pages("list the connections", listed, api.ListConnectionsRequest))

    def create_connection(self, name: str, source: str, destination: str, wanted: Json) -> str:
        """Create a connection, which runs by its schedule from then on; return its identifier."""
        request = models.ConnectionCreateRequest(
            name=name,
            source_id=source,
            destination_id=destination,
            status=models.ConnectionStatusEnum.ACTIVE,
            **_connection_fields(wanted),
        )
        create = self._api.connections.create_connection
        return str(self._ask("create the connection", create, request)["connectionId"])

    def update_connection(self, connection_id: str, wanted: Json) -> None:
        """Change a connection. One that is paused stays so."""
        body = models.ConnectionPatchRequest(**_connection_fields(wanted))
        request = api.PatchConnectionRequest(
            connection_id=connection_id, connection_patch_request=body
        )
        self._ask("update the connection", self._api.connections.patch_connection, request)

    def _pages(self, what: str, listed: Callable[..., Any], request: Any) -> Iterator[Json]:
        for offset in range(0, 1_000_000, _PAGE):
            page = request(workspace_ids=[self.id], limit=_PAGE, offset=offset)
            rows = self._ask(what, listed, page)["data"]
            yield from rows
            if len(rows) < _PAGE:
                return

    def _ask(self, what: str, call: Callable[..., Any], request: Any) -> Json:
        try:
            with warnings.catch_warnings():
                # Of configurations that the client does not know, which it would print.
                warnings.simplefilter("ignore", UserWarning)
                answer: Json = call(request).raw_response.json()
        except errors.SDKError as error:
            reason = f"it answers {error.status_code}: {error.body.strip()[:1000]}"
        except RequestException as error:
            reason = str(error)
        except Exception as error:  # noqa: BLE001 - the client raises bare ones about the token
            reason = str(error)
        else:
            return answer
        hint = ""
        if "token endpoint" in reason or "answers 401" in reason:
            hint = " Look at AIRBYTE_CLIENT_ID and AIRBYTE_CLIENT_SECRET."
        elif "answers 403" in reason:
            hint = " Look at workspace_id, and whether the application may write there."
        reason = self._credentials.conceal(reason)
        raise PublishError(f"Airbyte at {self.url} did not {what}: {reason}{hint}") from None


class _Patient(Session):
    """Waits and tries again where that can do no harm; has a limit on every wait."""

    def __init__(self) -> None:
        super().__init__()
        retry = Retry(
            total=4,
            connect=1,
            backoff_factor=1,
            status_forcelist={429, 502, 503, 504},
            allowed_methods={"GET"},
            raise_on_status=False,
        )
        self.mount("https://", HTTPAdapter(max_retries=retry))
        self.mount("http://", HTTPAdapter(max_retries=retry))

    def send(self, *args: Any, **kwargs: Any) -> Any:
        kwargs.setdefault("timeout", _TIMEOUT)
        return super().send(*args, **kwargs)


def revealed(value: Any) -> Any:
    """Return JSON with the secrets in it laid open, to be sent and never printed."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, dict):
        return {key: revealed(inner) for key, inner in value.items()}
    return value


def _connection_fields(wanted: Json) -> Json:
    streams = [
        models.StreamConfiguration.from_dict(stream) for stream in stream_list(wanted["streams"])
    ]
    return {
        "schedule": models.AirbyteAPIConnectionSchedule.from_dict(wanted["schedule"]),
        "namespace_definition": wanted["namespaceDefinition"],
        "prefix": wanted["prefix"],
        "non_breaking_schema_updates_behavior": wanted["nonBreakingSchemaUpdatesBehavior"],
        "configurations": models.StreamConfigurationsInput(streams=streams),
    }
