"""The API without a socket: key check, rate limit, answer, faults, and a record of it all."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from urllib.parse import urlencode

from polygon_sandbox import answers, replies
from polygon_sandbox.answers import Ask
from polygon_sandbox.contract import KEY_PARAMETER, BadRequest, Endpoint
from polygon_sandbox.faults import Call, Faults
from polygon_sandbox.flat_files import FlatFiles, s3
from polygon_sandbox.flat_files.s3 import S3Request
from polygon_sandbox.plan import Plan, RateLimiter
from polygon_sandbox.replies import Reply
from polygon_sandbox.world import World

log = logging.getLogger("polygon_sandbox")

Hook = Callable[[str, Mapping[str, str]], None]


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it was answered. `query` leaves out the key.

    `status` is 0 where the connection was reset before an answer; `at` is real time, in seconds
    since 1970 UTC.
    """

    path: str
    query: dict[str, str]
    status: int
    authorized: bool
    key_in_url: bool
    at: float
    method: str = "GET"


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request as it came in; `endpoint` is None for an unknown path."""

    endpoint: Endpoint | None
    origin: str
    path: str
    path_values: Mapping[str, str]
    pairs: Sequence[tuple[str, str]]
    authorization: str

    def key(self) -> str:
        """The API key from the header or, failing that, from the URL; empty if there is none."""
        scheme, _, token = self.authorization.partition(" ")
        if scheme.lower() == "bearer" and token:
            return token.strip()
        return dict(self.pairs).get(KEY_PARAMETER, "")


class Service:
    """Answers requests about one world under one plan."""

    def __init__(
        self, world: World, plan: Plan, key: str, strict: bool, flat_files: FlatFiles
    ) -> None:
        self.world = world
        self.flat_files = flat_files
        self.key = key
        self.faults = Faults()
        self.hook: Hook | None = None
        self._strict = strict
        self._lock = Lock()
        self._requests: list[Request] = []
        self._allowance = (plan, RateLimiter(plan))

    @property
    def plan(self) -> Plan:
        """The plan behind the key; a new one starts with an unused rate limit."""
        return self._allowance[0]

    @plan.setter
    def plan(self, plan: Plan) -> None:
        self._allowance = (plan, RateLimiter(plan))

    def requests(self) -> list[Request]:
        """The requests so far, oldest first."""
        with self._lock:
            return list(self._requests)

    def clear_requests(self) -> None:
        """Forget the requests so far."""
        with self._lock:
            self._requests.clear()

    def answer(self, incoming: Incoming) -> Reply:
        """The reply to a request, after the hook and the faults; the request is recorded."""
        at = time.time()
        query = {name: value for name, value in incoming.pairs if name != KEY_PARAMETER}
        if self.hook is not None:
            self.hook(incoming.path, query)
        plan, limiter = self._allowance
        authorized = incoming.key() == self.key and plan.key_known
        reply = self._refusal(incoming, plan, limiter, authorized)
        if reply is None:
            call = Call(incoming.origin, incoming.path, query)
            path_and_query = f"{incoming.path}?{urlencode(query)}" if query else incoming.path
            reply = self.faults.strike(self._honest(incoming, plan), call, path_and_query)
        request = Request(
            path=incoming.path,
            query=query,
            status=0 if reply.wire == "reset" else reply.status,
            authorized=authorized,
            key_in_url=any(name == KEY_PARAMETER for name, _ in incoming.pairs),
            at=at,
        )
        with self._lock:
            self._requests.append(request)
        log.info("%s %s %s", request.status, incoming.path, urlencode(query))
        return reply

    def answer_s3(self, asked: S3Request, origin: str) -> Reply:
        """The reply to a request for flat files, after the hook and the faults; it is recorded."""
        at = time.time()
        query = {name: value for name, value in asked.pairs if not name.startswith("X-Amz-")}
        if self.hook is not None:
            self.hook(asked.path, query)
        honest = s3.answer(self.flat_files, self.plan, self.key, asked)
        call = Call(origin, asked.path, query)
        path_and_query = f"{asked.path}?{urlencode(query)}" if query else asked.path
        reply = self.faults.strike(honest, call, path_and_query)
        request = Request(
            path=asked.path,
            query=query,
            status=0 if reply.wire == "reset" else reply.status,
            authorized=reply.status not in (401, 403),
            key_in_url=any(self.key in value for _, value in asked.pairs),
            at=at,
            method=asked.method,
        )
        with self._lock:
            self._requests.append(request)
        log.info("%s %s %s %s", request.status, asked.method, asked.path, urlencode(query))
        return reply

    def _refusal(
        self, incoming: Incoming, plan: Plan, limiter: RateLimiter, authorized: bool
    ) -> Reply | None:
        """What the gate says before an endpoint is asked."""
        if incoming.endpoint is None:
            return replies.no_route()
        if not incoming.key():
            # Unverified: reports name 400, the spec lists only 401.
            return replies.error(401, "API Key was not provided")
        if not authorized:
            return replies.error(401, "Unknown API Key")
        wait_seconds = limiter.wait_seconds(incoming.path)
        if wait_seconds:
            return replies.too_many_requests(wait_seconds, plan.retry_after, plan.empty_429_body)
        return None

    def _honest(self, incoming: Incoming, plan: Plan) -> Reply:
        if incoming.endpoint is None:
            return replies.no_route()
        url = incoming.origin + incoming.path
        ask = Ask(incoming.endpoint, url, incoming.path_values, incoming.pairs, self._strict)
        try:
            return answers.answer(self.world, plan, ask)
        except BadRequest as error:
            return replies.error(400, str(error))
