"""Make a workspace what it should be: what is missing is created, what differs is updated."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from deploy.airbyte_cloud import wanted
from deploy.airbyte_cloud.credentials import Credentials
from deploy.airbyte_cloud.differences import differences
from deploy.airbyte_cloud.errors import PublishError
from deploy.airbyte_cloud.manifest import Manifest
from deploy.airbyte_cloud.settings import Settings
from deploy.airbyte_cloud.wanted import Json
from deploy.airbyte_cloud.workspace import Workspace

# So many lines show what a new manifest changes; the file's history shows the rest.
_LINES = 20


class Publisher:
    """Goes through the workspace once and says what it does.

    Attributes:
        tally: how many things were, or in a dry run would be, created, updated or left.
    """

    def __init__(
        self, workspace: Workspace, say: Callable[[str], None], dry_run: bool, resend_secrets: bool
    ) -> None:
        """Prepare to publish.

        Args:
            workspace: where to.
            say: prints a line.
            dry_run: whether to only say what would be done.
            resend_secrets: whether to update where nothing but a secret may differ.
        """
        self.tally: Counter[str] = Counter()
        self._workspace = workspace
        self._say = say
        self._dry_run = dry_run
        self._resend = resend_secrets

    def publish(self, settings: Settings, credentials: Credentials, manifest: Manifest) -> None:
        """Publish everything.

        Raises:
            PublishError: something given is wrong, or Airbyte refuses. What was done until then
                stays, and the next run goes on from there.
        """
        config = manifest.configured(
            {
                **settings.source.configuration,
                "api_key": credentials.polygon_api_key.get_secret_value(),
            }
        )
        streams = manifest.streams(config)
        config["api_key"] = credentials.polygon_api_key
        connection = wanted.connection(settings.connection, streams)

        definition = self._definition(settings.definition.name, manifest)
        source = self._source(settings.source.name, definition, config, manifest)
        destination = self._destination(
            settings.destination.name, wanted.snowflake(settings.destination, credentials)
        )
        self._connection(settings.connection.name, source, destination, connection)

    def _definition(self, name: str, manifest: Manifest) -> str | None:
        what = f'custom connector "{name}"'
        there = _named(name, self._workspace.definitions(), what)
        content = dict(manifest.content)
        if there is None:
            note = f"+ {manifest.path}, {len(content.get('streams', []))} streams"
            return self._create(
                what, [note], lambda: self._workspace.create_definition(name, content)
            )
        self._update(
            what,
            differences(there["manifest"], content),
            lambda: self._workspace.update_definition(there["id"], content),
        )
        return str(there["id"])

    def _source(
        self, name: str, definition: str | None, config: Json, manifest: Manifest
    ) -> str | None:
        what = f'source "{name}"'
        there = _named(name, self._workspace.sources(), what)
        if there is None:
            return self._create(
                what,
                differences({}, config),
                lambda: self._workspace.create_source(name, str(definition), config),
            )
        if there["definitionId"] != definition:
            raise PublishError(
                f"The {what} is there, but of another connector ({there['definitionId']}), which "
                "the API cannot change. Give source.name another name, or remove that source."
            )
        known = {key: there["configuration"][key] for key in _shared(there, manifest.spec)}
        self._update(
            what,
            differences(known, config),
            lambda: self._workspace.replace_source(there["sourceId"], name, config),
            holds_secrets=True,
        )
        return str(there["sourceId"])

    def _destination(self, name: str, config: Json) -> str | None:
        what = f'destination "{name}"'
        there = _named(name, self._workspace.destinations(), what)
        if there is None:
            return self._create(
                what,
                differences({}, config),
                lambda: self._workspace.create_destination(name, config),
            )
        if there["destinationType"] != "snowflake":
            raise PublishError(
                f"The {what} is there, but of type {there['destinationType']}. Give "
                "destination.name another name, or remove that destination."
            )
        self._update(
            what,
            differences(_part(there["configuration"], config), config),
            lambda: self._workspace.replace_destination(there["destinationId"], name, config),
            holds_secrets=True,
        )
        return str(there["destinationId"])

    def _connection(
        self, name: str, source: str | None, destination: str | None, settings: Json
    ) -> None:
        what = f'connection "{name}"'
        there = _named(name, self._workspace.connections(), what)
        if there is None:
            self._create(
                what,
                differences({}, settings),
                lambda: self._workspace.create_connection(
                    name, str(source), str(destination), settings
                ),
            )
            return
        if (there["sourceId"], there["destinationId"]) != (source, destination):
            raise PublishError(
                f"The {what} is there, but between another source and destination, which the API "
                "cannot change. Give connection.name another name, or remove that connection."
            )
        self._update(
            what,
            differences(*_comparable(there, settings)),
            lambda: self._workspace.update_connection(there["connectionId"], settings),
        )

    def _create(self, what: str, lines: Iterable[str], create: Callable[[], str]) -> str | None:
        self._describe(f"+ {what}", lines)
        self.tally["created"] += 1
        return None if self._dry_run else create()

    def _update(
        self,
        what: str,
        lines: Iterable[str],
        update: Callable[[], None],
        holds_secrets: bool = False,
    ) -> None:
        changes = list(lines)
        if holds_secrets and self._resend:
            changes.append("~ its secrets, sent again")
        self._describe(f"~ {what}" if changes else f"= {what}", changes)
        self.tally["updated" if changes else "unchanged"] += 1
        if changes and not self._dry_run:
            update()

    def _describe(self, title: str, lines: Iterable[str]) -> None:
        shown = list(lines)
        self._say(title)
        for line in shown[:_LINES]:
            self._say(f"    {line}")
        if len(shown) > _LINES:
            self._say(f"    ... and {len(shown) - _LINES} more")


def _named(name: str, things: Iterable[Json], what: str) -> Json | None:
    found = [thing for thing in things if thing["name"] == name]
    if len(found) > 1:
        raise PublishError(f"There are {len(found)} of {what}. Rename or remove all but one.")
    return found[0] if found else None


def _shared(there: Json, spec: Mapping[str, Any]) -> list[str]:
    """Return the fields of a source's configuration that the connector knows."""
    return [field for field in there["configuration"] if field in spec["properties"]]


def _part(there: Any, config: Any) -> Any:
    """Return of `there` what `config` decides; the API adds defaults of its own."""
    if isinstance(there, dict) and isinstance(config, dict):
        return {key: _part(there[key], config[key]) for key in config if key in there}
    return there


def _comparable(there: Json, settings: Json) -> tuple[Json, Json]:
    """Return what is there and what should be, as far as the answer shows the first."""
    streams = wanted.stream_mapping(there["configurations"].get("streams") or [])
    shown = {
        **_part(there, settings),
        # The API writes the time zone behind the expression, or does not.
        "schedule": {
            "scheduleType": there["schedule"]["scheduleType"],
            "cronExpression": there["schedule"].get("cronExpression", "").removesuffix(" UTC"),
        },
        "streams": streams,
    }
    decided = {
        name: _part(stream, streams.get(name, stream))
        for name, stream in settings["streams"].items()
    }
    return shown, {**settings, "streams": decided}
