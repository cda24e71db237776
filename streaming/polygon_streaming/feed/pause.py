"""A pause that ends early when there is something to do."""

import asyncio


async def pause(until: asyncio.Event, seconds: float) -> None:
    """Wait for an event, but no longer than so many seconds."""
    try:
        await asyncio.wait_for(until.wait(), seconds)
    except asyncio.TimeoutError:
        return
