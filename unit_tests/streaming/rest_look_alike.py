"""A look-alike of the REST API: bars in pages, and whatever else a test has it answer."""

import json
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar, NamedTuple
from urllib.parse import urlsplit

START = 1763994600000  # 2025-11-24 14:30 UTC


class Reply(NamedTuple):
    """An answer of the look-alike; in a list, the answers one after the other."""

    status: int
    body: Any


class RestLookAlike(BaseHTTPRequestHandler):
    """Serves a bar for each second or minute asked for, in pages of two."""

    asked: list[str]
    keys: list[str]
    odd: ClassVar[dict[str, Any]] = {}
    status = "DELAYED"

    def do_GET(self) -> None:
        type(self).asked.append(self.path)
        type(self).keys.append(self.headers["Authorization"])
        if self.headers["Authorization"] != "Bearer good":
            self._reply(401, {"status": "ERROR", "error": "Unknown API Key"})
            return
        parts = urlsplit(self.path).path.split("/")
        if parts[3] == "grouped":
            self._reply(200, {"status": "OK", "results": [{"T": "AAPL"}, {"T": "MSFT"}]})
            return
        if parts[4] in self.odd:
            odd = self.odd[parts[4]]
            if isinstance(odd, list) and odd and isinstance(odd[0], Reply):
                odd = odd.pop(0) if len(odd) > 1 else odd[0]
            self._reply(*odd if isinstance(odd, Reply) else (200, odd))
            return
        start, end = int(parts[8]), int(parts[9])
        step = 1000 if parts[7] == "second" else 60_000
        bars = [
            {"t": t, "o": 10, "h": 12.5, "l": 9, "c": 11, "v": 33.5, "vw": 10.5, "n": 3}
            for t in range(-(-start // step) * step, end + 1, step)
        ]
        body: dict[str, Any] = {"status": self.status, "results": bars[:2]}
        if len(bars) > 2:
            following = "/".join([*parts[:8], str(bars[2]["t"]), str(end)])
            body["next_url"] = f"https://elsewhere.example{following}?cursor=x"
        self._reply(200, body)

    def log_message(self, *_: Any) -> None:
        pass

    def _reply(self, status: int, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def bar(**changes: Any) -> dict[str, Any]:
    return {"t": START, "o": 10, "h": 12.5, "l": 9, "c": 11, "v": 33.5, **changes}


GOOD = Reply(200, {"status": "OK", "results": [bar()]})
