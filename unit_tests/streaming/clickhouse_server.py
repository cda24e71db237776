"""ClickHouse over HTTP as far as the sink asks it, with failures to order.

It keeps the rows of inserts that succeed. The embedded engine shows what the table does with them.
"""

import json
import threading
from collections import Counter, deque
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True, slots=True)
class Failure:
    """An answer that is none: status and ClickHouse's code, or silence, or a connection cut."""

    status: int = 500
    code: int | None = None
    words: str = ""
    kind: str = "answer"


class ClickHouseServer:
    """Serves for as long as the `with` block lasts.

    Attributes:
        rows: what was inserted.
        tables: how many rows of it each table got.
        inserts: how many inserts came in.
        failures: one for each of the next inserts.
        refuse: statements with this text in them get the failure.
    """

    def __init__(self) -> None:
        self.rows: list[Any] = []
        self.tables: Counter[str] = Counter()
        self.inserts = 0
        self.failures: deque[Failure] = deque()
        self.refuse: dict[str, Failure] = {}
        self.ended = threading.Event()
        handler = type("Handler", (_Handler,), {"front": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}/default"

    def __enter__(self) -> "ClickHouseServer":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    front: ClickHouseServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        query = dict(parse_qsl(urlsplit(self.path).query)).get("query", "")
        statement = (query or body.decode()).lstrip()
        for start, failure in self.front.refuse.items():
            if start in statement:
                self._fail(failure)
                return
        if statement.startswith("INSERT"):
            self.front.inserts += 1
            if self.front.failures:
                self._fail(self.front.failures.popleft())
                return
            text = body.decode()
            lines = text[text.index("{") :].splitlines()
            self.front.rows += [json.loads(line) for line in lines]
            table = statement.split()[2].replace("`", "").rpartition(".")[2]
            self.front.tables[table] += len(lines)
            self._send(200, b"")
        elif statement.startswith("SELECT version()"):
            self._send(200, b"26.9.2.1\tUTC\n")
        else:
            self._send(200, b"")

    def log_message(self, *_: Any) -> None:
        pass

    def _fail(self, failure: Failure) -> None:
        if failure.kind == "silence":
            self.front.ended.wait(60)
            self.close_connection = True
        elif failure.kind == "cut":
            self.close_connection = True
        else:
            self._send(failure.status, failure.words.encode(), failure.code)

    def _send(self, status: int, content: bytes, code: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-ClickHouse-Summary", "{}")
        if code is not None:
            self.send_header("X-ClickHouse-Exception-Code", str(code))
        self.end_headers()
        self.wfile.write(content)
