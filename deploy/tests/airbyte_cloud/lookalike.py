"""A server with those routes of Airbyte's public API that publishing uses.

It answers as the API's description says: secrets come back as asterisks, unknown fields and a
missing token are refused, lists come in pages.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Any
from uuid import UUID

from aiohttp import web

Json = dict[str, Any]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

WORKSPACE = "7f0c8d4e-1111-4a4a-9a9a-0123456789ab"
CLIENT = {"client_id": "client-1", "client_secret": "client-secret-4711"}
TOKEN = "token-0815"
SECRETS = {"api_key", "private_key", "private_key_password"}

_STREAM_OPTIONS = {"configurations", "schedule", "namespaceDefinition", "prefix"}
_STREAM_OPTIONS |= {"nonBreakingSchemaUpdatesBehavior"}
# What a body must have, and what it may have besides.
_BODIES: dict[tuple[str, str], tuple[set[str], set[str]]] = {
    ("POST", "definitions"): ({"name", "manifest"}, set()),
    ("PUT", "definitions"): ({"manifest"}, set()),
    ("POST", "sources"): ({"name", "workspaceId", "definitionId", "configuration"}, set()),
    ("PUT", "sources"): ({"name", "configuration"}, set()),
    ("POST", "destinations"): ({"name", "workspaceId", "configuration"}, set()),
    ("PUT", "destinations"): ({"name", "configuration"}, set()),
    ("POST", "connections"): (
        {"name", "sourceId", "destinationId"},
        {"status", *_STREAM_OPTIONS},
    ),
    ("PATCH", "connections"): (set(), _STREAM_OPTIONS),
}
_ID = {"definitions": "id", "sources": "sourceId", "destinations": "destinationId"}
_ID["connections"] = "connectionId"
# Fields that the API's answers always have.
_ALWAYS: dict[str, Json] = {
    "definitions": {"version": 0, "manifest": {}},
    "sources": {"sourceType": "custom", "definitionId": "another", "configuration": {}},
    "destinations": {
        "destinationType": "snowflake",
        "definitionId": "424892c4-daac-4491-b35d-c6688ba547ba",
        "configuration": {},
    },
    "connections": {
        "configurations": {"streams": []},
        "schedule": {"scheduleType": "manual"},
        "status": "inactive",
        "tags": [],
    },
}


@dataclass
class Lookalike:
    """What the workspace has, and what was asked for.

    Attributes:
        things: definitions, sources, destinations and connections by identifier.
        writes: method, kind and body of each request that was to change something.
        refusals: what to answer instead, by method and kind.
        url: where the API is served.
    """

    things: dict[str, dict[str, Json]] = field(default_factory=lambda: {kind: {} for kind in _ID})
    writes: list[tuple[str, str, Json]] = field(default_factory=list)
    refusals: dict[tuple[str, str], tuple[int, str]] = field(default_factory=dict)
    url: str = ""

    def named(self, kind: str, name: str) -> Json:
        """Return the one thing with that name."""
        (found,) = [thing for thing in self.things[kind].values() if thing["name"] == name]
        return found

    def add(self, kind: str, **fields: Any) -> str:
        """Put a thing there as somebody else might have, and return its identifier."""
        count = sum(map(len, self.things.values()))
        identity = str(UUID(int=0x4000_8000_0000_0000_0000 + count))
        always = {"workspaceId": WORKSPACE, "createdAt": 1_767_225_600, **_ALWAYS[kind]}
        self.things[kind][identity] = {_ID[kind]: identity, **always, **fields}
        return identity

    async def token(self, request: web.Request) -> web.Response:
        given = await request.post()
        if {key: given.get(key) for key in CLIENT} != CLIENT:
            return web.json_response({"message": "Unauthorized"}, status=401)
        return web.json_response({"access_token": TOKEN, "token_type": "Bearer", "expires_in": 900})

    async def list(self, request: web.Request) -> web.Response:
        kind = _kind(request)
        found = list(self.things[kind].values())
        if kind != "definitions":
            assert request.query["workspaceIds"] == WORKSPACE
            offset, limit = int(request.query["offset"]), int(request.query["limit"])
            found = found[offset : offset + limit]
        return web.json_response({"data": [_masked(thing) for thing in found]})

    async def write(self, request: web.Request) -> web.Response:
        kind, body = _kind(request), await request.json()
        self.writes.append((request.method, kind, body))
        required, optional = _BODIES[request.method, kind]
        if not required <= set(body) <= required | optional:
            wrong = sorted(set(body) ^ required)
            return web.json_response({"message": f"look at {wrong}"}, status=400)
        identity = request.match_info.get("id") or self.add(kind)
        thing = self.things[kind][identity]
        thing.update(body)
        if kind == "destinations":
            # The type is not repeated there, and defaults are filled in.
            configuration = {"retention_period_days": 1, **body["configuration"]}
            thing["destinationType"] = configuration.pop("destinationType")
            thing["configuration"] = configuration
        if kind == "connections":
            schedule = thing["schedule"]
            thing["schedule"] = {**schedule, "cronExpression": f"{schedule['cronExpression']} UTC"}
        if kind == "definitions":
            thing["version"] += 1
        return web.json_response(_masked(thing))

    @web.middleware
    async def guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.endswith("/token"):
            return await handler(request)
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.json_response({"message": "Unauthorized"}, status=401)
        if f"/workspaces/{WORKSPACE}/" not in request.path and "/workspaces/" in request.path:
            return web.json_response({"message": "Forbidden"}, status=403)
        if (request.method, _kind(request)) in self.refusals:
            status, text = self.refusals[request.method, _kind(request)]
            # A server that repeats what it was sent, secrets and all.
            return web.Response(status=status, text=f"{text} {await request.text()}")
        return await handler(request)

    def application(self) -> web.Application:
        """Return the server's routes."""
        app = web.Application(middlewares=[self.guard])
        app.router.add_post("/v1/applications/token", self.token)
        definitions = "/v1/workspaces/{workspace}/definitions/declarative_sources"
        for path in (definitions, "/v1/sources", "/v1/destinations", "/v1/connections"):
            app.router.add_get(path, self.list)
            app.router.add_post(path, self.write)
            for method in ("PUT", "PATCH"):
                app.router.add_route(method, f"{path}/{{id}}", self.write)
        return app

    def __enter__(self) -> "Lookalike":
        self._loop = asyncio.new_event_loop()
        ready = Event()
        self._thread = Thread(target=self._serve, args=(ready,), daemon=True)
        self._thread.start()
        assert ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _serve(self, ready: Event) -> None:
        runner = web.AppRunner(self.application())
        self._loop.run_until_complete(runner.setup())
        site = web.TCPSite(runner, "127.0.0.1", 0)
        self._loop.run_until_complete(site.start())
        host, port = runner.addresses[0][:2]
        self.url = f"http://{host}:{port}/v1"
        ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        self._loop.close()


def _kind(request: web.Request) -> str:
    return next(kind for kind in _ID if f"/{kind}" in request.path)


def _masked(thing: Json) -> Json:
    configuration = thing.get("configuration", {})
    return {**thing, "configuration": _asterisks(configuration)}


def _asterisks(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: "**********" if k in SECRETS else _asterisks(v) for k, v in value.items()}
    return value
