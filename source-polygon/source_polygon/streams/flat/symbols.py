"""Which rows of a flat file are wanted, where `only_symbols` is chosen."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from source_polygon.vendor.products import product_of_symbol

_PAIRS: Final = ("X:", "C:")


def symbols_for(asset_class: str, config: Mapping[str, Any]) -> list[str] | None:
    """Return the symbols whose rows are wanted of an asset class; None where all are."""
    if not config["flat_files"]["only_symbols"]:
        return None
    if asset_class.startswith("futures"):
        return sorted(set(config["futures_symbols"]))
    # Patterns stand for what the files have, delisted symbols too, not for what is active now.
    symbols = config.get("symbols_as_given", config["symbols"])
    return sorted({each for each in symbols if product_of_symbol(each) == asset_class})


def is_one_of(symbols: Sequence[str]) -> Callable[[str], bool]:
    """Return what tells whether a ticker of a file is one of `symbols`, some of them patterns.

    Files write X:BTC-USD and C:EUR-USD where all other services have X:BTCUSD and C:EURUSD.
    """
    patterns = [re.compile(".*".join(map(re.escape, each.split("*")))) for each in symbols]
    exact = {each for each in symbols if "*" not in each}
    patterns = [each for each, text in zip(patterns, symbols, strict=True) if "*" in text]

    def wanted(ticker: str) -> bool:
        names = {ticker}
        if ticker.startswith(_PAIRS):
            names.add(ticker.replace("-", ""))
        return any(
            name in exact or any(each.fullmatch(name) for each in patterns) for name in names
        )

    return wanted
