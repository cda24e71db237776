"""One connection to the vendor, from the handshake to its end; never used twice.

The official client reads the socket, in raw mode. Its reconnecting, its book of subscriptions and
its view of the server's replies lose data in ways measured with version 1.16.3: it returns silently
when the server closes normally, forgets its subscriptions if the connection drops twice, counts
reconnects over its lifetime, retries failed handshakes for ever without a word, takes any reply but
`auth_failed` for success, and `unsubscribe("A.*")` drops `AM.*`. So each connection gets a fresh
client that knows no subscriptions, never reconnects, and shows us the reply to the key.
"""

import asyncio
import json
import logging
import sys
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

import structlog
from polygon.websocket import WebSocketClient
from websockets.exceptions import ConnectionClosed

from polygon_streaming.feed.frames import Head
from polygon_streaming.process import metrics
from polygon_streaming.subscriptions.parse import change

log = structlog.get_logger()
_LIBRARY_LOG: Final = logging.getLogger("websockets.client")

# Frames that may wait for us in memory. The library's default of 16 would push back on the server
# at the first pause, and the server cuts off slow readers.
_WAITING_FRAMES: Final = 65_536
# Names sent in one message, so that a list of all stocks is not one huge message.
_NAMES_PER_MESSAGE: Final = 500
_AUTH_SECONDS: Final = 15.0
_CLOSE_SECONDS: Final = 2
# Statuses after which the server ends the connection.
_ENDING: Final = ("max_connections", "force_disconnect", "slow_consumer", "auth_timeout")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a market is streamed, and the key for it."""

    host: str
    market: str
    api_key: str
    tls: bool = True


@dataclass(frozen=True, slots=True)
class End:
    """Why a connection ended.

    Attributes:
        reason: `auth_failed`, `max_connections`, `slow_consumer`, `handshake`, `silent`,
            `closed 1001`, `stopped`...: few values, fit for a metric.
        detail: the server's or the library's own words.
        authorised: whether the key had been accepted.
    """

    reason: str
    detail: str = ""
    authorised: bool = False


class _HandshakeFailed(Exception):
    pass


class _Refused(Exception):
    def __init__(self, status: str, message: str) -> None:
        super().__init__(message)
        self.status = status


class Connection:
    """One connection and the subscriptions that were sent and confirmed on it."""

    def __init__(self, endpoint: Endpoint, on_frame: Callable[[str, "Connection"], None]) -> None:
        """Prepare a connection.

        Args:
            endpoint: see there.
            on_frame: gets each frame after the key was accepted. It must not block.
        """
        self.id = uuid.uuid4().hex[:12]
        self.authorised = asyncio.Event()
        self._endpoint = endpoint
        self._on_frame = on_frame
        self._sent: set[str] = set()
        self._confirmed: set[str] = set()
        self._ending = ""
        self._ending_words = ""
        self._not_authorised = 0
        self._client = WebSocketClient(
            api_key=endpoint.api_key,
            feed=endpoint.host,
            market=endpoint.market,
            raw=True,
            subscriptions=[],
            max_reconnects=0,
            secure=endpoint.tls,
            custom_json=_Wire(self),
        )

    @property
    def unconfirmed(self) -> set[str]:
        """What was sent and not confirmed."""
        return self._sent - self._confirmed

    @property
    def confirmed(self) -> int:
        """How many subscriptions are confirmed."""
        return len(self._confirmed)

    @property
    def refusals(self) -> int:
        """How often the server said `not authorized`; it does not say for which subscription."""
        return self._not_authorised

    async def run(self) -> End:
        """Read the socket until the connection ends, and return why it did."""
        reading = asyncio.create_task(self._read())
        try:
            try:
                await asyncio.wait_for(self._authorised_or(reading), _AUTH_SECONDS)
            except asyncio.TimeoutError:
                self.close("auth_timeout", f"no reply to the key in {_AUTH_SECONDS:.0f} s")
            return await reading
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    def close(self, reason: str, detail: str = "") -> None:
        """End the connection; `run` returns with this reason."""
        if not self._ending:
            self._ending, self._ending_words = reason, detail
        socket = self._client.websocket
        if socket is not None:
            self._closing = asyncio.ensure_future(socket.close())

    async def want(self, names: Iterable[str]) -> None:
        """Subscribe and unsubscribe so that exactly `names` are subscribed to."""
        names = set(names)
        difference = change(self._sent, names)
        self._sent = names
        self._confirmed &= names
        await self._send("unsubscribe", difference.remove)
        await self._send("subscribe", difference.add)

    def on_status(self, head: Head) -> None:
        """Take in a status message of the server."""
        metrics.statuses.labels(self._endpoint.market, head.status).inc()
        _, _, name = head.message.partition("subscribed to: ")
        if head.status == "success" and name:
            if not head.message.startswith("un"):
                self._confirmed.update(
                    n.strip() for n in name.split(",") if n.strip() in self._sent
                )
            return
        if head.status in _ENDING:
            self._ending, self._ending_words = head.status, head.message
        if head.status == "error" and "not authorized" in head.message.lower():
            self._not_authorised += 1
        log.warning(
            "server status",
            market=self._endpoint.market,
            status=head.status,
            message=head.message,
            connection=self.id,
        )

    def on_auth_reply(self, statuses: list[dict[str, Any]]) -> None:
        """Take in the reply to the key.

        Raises:
            _Refused: it was not accepted.
        """
        for status in statuses:
            name = str(status.get("status"))
            metrics.statuses.labels(self._endpoint.market, name).inc()
            if name not in ("auth_success", "connected"):
                raise _Refused(name, str(status.get("message", "")))
        self.authorised.set()

    async def _authorised_or(self, reading: asyncio.Task[End]) -> None:
        waiting = asyncio.create_task(self.authorised.wait())
        try:
            await asyncio.wait({waiting, reading}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()

    async def _read(self) -> End:
        try:
            await self._client.connect(
                self._process,
                close_timeout=_CLOSE_SECONDS,
                max_size=None,  # a busy open sends frames over the library's 1 MiB
                max_queue=_WAITING_FRAMES,
                compression=None,
                proxy=None,  # the library would take any proxy of the environment, SOCKS included
                logger=_NoRetry(_LIBRARY_LOG, {}),
            )
        except _HandshakeFailed as error:
            return End("handshake", str(error))
        except _Refused as error:
            return End(error.status, str(error))
        except ConnectionClosed as error:
            return self._end(str(error))
        except OSError as error:
            return self._end(str(error))
        finally:
            await self._hang_up()
        return self._end("")

    def _end(self, detail: str) -> End:
        socket: Any = self._client.websocket
        code = getattr(socket, "close_code", None)
        words = self._ending_words or getattr(socket, "close_reason", None) or detail
        reason = self._ending or f"closed {code}"
        return End(reason, words, authorised=self.authorised.is_set())

    async def _hang_up(self) -> None:
        socket = self._client.websocket
        if socket is not None:
            await socket.close()

    async def _process(self, frame: Any) -> None:
        text = frame if isinstance(frame, str) else bytes(frame).decode(errors="replace")
        self._on_frame(text, self)

    async def _send(self, action: str, names: list[str]) -> None:
        socket = self._client.websocket
        for start in range(0, len(names), _NAMES_PER_MESSAGE):
            if socket is None:
                return
            params = ",".join(names[start : start + _NAMES_PER_MESSAGE])
            try:
                await socket.send(json.dumps({"action": action, "params": params}))
            except ConnectionClosed:
                return  # `run` is about to say so


class _Wire:
    """The JSON library that the client is given: it shows us the one reply that it reads."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @staticmethod
    def dumps(message: Any) -> str:
        return json.dumps(message)

    def loads(self, text: str) -> Any:
        try:
            statuses = json.loads(text)
            well_formed = isinstance(statuses, list) and statuses and isinstance(statuses[0], dict)
        except ValueError:
            well_formed = False
        if not well_formed:
            raise _Refused("unreadable_reply", "the reply to the key is not a list of statuses")
        self._connection.on_auth_reply(statuses)
        return statuses


class _NoRetry(logging.LoggerAdapter):  # type: ignore[type-arg] # not generic in Python 3.10
    """The library's logger: the one place where it tells of a failed handshake, before it retries.

    It is told not to, by an exception.
    """

    def info(self, msg: object, *args: object, **kwargs: Any) -> None:
        """Raise if this is about a failed handshake."""
        error = sys.exc_info()[1]
        if error is not None and "connect failed" in str(msg):
            raise _HandshakeFailed(f"{type(error).__name__}: {error}")
        super().info(msg, *args, **kwargs)
