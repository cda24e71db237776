"""A WebSocket server that plays events to one client, greets and authenticates as the vendor does.

    python frames_server.py EVENTS EVENTS_PER_FRAME [FRAMES_PER_SECOND] [trades]

Without a pace, frames go as fast as they are read; with one, by the clock, and a client that was
slow is caught up with. Prints its port on the first line. The running number of a second bar is its
`z`, that of a trade its `q`.
"""

import asyncio
import json
import random
import sys
import time
from typing import Any

from websockets.asyncio.server import ServerConnection, serve

SYMBOLS = 5_000


def second_bar(number: int) -> dict[str, Any]:
    """Return a bar with the fields and lengths of the vendor's; `z` comes last."""
    dice = random.Random(number)
    price = round(dice.uniform(5, 400), 4)
    start = 1_795_444_200_000 + number // SYMBOLS * 1000
    return {
        "ev": "A", "sym": f"S{number % SYMBOLS}", "v": dice.randrange(1, 9999),
        "dv": f"{dice.uniform(1, 9999):.1f}", "av": dice.randrange(10**7), "dav": "4332125.038360",
        "op": price, "vw": price, "o": price, "c": price, "h": price, "l": price, "a": price,
        "s": start, "e": start + 1000, "z": 0,
    }  # fmt: skip


def trade(number: int) -> dict[str, Any]:
    """Return a trade with the fields and lengths of the vendor's; `q` comes last."""
    dice = random.Random(number)
    size = dice.randrange(1, 900)
    return {
        "ev": "T", "sym": f"S{number % SYMBOLS}", "x": 4, "i": str(dice.randrange(10**6)), "z": 3,
        "p": round(dice.uniform(5, 400), 4), "s": size, "ds": f"{size}.25", "c": [12, 37],
        "t": 1_795_444_200_000 + number, "trfi": 202, "trft": 1_795_444_200_001 + number, "q": 0,
    }  # fmt: skip


async def main(events: int, per_frame: int, pace: float, kind: str) -> None:
    """Serve one client."""
    play = trade if kind == "trades" else second_bar
    played = [json.dumps(play(n), separators=(",", ":"))[:-2] for n in range(20_000)]
    over = asyncio.Event()

    def frame(first: int) -> str:
        numbers = range(first, min(first + per_frame, events))
        return f"[{','.join([f'{played[n % len(played)]}{n}}}' for n in numbers])}]"

    async def talk(socket: ServerConnection) -> None:
        await socket.send('[{"ev":"status","status":"connected","message":"Connected"}]')
        await socket.recv()
        await socket.send('[{"ev":"status","status":"auth_success","message":"authenticated"}]')
        wanted = json.loads(await socket.recv())["params"]
        done = [{"ev": "status", "status": "success", "message": f"subscribed to: {wanted}"}]
        await socket.send(json.dumps(done))
        began = time.monotonic()
        for number in range(-(-events // per_frame)):
            if pace:
                await asyncio.sleep(began + number / pace - time.monotonic())
            await socket.send(frame(number * per_frame))
        await socket.wait_closed()
        over.set()

    async with serve(talk, "127.0.0.1", 0, compression=None) as server:
        sys.stdout.write(f"{next(iter(server.sockets)).getsockname()[1]}\n")
        sys.stdout.flush()
        await over.wait()


given = [*sys.argv[1:], *("0", "bars")[len(sys.argv) - 3 :]]
asyncio.run(main(int(given[0]), int(given[1]), float(given[2]), given[3]))
