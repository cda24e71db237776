"""The feed: the vendor's WebSocket, one connection a market, into the raw topic."""
