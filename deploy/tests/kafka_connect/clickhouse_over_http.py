"""ClickHouse's HTTP interface in front of the embedded engine: what the connector's client needs.

chDB is ClickHouse, but a library and no server. This answers `/ping`, queries and inserts, so that
the official connector can be tried where no server is at hand.
"""

import gzip
import json
import re
import struct
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import lz4.block
from chdb import session
from clickhouse_cityhash.cityhash import CityHash128

# Parameters of the interface itself; every other one is a setting of the query.
_OWN = {
    "query", "database", "user", "password", "session_id", "query_id", "compress", "decompress",
    "wait_end_of_query", "send_progress_in_http_headers",
}  # fmt: skip
# What the embedded engine has no server for.
_UNKNOWN_TO_CHDB = {"client_protocol_version", "default_format", "role", "client_name"}
_FORMAT = re.compile(r"\bFORMAT\s+(\w+)\s*$", re.IGNORECASE)


class ClickHouseOverHttp:
    """Serves an engine for as long as the `with` block lasts.

    Attributes:
        inserts: the statement and the settings of each insert that came in.
        errors: what the engine has refused.
        refuse: how many of the next inserts fail, with an error that is to be tried again.
    """

    def __init__(self, directory: Path) -> None:
        # The library has no types.
        self.engine: Any = session.Session(str(directory))  # type: ignore[no-untyped-call]
        self.inserts: list[tuple[str, dict[str, str]]] = []
        self.refuse = 0
        self.errors: list[str] = []
        self._lock = Lock()
        handler = type("Handler", (_Handler,), {"front": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.port = int(self._server.server_address[1])

    def __enter__(self) -> "ClickHouseOverHttp":
        Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self.engine.close()

    def rows(self, query: str) -> list[dict[str, Any]]:
        """Return the rows of a query."""
        with self._lock:
            answer = self.engine.query(f"{query} FORMAT JSONEachRow").bytes()
        return [json.loads(line) for line in answer.splitlines()]

    def command(self, statement: str) -> None:
        """Execute a statement."""
        with self._lock:
            self.engine.query(statement)

    def execute(self, statement: str, data: bytes, settings: dict[str, str], form: str) -> bytes:
        """Execute what came in over HTTP; return the answer in the wanted format."""
        given = {k: v for k, v in settings.items() if k not in _OWN | _UNKNOWN_TO_CHDB}
        if statement.lstrip().upper().startswith("INSERT"):
            self.inserts.append((statement, given))
            if self.refuse:
                self.refuse -= 1
                raise RuntimeError("Code: 252. DB::Exception: Too many parts. (TOO_MANY_PARTS)")
            # Settings stand before the format, which the data follow.
            head, _, tail = statement.rpartition("FORMAT")
            change = ", ".join(f"{k} = '{v}'" for k, v in given.items())
            text = f"{head}SETTINGS {change} FORMAT{tail}\n".encode() + data
            with self._lock:
                self.engine.query(text)
            return b""
        found = _FORMAT.search(statement)
        form = found[1] if found else form
        with self._lock:
            return bytes(self.engine.query(_FORMAT.sub("", statement), form).bytes())


class _Handler(BaseHTTPRequestHandler):
    front: ClickHouseOverHttp
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer a ping or a query in the address."""
        self._answer(b"")

    def do_POST(self) -> None:
        """Answer a query, or an insert whose statement is in the address or before the data."""
        self._answer(self._body())

    def log_message(self, *_: Any) -> None:
        """Keep requests out of the log."""

    def _answer(self, body: bytes) -> None:
        address = urlsplit(self.path)
        settings = dict(parse_qsl(address.query, keep_blank_values=True))
        if address.path == "/ping" or not (body or "query" in settings):
            self._send(200, b"Ok.\n", "Text")
            return
        statement = settings.get("query", "")
        if not statement:
            statement, body = body.decode(), b""
        form = self.headers.get("X-ClickHouse-Format", "") or settings.get("default_format", "TSV")
        try:
            answer = self.front.execute(statement, body, settings, form)
            self._send(200, _block(answer) if settings.get("compress") == "1" else answer, form)
        except RuntimeError as error:
            self.front.errors.append(str(error))
            self._send(500, str(error).encode(), "Text")

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

    def _send(self, status: int, content: bytes, form: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-ClickHouse-Format", form)
        self.send_header("X-ClickHouse-Timezone", "UTC")
        self.send_header("X-ClickHouse-Summary", json.dumps({"written_rows": "0"}))
        if status != 200:
            found = re.search(rb"Code: (\d+)", content)
            code = found[1].decode() if found else "1002"
            self.send_header("X-ClickHouse-Exception-Code", code)
        self.end_headers()
        self.wfile.write(content)


def _block(content: bytes) -> bytes:
    """Return a block of ClickHouse's own compression: checksum, method, sizes, LZ4."""
    packed = lz4.block.compress(content, store_size=False)
    block = struct.pack("<BII", 0x82, len(packed) + 9, len(content)) + packed
    checksum = CityHash128(block)
    header = struct.pack("<QQ", checksum >> 64, checksum & (2**64 - 1))
    return bytes(header + block)
