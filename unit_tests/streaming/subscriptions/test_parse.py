import pytest
from polygon_streaming.subscriptions.parse import (
    InvalidSubscriptions,
    Subscription,
    change,
    parse,
    shard,
    without_covered,
)

GOOD = """\
# what we follow, "quoted, even"
market,channel,symbol

stocks,A,AAPL
stocks, AM ,*
stocks,A,BRK.B
stocks,A,KIMpL
crypto,XA,BTC-USD
stocks,A,AAPL
"""


def test_a_list_with_comments_and_repetitions() -> None:
    assert parse("\ufeff" + GOOD.replace("\n", "\r\n")) == {
        Subscription("stocks", "A", "AAPL"),
        Subscription("stocks", "AM", "*"),
        Subscription("stocks", "A", "BRK.B"),
        Subscription("stocks", "A", "KIMpL"),
        Subscription("crypto", "XA", "BTC-USD"),
    }


def test_every_wrong_row_is_named() -> None:
    text = "market,channel,symbol\n# x\nstock,A,AAPL\nstocks,XA,AAPL\nstocks,A\nstocks,A,A B\n,,\n"
    with pytest.raises(InvalidSubscriptions) as caught:
        parse(text)
    rows = [problem.split(":")[0] for problem in caught.value.problems]
    assert rows == ["Row 3", "Row 4", "Row 5", "Row 6"]
    assert "market 'stock' is unknown. Give one of stocks, options" in caught.value.problems[0]
    assert "stocks has no channel 'XA'. Give one of A, AM" in caught.value.problems[1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("market,channel,symbol\n# none\n", "no row below the header"),
        ("symbol\nAAPL\n", "the header is 'symbol'"),
        ("stocks,A,AAPL\n", "the header is 'stocks,A,AAPL'"),
    ],
)
def test_a_file_without_rows_or_header_is_refused(text: str, words: str) -> None:
    with pytest.raises(InvalidSubscriptions, match=words):
        parse(text)


def test_a_wildcard_covers_its_own_channel_only() -> None:
    listed = parse(
        "market,channel,symbol\nstocks,A,*\nstocks,A,AAPL\nstocks,AM,AAPL\ncrypto,XA,X\n"
    )
    assert {s.name for s in without_covered(listed)} == {"A.*", "AM.AAPL", "XA.X"}


def test_shards_divide_the_list() -> None:
    rows = [Subscription("stocks", channel, f"S{n}") for n in range(300) for channel in ("A", "AM")]
    rows += [Subscription("stocks", "T", "*"), Subscription("stocks", "Q", "*")]
    parts = [shard(rows, index, 3) for index in range(3)]
    assert frozenset().union(*parts) == frozenset(rows)
    assert sum(len(part) for part in parts) == len(rows)
    assert all(len(part) > 120 for part in parts)
    for part in parts:
        bars = {s.symbol for s in part if s.channel == "A"}
        assert bars == {s.symbol for s in part if s.channel == "AM"}


def test_a_change_removes_before_it_adds_and_keeps_other_channels() -> None:
    done = change({"A.*", "AM.*", "T.X"}, {"A.AAPL", "AM.*"})
    assert (done.remove, done.add) == (["A.*", "T.X"], ["A.AAPL"])


def test_symbols_that_other_formats_take_for_something_else_are_symbols() -> None:
    words = ("ON", "NO", "TRUE", "NULL", "NAN", "1E5", "007")
    listed = parse("market,channel,symbol\n" + "".join(f"stocks,A,{word}\n" for word in words))
    assert listed == {Subscription("stocks", "A", word) for word in words}
