"""A sandbox: the API on a local port, served from a background thread."""

from aiohttp import web

from polygon_sandbox.app import build_app
from polygon_sandbox.background import DEFAULT_KEY, Background
from polygon_sandbox.faults import Faults
from polygon_sandbox.flat_files import FlatFiles
from polygon_sandbox.plan import Plan
from polygon_sandbox.service import Hook, Request, Service
from polygon_sandbox.world import World


class Sandbox(Background):
    """Serves a world over HTTP for as long as the `with` block lasts; it may be entered again.

    Port 0 takes a free one, and keeps it. `latency_ms` is added to every answer. `strict` refuses
    unknown query parameters. The flat files of the world are under /flatfiles, as S3 serves them.

        with Sandbox(World(now="2026-11-20T22:30:00Z"), plan=Plan.free()) as sandbox:
            requests.get(sandbox.url + "/v3/reference/tickers", params={"apiKey": sandbox.key})
    """

    def __init__(
        self,
        world: World,
        plan: Plan | None = None,
        latency_ms: float = 0,
        *,
        key: str = DEFAULT_KEY,
        strict: bool = True,
        host: str = "127.0.0.1",
        port: int = 0,
        flat_files: FlatFiles | None = None,
    ) -> None:
        super().__init__("polygon-sandbox", host, port)
        files = flat_files or FlatFiles(world)
        self._service = Service(world, plan or Plan.unlimited(), key, strict, files)
        self._latency_ms = latency_ms

    @property
    def url(self) -> str:
        """Where the API answers, without a trailing slash."""
        return f"http://{self._host}:{self._port}"

    @property
    def key(self) -> str:
        """The one API key that is accepted."""
        return self._service.key

    @property
    def world(self) -> World:
        """The world that is served."""
        return self._service.world

    @property
    def flat_files(self) -> FlatFiles:
        """The bucket: its access key id, and the events that change its objects."""
        return self._service.flat_files

    @property
    def plan(self) -> Plan:
        """The plan behind the key; it may be replaced at any time."""
        return self._service.plan

    @plan.setter
    def plan(self, plan: Plan) -> None:
        self._service.plan = plan

    @property
    def faults(self) -> Faults:
        """The script of faults to come."""
        return self._service.faults

    @property
    def requests(self) -> list[Request]:
        """The requests so far, oldest first."""
        return self._service.requests()

    def clear_requests(self) -> None:
        """Forget the requests so far."""
        self._service.clear_requests()

    def on_request(self, hook: Hook | None) -> None:
        """Call `hook(path, query)` before each answer; None takes the hook away.

        The hook runs in the server's thread. It may change the world, the plan and the faults;
        it must not send requests to the sandbox, which would wait for itself.
        """
        self._service.hook = hook

    def _app(self) -> web.Application:
        return build_app(self._service, self._latency_ms)
