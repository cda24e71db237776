"""One module a kind of stream, and what only one kind needs."""
