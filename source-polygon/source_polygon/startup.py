"""How the command starts: quickly, and so that its memory stays flat."""

import ctypes
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

try:
    import attributes_doc as comments
except ImportError:  # it is the CDK's serializers that depend on it, as of serpyco-rs 1.23
    comments = None  # type: ignore[assignment]

_NEEDLESS: Final = ("boto3", "rfc3987_syntax", "rfc3986_validator", "isoduration")


@contextmanager
def quick_imports() -> Iterator[None]:
    """Leave out, of what is imported within, what takes half of the time and changes nothing.

    - The search for cycles among new objects: what is imported stays.
    - The comments on the fields of Airbyte's protocol. The serializers parse their source code to
      find them, for JSON schemas that nobody asks for.
    - boto3, where it is installed: for a cache of requests in DynamoDB, which no stream uses.
    - What jsonschema, where it is installed, checks addresses and durations with, which no schema
      here names. The grammar of international addresses alone takes most of a second to read.
    """
    collecting, needless = gc.isenabled(), [each for each in _NEEDLESS if each not in sys.modules]
    gc.disable()
    for name in needless:
        sys.modules[name] = None  # type: ignore[assignment]
    if comments:
        read = comments.get_attributes_doc
        comments.get_attributes_doc = lambda cls: {}
    try:
        yield
    finally:
        for name in needless:
            del sys.modules[name]
        if comments:
            comments.get_attributes_doc = read
        if collecting:
            gc.freeze()  # what else the next search would go through at once
            gc.enable()


# From malloc.h of glibc.
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_LARGE: Final = 4_000_000
_KEPT: Final = 16_000_000


def give_large_blocks_back() -> None:
    """Have the C library return each large block to the system when it is freed.

    By itself it learns from pages of 20 MB to keep blocks of that size, in a heap for each thread:
    a quarter of the memory of a sync. Smaller blocks are kept, which that setting alone would undo:
    to have a page of records back from the system costs as much as to make it. Other C libraries
    than glibc have no such settings.
    """
    with suppress(AttributeError, OSError):
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, _LARGE)
        libc.mallopt(_M_TRIM_THRESHOLD, _KEPT)
