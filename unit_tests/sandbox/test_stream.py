"""The streaming look-alike, spoken to over a bare WebSocket."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from polygon_sandbox import StreamFault, StreamSandbox
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed


@pytest.fixture
def server() -> Iterator[StreamSandbox]:
    with StreamSandbox(
        symbols=["AAPL", "MSFT"], rate=1000, events_per_frame=10, max_connections=1,
        not_authorized=["T"],
    ) as started:  # fmt: skip
        yield started


@asynccontextmanager
async def _talk(url: str) -> AsyncIterator[ClientConnection]:
    """Connect to the market of stocks; what takes longer than 20 s is given up."""
    task = asyncio.current_task()
    assert task is not None
    giving_up = asyncio.get_running_loop().call_later(20, task.cancel)
    try:
        async with connect(f"{url}/stocks", max_size=None, proxy=None) as socket:
            yield socket
    finally:
        giving_up.cancel()


async def _next(socket: ClientConnection) -> list[dict[str, Any]]:
    frame: list[dict[str, Any]] = json.loads(await socket.recv())
    return frame


async def _login(socket: ClientConnection, key: str = "sandbox-key-0123456789") -> str:
    assert (await _next(socket))[0]["status"] == "connected"
    await socket.send(json.dumps({"action": "auth", "params": key}))
    return str((await _next(socket))[0]["status"])


async def _subscribe(socket: ClientConnection, params: str) -> None:
    await socket.send(json.dumps({"action": "subscribe", "params": params}))


async def test_acks_one_by_one_silence_for_the_unknown_and_a_refusal(server: StreamSandbox) -> None:
    async with _talk(server.url) as socket:
        assert await _login(socket) == "auth_success"
        await _subscribe(socket, "ZZ.AAPL,T.AAPL,A.NOTATICKER,AM.AAPL,AM.AAPL")
        assert [(s["status"], s["message"]) for s in await _next(socket)] == [
            ("error", "not authorized"),
            ("success", "subscribed to: A.NOTATICKER"),
            ("success", "subscribed to: AM.AAPL"),
        ]


async def test_events_are_numbered_without_a_hole(server: StreamSandbox) -> None:
    async with _talk(server.url) as socket:
        await _login(socket)
        await _subscribe(socket, "A.*")
        await _next(socket)
        events = [event for _ in range(20) for event in await _next(socket)]
        assert [event["n"] for event in events] == list(range(1, 201))
        assert {event["sym"] for event in events} == {"AAPL", "MSFT"}


async def test_a_wrong_key_is_refused_and_cut_off(server: StreamSandbox) -> None:
    async with _talk(server.url) as socket:
        assert await _login(socket, "wrong") == "auth_failed"
        with pytest.raises(ConnectionClosed) as caught:
            await socket.recv()
        assert caught.value.rcvd is None, "without a close frame"


async def test_the_older_connection_is_evicted(server: StreamSandbox) -> None:
    async with _talk(server.url) as older:
        await _login(older)
        async with connect(f"{server.url}/stocks", proxy=None) as newer:
            assert await _login(newer) == "auth_success"
            assert (await _next(older))[0]["status"] == "max_connections"
            with pytest.raises(ConnectionClosed) as caught:
                await older.recv()
            assert caught.value.rcvd is not None
            assert caught.value.rcvd.code == 1008


@pytest.mark.parametrize("code", [1000, 1001, 1008, 1011])
async def test_scripted_closes(server: StreamSandbox, code: int) -> None:
    server.faults.add(StreamFault.close(code, after_frames=2))

    async with _talk(server.url) as socket:
        await _login(socket)
        await _subscribe(socket, "A.*")
        async for _ in _until_closed(socket):
            pass
        assert socket.close_code == code
    async with _talk(server.url) as socket:
        assert await _login(socket) == "auth_success"


async def _until_closed(socket: ClientConnection) -> AsyncIterator[str | bytes]:
    try:
        while True:
            yield await socket.recv()
    except ConnectionClosed:
        return


async def test_the_same_seed_tells_the_same_story() -> None:
    told: list[dict[int, float]] = []
    for seed in (3, 3, 4):
        with StreamSandbox(["AAPL"], rate=20_000, events_per_frame=200, seed=seed) as server:
            async with _talk(server.url) as socket:
                await _login(socket)
                await _subscribe(socket, "A.AAPL")
                await _next(socket)
                told.append({event["s"]: event["o"] for event in await _next(socket)})
    first, second, other = told
    both = set(first) & set(second)
    assert len(both) > 100, "they began within some seconds of each other"
    assert {start: first[start] for start in both} == {start: second[start] for start in both}
    assert all(other[start] != first[start] for start in set(first) & set(other))


async def test_nothing_happens_while_it_is_silent() -> None:
    with StreamSandbox(["AAPL"], clocked=True) as quiet:
        quiet.silent = True
        async with _talk(quiet.url) as socket:
            await _login(socket)
            await _subscribe(socket, "A.AAPL")
            await _next(socket)
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(socket.recv(), 1.5)
            assert (quiet.sent, quiet.seconds) == (0, {})
            quiet.silent = False
            events = await _next(socket)
            assert [event["n"] for event in events] == [1]
            # It counts what has gone out, and that can be here before.
            deadline = time.monotonic() + 10
            while not quiet.seconds and time.monotonic() < deadline:
                await asyncio.sleep(0.01)
            assert quiet.seconds == {events[0]["e"] // 1000: 1}
