"""What an operator's tools ask for over HTTP: /metrics, /healthz, /readyz."""

from collections.abc import Iterable
from socketserver import ThreadingMixIn
from threading import Thread
from typing import Any, Final, Protocol
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import structlog
from prometheus_client import make_wsgi_app

from polygon_streaming.errors import ConfigError
from polygon_streaming.process import metrics
from polygon_streaming.process.heartbeat import Heartbeat

log = structlog.get_logger()

# The loops beat several times a second; a broker that is slow to answer holds them up for a while.
_STUCK_SECONDS: Final = 60.0


class Stage(Protocol):
    """What is asked of a stage, from other threads."""

    @property
    def heartbeat(self) -> Heartbeat:
        """Whether its main loop goes round."""

    def problems(self) -> list[str]:
        """Return why it is not ready; nothing if it is."""


class StatusServer:
    """Serves the three addresses from a thread, for as long as the `with` block lasts."""

    def __init__(self, host: str, port: int, name: str, stage: Stage) -> None:
        """Prepare to serve; a port of 0 serves nothing. `name` is the stage's."""
        self._place = host, port
        self._stage = stage
        self._server: WSGIServer | None = None
        self._metrics = make_wsgi_app(metrics.exported(name, lambda: not stage.problems()))

    def __enter__(self) -> "StatusServer":
        host, port = self._place
        if port:
            try:
                self._server = make_server(host, port, self._answer, _Server, _Quiet)
            except OSError as error:
                raise ConfigError(f"http_port: {host}:{port} cannot be served: {error}.") from None
            Thread(target=self._server.serve_forever, name="status", daemon=True).start()
            log.info("serving status", address=f"http://{host}:{port}")
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def _answer(self, environ: Any, start: Any) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/metrics":
            return self._metrics(environ, start)  # type: ignore[no-any-return]
        if path == "/healthz":
            stuck = self._stage.heartbeat.stuck_seconds()
            problems = [f"main loop stuck for {stuck:.0f} s"] if stuck > _STUCK_SECONDS else []
        elif path == "/readyz":
            problems = self._stage.problems()
        else:
            start("404 Not Found", [("Content-Type", "text/plain")])
            return [b"/metrics /healthz /readyz\n"]
        start("503 Service Unavailable" if problems else "200 OK", [("Content-Type", "text/plain")])
        return [("\n".join(problems or ["ok"]) + "\n").encode()]


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Keep requests out of the log."""
