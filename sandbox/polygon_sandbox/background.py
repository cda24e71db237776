"""What both sandboxes are: an application of aiohttp, served from a thread of its own."""

import asyncio
from abc import ABC, abstractmethod
from threading import Event, Thread
from typing import TypeVar

from aiohttp import web

DEFAULT_KEY = "sandbox-key-0123456789"

S = TypeVar("S", bound="Background")


class Background(ABC):
    """Serves for as long as the `with` block lasts; it may be entered again.

    Port 0 takes a free one, and keeps it.
    """

    def __init__(self, name: str, host: str, port: int) -> None:
        self._name = name
        self._host = host
        self._port = port
        self._thread: Thread | None = None
        self._ready = Event()
        self._failure: Exception | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None

    def __enter__(self: S) -> S:
        self._ready.clear()
        self._thread = Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            raise self._failure
        return self

    def __exit__(self, *_: object) -> None:
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        if self._thread is not None:
            self._thread.join()

    @abstractmethod
    def _app(self) -> web.Application:
        """Return what is served."""

    async def _until(self, stop: asyncio.Event) -> None:
        """Do what there is to do beside answering until `stop` is set."""
        await stop.wait()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as error:  # noqa: BLE001 - handed to the thread that waits in __enter__
            self._failure = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=0.2)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port).start()
            self._port = runner.addresses[0][1]
            self._ready.set()
            await self._until(self._stop)
        finally:
            await runner.cleanup()
