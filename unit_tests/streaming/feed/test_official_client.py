"""The vendor's client under both its names: each is kept from the same faults."""

import asyncio
import socket
import sys
from typing import Any

import pytest
from polygon_sandbox import StreamFault, StreamSandbox
from polygon_streaming.errors import ConfigError
from polygon_streaming.feed.connection import Connection, Endpoint
from polygon_streaming.feed.frames import Split
from polygon_streaming.feed.official_client import MODULES, require
from polygon_streaming.feed.protocol import End
from polygon_streaming.settings import ClientName
from websockets.asyncio.server import ServerConnection, serve


@pytest.fixture(params=["polygon-api-client", "massive"])
def client(request: pytest.FixtureRequest) -> ClientName:
    name: ClientName = request.param
    pytest.importorskip(MODULES[name])
    return name


class Listener:
    """A connection with one subscription, until its end or `enough` events."""

    def __init__(self, client: ClientName, host: str, key: str, enough: int = 0) -> None:
        endpoint = Endpoint(host, "stocks", key, tls=False, client=client)
        self.connection = Connection(endpoint, self._take)
        self.texts: list[str] = []
        self._enough = enough

    async def run(self) -> End:
        running = asyncio.create_task(self.connection.run())
        waiting = asyncio.create_task(self.connection.authorised.wait())
        await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        await self.connection.want(["A.AAPL"])
        return await asyncio.wait_for(running, 20)

    def _take(self, events: Split, _: Any) -> None:
        self.texts += events.texts + [text for text, _ in events.broken]
        if self._enough and len(self.texts) >= self._enough:
            self.connection.close("stopped")


async def test_events_come_as_they_were_sent(client: ClientName, server: StreamSandbox) -> None:
    listener = Listener(client, server.host, server.key, enough=20)
    assert await listener.run() == End("stopped", authorised=True)
    assert all(text.startswith('{"ev":"A","sym":"AAPL"') for text in listener.texts)
    assert listener.connection.protocol.unconfirmed == set()
    assert listener.connection.protocol.confirmed == 1


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (StreamFault.close(1000), "closed 1000"),
        (StreamFault.close(1011), "closed 1011"),
        (StreamFault.drop(), "closed 1006"),
        (StreamFault.slow_consumer(), "slow_consumer"),
    ],
    ids=lambda value: value.name if isinstance(value, StreamFault) else "",
)
async def test_every_end_is_told_and_nothing_is_tried_again(
    client: ClientName, server: StreamSandbox, fault: StreamFault, reason: str
) -> None:
    server.faults.add(fault)
    end = await Listener(client, server.host, server.key).run()
    assert (end.reason, end.authorised) == (reason, True)
    assert len(server.connections) == 1


async def test_a_key_that_is_not_accepted_ends_it(
    client: ClientName, server: StreamSandbox
) -> None:
    end = await Listener(client, server.host, "wrong").run()
    assert (end.reason, end.authorised) == ("auth_failed", False)
    assert end.detail
    assert len(server.connections) == 1


async def test_a_handshake_that_fails_ends_it_at_once(client: ClientName) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        host = f"127.0.0.1:{taken.getsockname()[1]}"
        end = await Listener(client, host, "key").run()
    assert end.reason == "handshake"
    assert "ConnectionRefusedError" in end.detail


async def test_a_binary_frame_is_text_and_what_is_not_text_in_it_is_marked(
    client: ClientName,
) -> None:
    async def talk(socket: ServerConnection) -> None:
        await socket.send('[{"ev":"status","status":"connected"}]')
        await socket.recv()
        await socket.send('[{"ev":"status","status":"auth_success"}]')
        await socket.send(b'[{"ev":"A","sym":"AAPL"}]')
        await socket.send(b'"\xff"')
        await socket.wait_closed()

    async with serve(talk, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        listener = Listener(client, f"127.0.0.1:{port}", "key", enough=2)
        await listener.run()
    assert listener.texts == ['{"ev":"A","sym":"AAPL"}', '"\ufffd"']


def test_a_client_that_is_not_installed_is_a_wrong_setting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "massive.websocket", None)
    with pytest.raises(ConfigError, match=r"websocket_client: massive .* pip install massive"):
        require("massive")
    require("polygon-api-client")
