"""A quicker start of the command: a third of importing the CDK is spent on what nobody needs."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

try:
    import attributes_doc as comments
except ImportError:  # it is the CDK's serializers that depend on it, as of serpyco-rs 1.23
    comments = None  # type: ignore[assignment]


@contextmanager
def quick_imports() -> Iterator[None]:
    """Leave out, of what is imported within, what takes time and changes nothing.

    - The search for cycles among new objects: what is imported stays.
    - The comments on the fields of Airbyte's protocol. The serializers parse their source code to
      find them, for JSON schemas that nobody asks for.
    """
    collecting = gc.isenabled()
    gc.disable()
    if comments:
        read = comments.get_attributes_doc
        comments.get_attributes_doc = lambda cls: {}
    try:
        yield
    finally:
        if comments:
            comments.get_attributes_doc = read
        if collecting:
            gc.enable()
