"""A server of one list, as many rows a page as it is told, whatever is asked for.

The sandbox makes each answer when it is asked for it; here the bodies are ready, so that a page of
50,000 rows comes at once and the machine is the contenders' own.
"""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import parse_qs, urlsplit

import orjson


class Pages:
    """The server, on a free port, for as long as it is entered.

    Attributes:
        url: its address.
        requests: the paths with queries that it was asked for.
    """

    def __init__(self, rows: list[dict[str, object]], pages: int) -> None:
        """Take what to serve.

        Args:
            rows: the rows of a page. Every second page has them in reverse, since no page may come
                twice in a row.
            pages: how many pages the list has.
        """
        self.requests: list[str] = []
        bodies = [orjson.dumps(rows), orjson.dumps(rows[::-1])]
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                server.requests.append(self.path)
                path, number = urlsplit(self.path), 0
                if cursor := parse_qs(path.query).get("cursor"):
                    number = int(cursor[0])
                around = {"status": "OK", "request_id": f"{number:032x}"}
                if number + 1 < pages:
                    around["next_url"] = f"{server.url}{path.path}?cursor={number + 1}"
                head = orjson.dumps(around)[:-1] + b',"results":'
                body = bodies[number % 2]
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(head) + len(body) + 1))
                self.end_headers()
                self.wfile.write(head)
                self.wfile.write(body)
                self.wfile.write(b"}")

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def clear_requests(self) -> None:
        """Forget what was asked for."""
        self.requests.clear()

    def __enter__(self) -> "Pages":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
