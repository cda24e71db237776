from collections.abc import Mapping

def messages(
    block: bytes,
    columns: tuple[tuple[int, bytes], ...],
    heads: Mapping[bytes, bytes | None],
    utc: bytes,
    tail: bytes,
    first: int,
    /,
) -> tuple[bytearray, int, int] | None: ...
