"""The WebSocket look-alike: the vendor's greeting, key check, subscriptions and events.

    with StreamSandbox(symbols=["AAPL"], rate=1000) as stream:
        ...  # connect to stream.url + "/stocks", or give stream.host to the official client

What it does as the vendor was observed to do: every frame is a JSON array; one market a path; acks
name one subscription each; an unknown channel gets no answer, an unknown ticker an ack and no data,
a repeated subscription no answer; `not authorized` names nothing; a connection over the limit is
evicted after `auth_success` with `max_connections` and close 1008. Which connection is evicted is
not known to be fixed; here it is the older one.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import WSMsgType, web

from polygon_sandbox.background import DEFAULT_KEY, Background
from polygon_sandbox.stream_faults import StreamFault, StreamFaults
from polygon_sandbox.tape import ClockTape, Tape

DEFAULT_SYMBOLS = tuple(f"SYM{n}" for n in range(1, 501))
_MARKETS = {
    "stocks": {"A", "AM", "T", "Q", "LULD", "NOI", "FMV", "LV"},
    "options": {"A", "AM", "T", "Q", "FMV", "LV"},
    "forex": {"C", "CA", "CAS", "AM", "FMV", "LV"},
    "crypto": {"XT", "XQ", "XL2", "XA", "XAS", "AM", "FMV", "LV"},
    "indices": {"A", "AM", "V"},
    "futures": {"A", "AM", "T", "Q"},
}


@dataclass(slots=True, eq=False)
class _Client:
    socket: web.WebSocketResponse
    request: web.Request
    market: str
    fault: StreamFault | None
    subscriptions: set[str] = field(default_factory=set)
    frames: int = 0
    stalled: bool = False


class StreamSandbox(Background):
    """Serves a market over WebSocket for as long as the `with` block lasts.

    Attributes:
        faults: the script of faults to come.
        sent: how many events have been sent to all connections together.
        silent: while it is true no event happens, as outside trading hours.
        lasts: with a clock, how many seconds of events there are, then none; None for ever.
        seconds: with a clock, of each second in which events happened (since 1970 UTC) how many
            events were sent; 0 while nobody listened.
        channels: with a clock, how many events of each channel have been sent.
        connections: when each connection came, in seconds since 1970 UTC.
        received: every message of the clients, the key left out.
        not_in_plan: markets whose connections are refused after the key, as observed.
    """

    def __init__(
        self,
        symbols: Sequence[str] = DEFAULT_SYMBOLS,
        rate: float = 100.0,
        *,
        events_per_frame: int = 100,
        key: str = DEFAULT_KEY,
        seed: int = 7,
        max_connections: int = 0,
        not_authorized: Iterable[str] = (),
        not_in_plan: Iterable[str] = (),
        limit: int | None = None,
        live: bool = False,
        clocked: bool = False,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        """Set up a server.

        Args:
            symbols: what exists; `*` stands for all of them.
            rate: events a second, over all subscriptions of a connection together.
            events_per_frame: how many go into one frame.
            key: the key to accept.
            seed: same seed, same prices.
            max_connections: connections a market allows, 0 for any number.
            not_authorized: channels that the plan does not include.
            not_in_plan: markets that it does not include.
            limit: stop after so many events in all.
            live: let events happen, and be numbered, while nobody listens.
            clocked: instead of a rate, send each bar once, when its window is over, with the
                values that a `Sandbox` of the same seed gives for it afterwards, and each trade and
                quote when its second is over.
            host: address to listen on.
            port: 0 takes a free one.
        """
        super().__init__("polygon-stream-sandbox", host, port)
        self.key = key
        self.rate = rate
        self.events_per_frame = events_per_frame
        self.limit = limit
        self.faults = StreamFaults()
        self.tape = Tape(symbols, seed)
        self._clock_tape = ClockTape(symbols, seed) if clocked else None
        self.sent = 0
        self.silent = False
        self.lasts: int | None = None
        self.seconds: dict[int, int] = {}
        self.channels: Counter[str] = Counter()
        self.connections: list[float] = []
        self.received: list[dict[str, Any]] = []
        self._known = set(symbols)
        self._live = live
        self._max_connections = max_connections
        self.not_authorized = set(not_authorized)
        self.not_in_plan = set(not_in_plan)
        self._clients: list[_Client] = []
        self._extra: deque[bytes | str] = deque()

    @property
    def host(self) -> str:
        """Host and port, as the official client takes it for a feed."""
        return f"{self._host}:{self._port}"

    @property
    def url(self) -> str:
        """Where the markets' paths are, without a trailing slash."""
        return f"ws://{self.host}"

    @property
    def subscriptions(self) -> set[str]:
        """What the connections of now are subscribed to."""
        return set().union(*(client.subscriptions for client in list(self._clients)))

    def send(self, frame: str) -> None:
        """Send a frame of your own to every connection, exactly as it is."""
        self._extra.append(frame)

    def cut(self) -> None:
        """Cut every connection of now, without a close frame."""
        if self._loop is not None:
            for client in list(self._clients):
                self._loop.call_soon_threadsafe(_cut, client)

    def _app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/{market:.*}", self._connect)
        return app

    async def _until(self, stop: asyncio.Event) -> None:
        tape = self._clock_tape
        playing = asyncio.create_task(self._play_bars(tape) if tape else self._play())
        await stop.wait()
        playing.cancel()
        for client in list(self._clients):
            _cut(client)

    async def _connect(self, request: web.Request) -> web.StreamResponse:
        market = request.match_info["market"]
        if market.partition("/")[0] not in _MARKETS:
            return web.Response(status=404, text="404 page not found")
        socket = web.WebSocketResponse(max_msg_size=0, compress=False)
        await socket.prepare(request)
        self.connections.append(time.time())
        client = _Client(socket, request, market.partition("/")[0], self.faults.next())
        try:
            await self._talk(client)
        except (ConnectionError, RuntimeError):
            pass  # the client has gone
        finally:
            if client in self._clients:
                self._clients.remove(client)
        return socket

    async def _talk(self, client: _Client) -> None:
        fault = client.fault
        if fault is not None and fault.at == "connect":
            await _strike(client, fault)
            return
        await _say(client, "connected", "Connected Successfully")
        async for message in client.socket:
            if message.type is not WSMsgType.TEXT:
                continue
            ask = orjson.loads(message.data)
            action, params = ask.get("action"), str(ask.get("params", ""))
            if action == "auth":
                if not await self._authenticate(client, params):
                    return
            else:
                self.received.append(ask)
                if client not in self._clients:
                    await _say(client, "auth_required", "authentication required")
                elif action == "subscribe":
                    await self._subscribe(client, params)
                elif action == "unsubscribe":
                    await self._unsubscribe(client, params)

    async def _authenticate(self, client: _Client, key: str) -> bool:
        fault = client.fault
        if fault is not None and fault.at == "auth":
            await _strike(client, fault)
            # A silent server still reads, so that the connection stays up.
            return fault.wire == "stall"
        if key != self.key:
            await _strike(client, StreamFault.auth_failed())
            return False
        if client.market in self.not_in_plan:
            words = "Your plan doesn't include websocket access."
            await _strike(client, StreamFault.auth_failed(words))
            return False
        await _say(client, "auth_success", "authenticated")
        peers = [other for other in self._clients if other.market == client.market]
        self._clients.append(client)
        if self._max_connections and len(peers) >= self._max_connections:
            await self._end(peers[0], StreamFault.max_connections())
        return True

    async def _subscribe(self, client: _Client, params: str) -> None:
        known = _MARKETS[client.market]
        acks = []
        for name in params.split(","):
            channel = name.partition(".")[0]
            if channel in self.not_authorized:
                acks.append(_status("error", "not authorized"))
            elif channel in known and name not in client.subscriptions:
                client.subscriptions.add(name)
                acks.append(_status("success", f"subscribed to: {name}"))
        if acks:
            await client.socket.send_str(f"[{','.join(acks)}]")

    async def _unsubscribe(self, client: _Client, params: str) -> None:
        acks = []
        for name in params.split(","):
            client.subscriptions.discard(name)
            acks.append(_status("success", f"unsubscribed to: {name}"))
        await client.socket.send_str(f"[{','.join(acks)}]")

    async def _play(self) -> None:
        """Send events at the rate, and the faults that come among them."""
        started, due = time.monotonic(), 0.0
        while True:
            await asyncio.sleep(max(0.001, min(0.05, self.events_per_frame / self.rate / 2)))
            await self._send_extra()
            now = time.monotonic()
            due += self.rate * (now - started)
            started = now
            if self.silent:
                due = 0.0
            if not self._ready_clients():
                if self._live:
                    self.tape.number += int(due)
                due %= 1
            while due >= self.events_per_frame and not self._over():
                due -= self.events_per_frame
                for client in self._ready_clients():
                    await self._send_events(client)
                await asyncio.sleep(0)

    async def _play_bars(self, tape: ClockTape) -> None:
        """Send what of each second is over with it."""
        second = int(time.time())
        while True:
            await asyncio.sleep(0.02)
            await self._send_extra()
            while second < int(time.time()):
                second += 1
                if self.silent or len(self.seconds) == self.lasts:
                    continue
                before = self.sent
                for client in self._ready_clients():
                    await self._send_bars(client, tape, second)
                self.seconds[second] = self.sent - before

    async def _send_bars(self, client: _Client, tape: ClockTape, second: int) -> None:
        events: list[bytes] = []
        for name in sorted(client.subscriptions):
            channel, _, symbol = name.partition(".")
            if symbol == "*" or symbol in self._known:
                over = tape.events(channel, symbol, second, client.market)
                self.channels[channel] += len(over)
                events += over
        if events:
            self.sent += len(events)
            await self._deliver(client, f"[{b','.join(events).decode()}]")

    async def _send_extra(self) -> None:
        while self._extra:
            frame = self._extra.popleft()
            for client in self._ready_clients():
                await self._deliver(client, str(frame))

    async def _send_events(self, client: _Client) -> None:
        names = sorted(client.subscriptions)
        each, more = divmod(self.events_per_frame, len(names))
        now = time.time_ns() // 1_000_000
        events: list[bytes] = []
        for index, name in enumerate(names):
            channel, _, symbol = name.partition(".")
            if symbol == "*" or symbol in self._known:
                count = each + (index < more)
                events += self.tape.events(channel, symbol, count, now, client.market)
        if events:
            self.sent += len(events)
            await self._deliver(client, f"[{b','.join(events).decode()}]")

    async def _deliver(self, client: _Client, frame: str) -> None:
        try:
            await client.socket.send_str(frame)
        except (ConnectionError, RuntimeError):
            return
        client.frames += 1
        fault = client.fault
        if fault is not None and fault.at == "data" and client.frames > fault.after_frames:
            await self._end(client, fault)

    async def _end(self, client: _Client, fault: StreamFault) -> None:
        if fault.wire == "stall":
            client.stalled = True
            return
        if client in self._clients:
            self._clients.remove(client)
        await _strike(client, fault)

    def _ready_clients(self) -> list[_Client]:
        return [c for c in list(self._clients) if c.subscriptions and not c.stalled]

    def _over(self) -> bool:
        return self.limit is not None and self.sent >= self.limit


def _status(status: str, message: str) -> str:
    return orjson.dumps({"ev": "status", "status": status, "message": message}).decode()


async def _say(client: _Client, status: str, message: str) -> None:
    await client.socket.send_str(f"[{_status(status, message)}]")


async def _strike(client: _Client, fault: StreamFault) -> None:
    try:
        if fault.status:
            await _say(client, fault.status, fault.message)
        if fault.wire == "close":
            await client.socket.close(code=fault.code, message=fault.message.encode())
        elif fault.wire == "drop":
            await asyncio.sleep(0.01)  # what was said should arrive before the end does
            _cut(client)
    except (ConnectionError, RuntimeError):
        return  # it has gone already


def _cut(client: _Client) -> None:
    if client.request.transport is not None:
        client.request.transport.abort()
