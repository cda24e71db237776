"""One connection to the vendor, from the handshake to its end; never used twice.

What is said on it is the business of `Protocol`, which has no socket; the socket is read by the
vendor's own client, which is kept from its faults in `official_client`.
"""

import asyncio
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from polygon_streaming.feed.frames import Split
from polygon_streaming.feed.official_client import HandshakeFailed, OfficialClient
from polygon_streaming.feed.protocol import End, Protocol, Refused
from polygon_streaming.settings import ClientName

_AUTH_SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a market is streamed, the key for it, and the client that reads it."""

    host: str
    market: str
    api_key: str
    tls: bool = True
    client: ClientName = "polygon-api-client"


class Connection:
    """One connection, with what was asked for and confirmed on it.

    Attributes:
        id: made up; it is in the headers of each record that came on this connection.
        authorised: set once the key is accepted.
        protocol: what was said.
    """

    def __init__(self, endpoint: Endpoint, on_events: "OnEvents") -> None:
        """Prepare a connection.

        Args:
            endpoint: see there.
            on_events: gets the events of each frame, of which there may be none. It must not block.
        """
        self.id = uuid.uuid4().hex[:12]
        self.authorised = asyncio.Event()
        self.protocol = Protocol(endpoint.market, self.id)
        self._on_events = on_events
        self._client = OfficialClient(
            endpoint.client,
            endpoint.api_key,
            endpoint.host,
            endpoint.market,
            tls=endpoint.tls,
            on_reply=self._take_reply,
        )

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
        self.protocol.close(reason, detail)
        self._closing = asyncio.ensure_future(self._client.close())

    async def want(self, names: Iterable[str]) -> None:
        """Subscribe and unsubscribe so that exactly `names` are subscribed to."""
        for message in self.protocol.want(names):
            if not await self._client.send(message):
                return

    async def _authorised_or(self, reading: asyncio.Task[End]) -> None:
        waiting = asyncio.create_task(self.authorised.wait())
        try:
            await asyncio.wait({waiting, reading}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()

    async def _read(self) -> End:
        try:
            words = await self._client.read(self._take_frame)
        except HandshakeFailed as error:
            return End("handshake", str(error))
        except Refused as error:
            return End(error.status, str(error))
        return self.protocol.end(self._client.close_code, self._client.close_reason or words)

    def _take_reply(self, text: str) -> Any:
        statuses = self.protocol.reply(text)
        if self.protocol.authorised:
            self.authorised.set()
        return statuses

    def _take_frame(self, frame: str) -> None:
        events = self.protocol.receive(frame)
        if self.protocol.authorised:
            self.authorised.set()
        self._on_events(events, self)


OnEvents = Callable[[Split, Connection], None]
