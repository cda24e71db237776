"""The records of a flat file, each block in the quickest way that knows all of its forms."""

from collections.abc import Callable, Sequence

from source_polygon.rows import Row
from source_polygon.streams.flat import by_row
from source_polygon.streams.flat.by_block import Blocks, Unusual
from source_polygon.streams.flat.by_row import Facts
from source_polygon.streams.flat.compiled import Around, plain_blocks
from source_polygon.streams.flat.layout import Layout


class LineWriter:
    """Makes the records of one file.

    Attributes:
        layout: its columns.
    """

    def __init__(
        self,
        layout: Layout,
        facts: Facts,
        wanted: Callable[[str], bool] | None,
        around: Around,
    ) -> None:
        """Prepare for a file.

        Args:
            layout: its columns.
            facts: what its records share.
            wanted: returns whether the rows of a symbol are; None for all.
            around: see there.
        """
        self.layout, self._facts, self._wanted = layout, facts, wanted
        self._plain = plain_blocks(layout, facts, wanted, around)
        self._blocks = Blocks(layout, facts, wanted)

    def records(self, block: bytes, first: int) -> Sequence[Row]:
        """Return the records of a block of whole lines, of which the first is row `first`.

        Raises:
            BrokenFile: a row is not in order; the text names it.
        """
        messages = self._plain.messages(block, first) if self._plain else None
        if messages is not None:
            return messages
        try:
            return self._blocks.records(block, first)
        except Unusual:
            wanted = self._wanted or (lambda _: True)
            return by_row.records(block, self.layout, self._facts, first, wanted)
