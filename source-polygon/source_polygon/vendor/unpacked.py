"""The lines of a packed file, a bounded block at a time, and proof that the file is whole."""

from collections.abc import Iterable, Iterator
from typing import Final

try:
    # At two fifths of the CPU; truncation, checksum and length are looked at alike.
    from isal import isal_zlib as zlib
except ImportError:  # it is not made for every kind of machine
    import zlib  # type: ignore[no-redef]

# Large enough that what is done once a block does not count, small enough for a processor's cache:
# its records are six times as long.
BLOCK: Final = 1 << 17
LONGEST_LINE: Final = 1 << 20
_GZIP: Final = 16 + zlib.MAX_WBITS


class BrokenFile(Exception):
    """A file that is not whole, or not what it should be; the text says how."""


def lines(packed: Iterable[bytes]) -> Iterator[bytes]:
    """Return blocks of whole lines, each line with its end.

    Raises:
        BrokenFile: the file is not gzip, ends early, or does not agree with its own checksum; or
            its last line has no end, or a line is longer than a megabyte.
    """
    rest = b""
    for piece in _unpacked(packed):
        end = piece.rfind(b"\n") + 1
        if end:
            yield rest + piece[:end]
            rest = piece[end:]
        else:
            rest += piece
            if len(rest) > LONGEST_LINE:
                raise BrokenFile(f"a line has more than {LONGEST_LINE:,} bytes")
    if rest:
        raise BrokenFile("it ends in the middle of a line")


def _unpacked(packed: Iterable[bytes]) -> Iterator[bytes]:
    """Return the contents of a gzip file, of one member or several, in pieces of a block at most.

    Of a truncated file all that can be had comes before the error.
    """
    gzip, begun = zlib.decompressobj(_GZIP), False
    try:
        for chunk in packed:
            # Some writers fill up with zeros behind the end.
            data = chunk if begun else chunk.lstrip(b"\0")
            while data:
                begun = True
                piece = gzip.decompress(data, BLOCK)
                if piece:
                    yield piece
                if gzip.eof:
                    data = gzip.unused_data.lstrip(b"\0")
                    gzip, begun = zlib.decompressobj(_GZIP), False
                else:
                    data = gzip.unconsumed_tail
        while begun and not gzip.eof:
            piece = gzip.decompress(b"", BLOCK)
            if not piece:
                raise BrokenFile("it is truncated: the gzip stream has no end")
            yield piece
    except zlib.error as error:  # type: ignore[misc] # its stub has an instance
        raise BrokenFile(f"it is not sound gzip ({error})") from None
