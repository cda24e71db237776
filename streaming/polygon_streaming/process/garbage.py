"""How often Python looks for reference cycles: seldom, where nothing that is read makes any.

A batch of thousands of messages is as many new objects. At its usual pace the collector would go
through them several times a batch and find nothing, which took a seventh of the filter's time; and
each time it went through everything loaded as well, no event would move for tens of milliseconds.
"""

import gc
from typing import Final

# More than a batch has: a message with its headers is six objects.
_NEW_OBJECTS: Final = 100_000


def collect_seldom() -> None:
    """Leave out what is loaded by now, and collect once in so many new objects."""
    gc.freeze()
    _, *older = gc.get_threshold()
    gc.set_threshold(_NEW_OBJECTS, *older)
