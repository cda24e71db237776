"""A WebSocket server that sends prepared frames as fast as they are read, then closes.

    python frames_server.py EVENTS EVENTS_PER_FRAME

Prints its port on the first line. Greets and authenticates as the vendor does.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from typing import Any

from websockets.asyncio.server import ServerConnection, serve


def second_bar(number: int) -> dict[str, Any]:
    """Return a bar with the fields and lengths of the vendor's."""
    dice = random.Random(number)
    price = round(dice.uniform(5, 400), 4)
    start = 1_795_444_200_000 + number // 5000 * 1000  # 5,000 symbols a second
    return {
        "ev": "A", "sym": f"S{number % 5000}", "v": dice.randrange(1, 9999),
        "dv": f"{dice.uniform(1, 9999):.1f}", "av": dice.randrange(10**7), "dav": "4332125.038360",
        "op": price, "vw": price, "o": price, "c": price, "h": price, "l": price, "a": price,
        "z": dice.randrange(1, 999), "s": start, "e": start + 1000,
    }  # fmt: skip


async def main(events: int, per_frame: int) -> None:
    """Serve one client."""
    distinct = 200
    frames = [
        json.dumps([second_bar(f * per_frame + n) for n in range(per_frame)], separators=(",", ":"))
        for f in range(distinct)
    ]
    over = asyncio.Event()

    async def talk(socket: ServerConnection) -> None:
        await socket.send('[{"ev":"status","status":"connected","message":"Connected"}]')
        await socket.recv()
        await socket.send('[{"ev":"status","status":"auth_success","message":"authenticated"}]')
        await socket.recv()
        await socket.send('[{"ev":"status","status":"success","message":"subscribed to: A.*"}]')
        for number in range(events // per_frame):
            await socket.send(frames[number % distinct])
        await socket.wait_closed()
        over.set()

    async with serve(talk, "127.0.0.1", 0, compression=None) as server:
        sys.stdout.write(f"{next(iter(server.sockets)).getsockname()[1]}\n")
        sys.stdout.flush()
        await over.wait()


asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
