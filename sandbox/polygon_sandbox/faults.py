"""Scripted faults: what can go wrong between an honest answer and its reader."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any

import orjson

from polygon_sandbox import paging, replies
from polygon_sandbox.flat_files import s3_errors
from polygon_sandbox.replies import Reply

_HTML = b"<!DOCTYPE html><html><body><h1>We'll be right back</h1></body></html>"


@dataclass(frozen=True, slots=True)
class Call:
    """The request a fault is about to spoil; `origin` is scheme, host and port as called."""

    origin: str
    path: str
    query: Mapping[str, str]


Change = Callable[[Reply, Call], Reply]


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault for requests whose path and query match the regular expression `path`.

    It lets `skip` matching requests pass, spoils the next `times` (None: all of them), and then
    is over. Faults strike only requests that passed the key check and the rate limit.
    """

    name: str
    change: Change = field(repr=False)
    path: str = ""
    times: int | None = 1
    skip: int = 0

    @classmethod
    def status(
        cls,
        code: int,
        body: str | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        path: str = "",
        times: int | None = 1,
        skip: int = 0,
    ) -> "Fault":
        """Another status; the body is the given text or a matching ERROR document."""

        def change(_reply: Reply, _call: Call) -> Reply:
            plain = replies.error(code, f"scripted status {code}")
            text = plain.body if body is None else body.encode()
            return replace(plain, body=text, headers=dict(headers or {}))

        return cls(f"status {code}", change, path, times, skip)

    @classmethod
    def html(cls, *, path: str = "", times: int | None = 1, skip: int = 0) -> "Fault":
        """A web page with status 200, as a proxy sends it."""
        return cls("html", lambda *_: Reply(200, _HTML, "text/html"), path, times, skip)

    @classmethod
    def truncated_json(cls, *, path: str = "", times: int | None = 1, skip: int = 0) -> "Fault":
        """A complete HTTP message whose JSON stops half-way."""

        def change(reply: Reply, _call: Call) -> Reply:
            return replace(reply, body=reply.body[: len(reply.body) // 2])

        return cls("truncated JSON", change, path, times, skip)

    @classmethod
    def cut_body(cls, *, path: str = "", times: int | None = 1, skip: int = 0) -> "Fault":
        """Content-Length promises the whole body, the connection dies after half of it."""
        return cls("cut body", lambda reply, _: replace(reply, wire="cut"), path, times, skip)

    @classmethod
    def reset(cls, *, path: str = "", times: int | None = 1, skip: int = 0) -> "Fault":
        """The connection is reset before any byte of an answer."""
        return cls("reset", lambda reply, _: replace(reply, wire="reset"), path, times, skip)

    @classmethod
    def error_status(cls, *, path: str = "", times: int | None = 1, skip: int = 0) -> "Fault":
        """Status 200 with a body that says ERROR."""

        def change(_reply: Reply, _call: Call) -> Reply:
            return replies.error(200, "Internal server error")

        return cls("error with 200", change, path, times, skip)

    @classmethod
    def not_authorized_200(cls, *, path: str = "", times: int | None = 1, skip: int = 0) -> "Fault":
        """Status 200 with a body that says NOT_AUTHORIZED (seen on an options endpoint)."""

        def change(_reply: Reply, _call: Call) -> Reply:
            return replies.not_authorized("You are not entitled to this data.", 200)

        return cls("not authorized with 200", change, path, times, skip)

    @classmethod
    def foreign_next_url(
        cls, host: str, *, path: str = "", times: int | None = 1, skip: int = 0
    ) -> "Fault":
        """`next_url` leads to another host (given with its scheme), on the last page as well."""

        def change(reply: Reply, call: Call) -> Reply:
            content = _content(reply)
            honest = content.get("next_url") or _first_page(call)
            return _json({**content, "next_url": host + honest[len(call.origin) :]}, reply)

        return cls("foreign next_url", change, path, times, skip)

    @classmethod
    def repeated_next_url(cls, *, path: str = "", times: int | None = 1, skip: int = 0) -> "Fault":
        """Every page names the cursor that led to it, so that a naive reader never ends."""

        def change(reply: Reply, call: Call) -> Reply:
            content = _content(reply)
            cursor = call.query.get("cursor")
            same = f"{call.origin}{call.path}?cursor={cursor}"
            honest = content.get("next_url") or _first_page(call)
            return _json({**content, "next_url": same if cursor else honest}, reply)

        return cls("repeated next_url", change, path, times, skip)

    @classmethod
    def missing_status(cls, *, path: str = "", times: int | None = 1, skip: int = 0) -> "Fault":
        """A good document without its status field."""

        def change(reply: Reply, _call: Call) -> Reply:
            content = _content(reply)
            content.pop("status", None)
            return _json(content, reply)

        return cls("missing status", change, path, times, skip)

    @classmethod
    def no_results(cls, *, path: str = "", times: int | None = 1, skip: int = 0) -> "Fault":
        """An OK whose `results` are null, where there are rows (seen in 5 to 20 of 4,000 answers).

        A bare list comes empty.
        """

        def change(reply: Reply, _call: Call) -> Reply:
            content = _content(reply)
            counts = dict.fromkeys(content.keys() & {"count", "queryCount", "resultsCount"}, 0)
            empty = {**content, **counts, "results": None}
            empty.pop("next_url", None)
            return _json(empty, reply) if content else replace(reply, body=b"[]")

        return cls("no results", change, path, times, skip)

    @classmethod
    def rows(
        cls,
        change_row: Callable[[dict[str, Any]], Any],
        *,
        path: str = "",
        times: int | None = 1,
        skip: int = 0,
    ) -> "Fault":
        """An answer whose rows are each what `change_row` makes of them."""

        def change(reply: Reply, _call: Call) -> Reply:
            content = orjson.loads(reply.body)
            rows = content if isinstance(content, list) else content.get("results") or []
            changed = [change_row(row) for row in rows]
            body = changed if isinstance(content, list) else {**content, "results": changed}
            return replace(reply, body=json.dumps(body).encode())

        return cls("changed rows", change, path, times, skip)

    @classmethod
    def delay(
        cls, seconds: float, *, path: str = "", times: int | None = 1, skip: int = 0
    ) -> "Fault":
        """The honest answer, late."""

        def change(reply: Reply, _call: Call) -> Reply:
            return replace(reply, delay_seconds=reply.delay_seconds + seconds)

        return cls(f"delay {seconds} s", change, path, times, skip)

    @classmethod
    def slow_down(cls, *, path: str = "", times: int | None = 1, skip: int = 0) -> "Fault":
        """The 503 of S3 under load."""
        return cls("slow down", lambda *_: s3_errors.slow_down(), path, times, skip)

    @classmethod
    def redirect(
        cls, location: str, *, path: str = "", times: int | None = 1, skip: int = 0
    ) -> "Fault":
        """A 302 to another place."""

        def change(_reply: Reply, _call: Call) -> Reply:
            return Reply(302, b"", "text/plain", {"Location": location})

        return cls("redirect", change, path, times, skip)


class Faults:
    """The faults of a sandbox, struck in the order added; several can meet one request."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._script: list[tuple[Fault, list[int]]] = []

    def add(self, fault: Fault) -> None:
        """Put a fault at the end of the script."""
        re.compile(fault.path)
        with self._lock:
            self._script.append((fault, [0]))

    def clear(self) -> None:
        """Forget all faults."""
        with self._lock:
            self._script.clear()

    def strike(self, reply: Reply, call: Call, path_and_query: str) -> Reply:
        """The answer after every fault that is due for this request."""
        for fault in self._due(path_and_query):
            spoilt = fault.change(reply, call)
            # A delay outlives the faults that put another answer in its place.
            delay_seconds = max(reply.delay_seconds, spoilt.delay_seconds)
            reply = replace(spoilt, delay_seconds=delay_seconds)
        return reply

    def _due(self, path_and_query: str) -> list[Fault]:
        due = []
        with self._lock:
            for fault, seen in self._script:
                if not re.search(fault.path, path_and_query):
                    continue
                seen[0] += 1
                number = seen[0] - fault.skip
                if number >= 1 and (fault.times is None or number <= fault.times):
                    due.append(fault)
        return due


def _content(reply: Reply) -> dict[str, Any]:
    """The JSON object of an answer; an array or a text has no fields to spoil."""
    content = orjson.loads(reply.body) if reply.content_type == "application/json" else None
    return content if isinstance(content, dict) else {}


def _json(content: Mapping[str, Any], reply: Reply) -> Reply:
    return replace(reply, body=orjson.dumps(content))


def _first_page(call: Call) -> str:
    return f"{call.origin}{call.path}?cursor={paging.encode(call.query, None)}"
