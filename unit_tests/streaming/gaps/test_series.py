"""What REST calls a symbol of the stream, and the other way about."""

import pytest
from polygon_streaming.gaps.series import rest_ticker, stream_symbol


@pytest.mark.parametrize(
    ("market", "stream", "ticker"),
    [("stocks", "BRK.B", "BRK.B"), ("crypto", "BTC-USD", "X:BTCUSD"),
     ("forex", "EUR/USD", "C:EURUSD"), ("futures/cme", "ESZ6", "ESZ6"),
     ("options", "O:SPY251219C00650000", "O:SPY251219C00650000")],
)  # fmt: skip
def test_symbols_are_written_differently_in_rest(market: str, stream: str, ticker: str) -> None:
    assert rest_ticker(market, stream) == ticker
    assert stream_symbol(market, ticker) == stream


def test_symbols_with_the_prefix_of_rest_are_known_too() -> None:
    assert rest_ticker("crypto", "X:BTC-USD") == "X:BTCUSD"
