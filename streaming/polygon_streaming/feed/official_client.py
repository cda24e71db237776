"""The vendor's own WebSocket client, reduced to reading one socket once.

It comes under two names, `polygon-api-client` and, since version 2, `massive`. They are the same
but for what they log, where they find CA certificates, and that `massive` has its JSON library read
the server's greeting as well.

In raw mode it hands frames over unread. Its reconnecting, its book of subscriptions and its view of
the server's replies lose data in ways measured with polygon-api-client 1.16.3 and massive 2.9.1: it
returns silently when the server closes normally, forgets its subscriptions if the connection drops
twice, counts reconnects over its lifetime, retries failed handshakes for ever without a word, takes
any reply but `auth_failed` for success, and `unsubscribe("A.*")` drops `AM.*`. So each connection
gets a fresh client that knows no subscriptions and never reconnects, with two workarounds:

- the JSON library that it is given shows us the reply to the key;
- the logger that its WebSocket library is given raises when a handshake has failed.
"""

import json
import logging
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

from websockets.exceptions import ConnectionClosed

from polygon_streaming.errors import ConfigError
from polygon_streaming.settings import ClientName

_LIBRARY_LOG: Final = logging.getLogger("websockets.client")
MODULES: Final[dict[ClientName, str]] = {
    "polygon-api-client": "polygon.websocket",
    "massive": "massive.websocket",
}
"""Where each package has the client."""
# Frames that may wait for us in memory. The library's default of 16 would push back on the server
# at the first pause, and the server cuts off slow readers.
_WAITING_FRAMES: Final = 65_536
_CLOSE_SECONDS: Final = 2


class HandshakeFailed(Exception):
    """The server could not be reached, or did not take the connection; the text says why."""


def require(name: ClientName) -> None:
    """Make sure that a client is there.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        import_module(MODULES[name])
    except ImportError as error:
        raise ConfigError(
            f"websocket_client: {name} cannot be imported: {error}. Run: pip install {name}."
        ) from None


class OfficialClient:
    """One socket; never used twice.

    Attributes:
        close_code: with which WebSocket code it was closed, once it is; None without one.
        close_reason: the words that came with it.
    """

    def __init__(
        self,
        name: ClientName,
        api_key: str,
        host: str,
        market: str,
        *,
        tls: bool,
        on_reply: Callable[[str], Any],
    ) -> None:
        """Prepare a client.

        Args:
            name: which of the two.
            api_key: the vendor's key.
            host: host and port of the feed.
            market: as the vendor's address has it.
            tls: whether to connect by wss://.
            on_reply: gets the server's reply to the key, and its greeting if the client reads it;
                returns it decoded, or raises to end the connection.
        """
        self._client = import_module(MODULES[name]).WebSocketClient(
            api_key=api_key,
            feed=host,
            market=market,
            raw=True,
            subscriptions=[],
            max_reconnects=0,
            secure=tls,
            custom_json=_Wire(on_reply),
        )

    async def read(self, on_frame: Callable[[str], None]) -> str:
        """Connect, and hand over each frame after the key was sent, until the socket is closed.

        Returns:
            Why it was closed, in the library's words.

        Raises:
            HandshakeFailed: there was no connection.
            Exception: what `on_reply` or `on_frame` raises; the socket is closed then.
        """

        async def process(frame: Any) -> None:
            text = frame if isinstance(frame, str) else bytes(frame).decode(errors="replace")
            on_frame(text)

        try:
            await self._client.connect(
                process,
                close_timeout=_CLOSE_SECONDS,
                max_size=None,  # a busy open sends frames over the library's 1 MiB
                max_queue=_WAITING_FRAMES,
                compression=None,
                proxy=None,  # the library would take any proxy of the environment, SOCKS included
                logger=_NoRetry(_LIBRARY_LOG, {}),
            )
        except (ConnectionClosed, OSError) as error:
            return str(error)
        finally:
            await self.close()
        return ""

    @property
    def close_code(self) -> int | None:
        """See the class."""
        return getattr(self._client.websocket, "close_code", None)

    @property
    def close_reason(self) -> str:
        """See the class."""
        return getattr(self._client.websocket, "close_reason", None) or ""

    async def send(self, text: str) -> bool:
        """Send a message; return whether there was a connection to send it on."""
        if self._client.websocket is None:
            return False
        try:
            await self._client.websocket.send(text)
        except ConnectionClosed:
            return False  # `read` is about to say so
        return True

    async def close(self) -> None:
        """Close the socket, if there is one; `read` returns."""
        if self._client.websocket is not None:
            await self._client.websocket.close()


class _Wire:
    """The JSON library that the client is given."""

    def __init__(self, on_reply: Callable[[str], Any]) -> None:
        self.loads = on_reply
        self.dumps = json.dumps


class _NoRetry(logging.LoggerAdapter):  # type: ignore[type-arg] # not generic in Python 3.10
    """The library's logger: the one place where it tells of a failed handshake, before it retries.

    It is told not to, by an exception.
    """

    def info(self, msg: object, *args: object, **kwargs: Any) -> None:
        """Raise if this is about a failed handshake."""
        error = sys.exc_info()[1]
        if error is not None and "connect failed" in str(msg):
            raise HandshakeFailed(f"{type(error).__name__}: {error}")
        super().info(msg, *args, **kwargs)
