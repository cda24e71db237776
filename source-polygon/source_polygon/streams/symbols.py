"""What the streams that read symbol by symbol share: which symbols, where, and what a no means.

Of a symbol the vendor may have rows, none, or never have heard; it may refuse them to this key, or
break off. Each is said by name, and the other symbols go on.
"""

import logging
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final
from urllib.parse import quote

from airbyte_cdk.sources.declarative.partition_routers.partition_router import PartitionRouter
from airbyte_cdk.sources.types import StreamSlice

from source_polygon.engine.lanes import LaneEnds
from source_polygon.errors import NotInPlan, NotKnown
from source_polygon.vendor.products import product_of_symbol

LOGGER = logging.getLogger("airbyte")

SYMBOL: Final = "symbol"
"""Name of the part of a partition that says which symbol a slice or a lane is about."""

_ENOUGH: Final = 3
_NAMED: Final = 10


def asked_about(symbols: Iterable[str], but: Sequence[str], stream: str) -> list[str]:
    """Return the symbols that a stream asks about, and say which it does not.

    Args:
        symbols: those of the configuration.
        but: prefixes of the products of which the vendor has none of what the stream reads.
        stream: name of the stream.
    """
    chosen = list(dict.fromkeys(symbols))
    others = [symbol for symbol in chosen if symbol.startswith(tuple(but))]
    if others:
        products = " and ".join(dict.fromkeys(map(product_of_symbol, others)))
        LOGGER.info("%s: not asked about %s. There is none of %s.", stream, some(others), products)
    return [symbol for symbol in chosen if symbol not in others]


def slices(symbols: Iterable[str], but: Sequence[str], stream: str) -> Iterator[StreamSlice]:
    """Return a slice for each symbol that a stream asks about; see `asked_about`."""
    for symbol in asked_about(symbols, but, stream):
        yield StreamSlice(partition={SYMBOL: symbol}, cursor_slice={})


def some(symbols: list[str]) -> str:
    """Return the first symbols of a list, and how many more there are."""
    more = len(symbols) - _NAMED
    return ", ".join(symbols[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def address(base_url: str, path: str, symbol: str) -> str:
    """Return what to ask for about a symbol; the part of `path` in braces stands for it."""
    return base_url + re.sub(r"{\w+}", lambda _: quote(symbol, safe=":"), path)


class Refusals:
    """What the plan was found to refuse, so that not every symbol of a long list is asked for.

    One symbol may be refused alone. Three of one product, and none served, are the product.
    """

    def __init__(self, product: Callable[[str], str] = product_of_symbol) -> None:
        """Know of none yet; `product` returns the product of a symbol."""
        self._product = product
        self._lock = Lock()
        self._refused: defaultdict[str, set[str]] = defaultdict(set)
        self._served: set[str] = set()
        self._said: set[str] = set()

    @contextmanager
    def watching(self, stream: str, symbol: str) -> Iterator[None]:
        """Note how the questions about a symbol end.

        Raises:
            LaneEnds: the vendor does not know the symbol, which is said.
        """
        try:
            yield
        except NotKnown as error:
            self._served.add(self._product(symbol))
            LOGGER.warning(
                "%s: %s is not a symbol that the vendor knows: %s Nothing is read for it. Upper "
                "and lower case count, and one that is delisted is not known any more.",
                *(stream, symbol, error.words),
            )
            raise LaneEnds from None
        except NotInPlan:
            with self._lock:
                self._refused[self._product(symbol)].add(symbol)
            raise
        else:
            self._served.add(self._product(symbol))

    def settled(self, stream: str, symbol: str) -> bool:
        """Return whether there is no use in asking about a symbol, and say so once."""
        name = self._product(symbol)
        with self._lock:
            settled = name not in self._served and len(self._refused[name]) >= _ENOUGH
            if settled and name not in self._said:
                self._said.add(name)
                LOGGER.warning(
                    "%s: %d symbols of %s were refused and none was served. The others are not "
                    "asked about.",
                    *(stream, _ENOUGH, name),
                )
            return settled


@dataclass
class SymbolRouter(PartitionRouter):
    """A slice a symbol, for streams that keep no state.

    Attributes:
        config: the connector's configuration.
        stream: name of the stream.
        but: see `asked_about`.
    """

    config: Mapping[str, Any]
    stream: str
    but: list[str]

    def stream_slices(self) -> Iterable[StreamSlice]:
        """Return the slices, in the order of the configuration."""
        yield from slices(self.config["symbols"], self.but, self.stream)

    def get_stream_state(self) -> Mapping[str, Any]:
        """Return nothing: there is no parent stream."""
        return {}

    def get_request_params(self, **_: Any) -> Mapping[str, Any]:
        """Return nothing: the symbol is in the path."""
        return {}

    get_request_headers = get_request_params
    get_request_body_data = get_request_params
    get_request_body_json = get_request_params
