import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from polygon_streaming.feed.frames import ForexHead, Head, Splitter, heads, symbol

AGG = '{"ev":"A","sym":"AAPL","v":1.50,"o":1e2}'
TRADE = '{"ev":"T","sym":"BRK.B","c":[12,37],"p":1.0}'


def _split(frame: str, market: str = "stocks") -> tuple[list[str], list[tuple[str, str]]]:
    split = Splitter(market).split(frame)
    assert len(split.heads) == len(split.texts)
    return split.texts, split.broken


@pytest.mark.parametrize(
    "pieces",
    [
        [AGG],
        [AGG, TRADE, AGG],
        [AGG, '{"ev":"X","sym":"a},{b","deep":{"list":[{"ev":"A"},{"ev":"B"}]}}', TRADE],
        ['{"ev":"X","sym":"\\"},{\\"ev\\":\\"A"}', AGG],
        ['{"ev":"XL2","pair":"BTC-USD","b":[[1,2],[3,4]]}', AGG],
        ['{"ev":"X","sym":"Ä€"}', AGG],
    ],
)
@pytest.mark.parametrize("comma", [",", " ,\n ", ", "])
def test_each_event_keeps_its_text(pieces: list[str], comma: str) -> None:
    assert _split(f"[{comma.join(pieces)}]") == (pieces, [])


@pytest.mark.parametrize(
    "around", [("[", "]"), (" [", "]"), ("[", "]\n"), ("[ ", " ]"), (" [ ", " ] ")]
)
def test_white_space_around_a_frame_is_not_part_of_an_event(around: tuple[str, str]) -> None:
    opening, closing = around
    for pieces in ([], [AGG], [AGG, AGG]):
        assert _split(f"{opening}{','.join(pieces)}{closing}") == (pieces, [])


def test_white_space_cannot_trade_places_with_a_nested_boundary() -> None:
    # As many `},{` as elements have separators, but not where they have them.
    pieces = ['{"ev":"A","x":[{"ev":"N"},{"ev":"N"}]}', '{"ev":"B"}']
    assert _split(f"[{pieces[0]} , {pieces[1]}]") == (pieces, [])
    pieces = ['{"ev":"A","x":"},{"}', '{"ev":"B"}']
    assert _split(f"[{pieces[0]} , {pieces[1]}]") == (pieces, [])


_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(alphabet='{}[],":\\ eva\0\n€'),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(alphabet='ev{},"'), inner),
    max_leaves=12,
)


@given(st.lists(st.dictionaries(st.text(alphabet='xy{},"'), _json)), st.sampled_from([",", ", "]))
def test_any_json_comes_out_as_it_went_in(extras: list[dict[str, object]], comma: str) -> None:
    pieces = [json.dumps({"ev": "A", **extra}, separators=(comma, ":")) for extra in extras]
    assert _split(f"[{comma.join(pieces)}]") == (pieces, [])


def test_the_symbol_is_found_in_each_kind_of_event() -> None:
    events = {
        '{"ev":"A","sym":"AAPL"}': "AAPL",
        '{"ev":"XT","pair":"BTC-USD","p":1}': "BTC-USD",
        '{"ev":"LULD","T":"MSFT"}': "MSFT",
        '{"ev":"?"}': "",
    }
    heads = Splitter("stocks").split(f"[{','.join(events)}]").heads
    assert [symbol(head) for head in heads] == list(events.values())
    (quote,) = Splitter("forex").split('[{"ev":"C","p":"EUR/USD","a":1.1}]').heads
    assert symbol(quote) == "EUR/USD"


def test_all_but_the_events_of_a_type_stay() -> None:
    split = Splitter("stocks").split(f"[{AGG},{TRADE},7,{AGG}]")
    kept = split.without("T")
    assert (kept.texts, [head.ev for head in kept.heads]) == ([AGG, AGG], ["A", "A"])
    assert kept.broken == split.broken
    assert [text for text, _ in kept.broken] == ["7"]


def test_one_event_alone_is_read_as_in_a_frame() -> None:
    assert heads("forex")(b'{"ev":"C","p":"EUR/USD"}') == ForexHead("C", p="EUR/USD")
    status = b'{"ev":"status","status":"success","message":"hello","p":1.5}'
    assert heads("stocks")(status) == Head("status", status="success", message="hello")


def test_what_is_no_event_is_set_apart_and_the_rest_stays() -> None:
    texts, broken = _split(f'[{AGG},{{"sym":"no type"}},7,{TRADE}]')
    assert texts == [AGG, TRADE]
    assert [text for text, _ in broken] == ['{"sym":"no type"}', "7"]
    assert all("not an event" in reason for _, reason in broken)


@pytest.mark.parametrize("frame", ["", "{", '{"ev":"A"}', "[", f"[{AGG}", "null"])
def test_a_frame_that_is_no_array_is_broken_as_a_whole(frame: str) -> None:
    texts, broken = _split(frame)
    assert texts == []
    assert broken[0][0] == frame


def test_nesting_beyond_any_sense_is_broken_and_no_crash() -> None:
    frame = f'[{AGG},{{"ev":"X","deep":{"[" * 100_000}{"]" * 100_000}}}]'
    texts, broken = _split(frame)
    assert texts == []
    assert [text for text, _ in broken] == [frame]


@pytest.mark.parametrize("odd", ['{"ev":"A","sym":"\\ud800"}', '{"ev":"A","c":NaN}', "NaN"])
@pytest.mark.parametrize("apart", [",", " , ", "\n,\t"])
@pytest.mark.parametrize("around", [("[", "]"), (" [", "]\n"), ("\r\n\t [ ", " ] ")])
def test_what_msgspec_takes_for_no_json_does_not_take_its_neighbours_along(
    odd: str, apart: str, around: tuple[str, str]
) -> None:
    opening, closing = around
    before, after = '{"ev":"A","sym":"X"}', '{"ev":"T","sym":"Y","c":[1,{"a":"],"}]}'
    split = Splitter("stocks").split(opening + apart.join([before, odd, after]) + closing)
    assert split.texts == [before, after]
    assert [head.sym for head in split.heads] == ["X", "Y"]
    assert [text for text, _ in split.broken] == [odd]


@pytest.mark.parametrize("frame", ["[NaN", "[NaN,", "[NaN]]", "[NaN}", "{NaN]", "[,NaN]", "[NaN,]"])
def test_what_is_no_array_is_dead_lettered_whole(frame: str) -> None:
    split = Splitter("stocks").split(frame)
    assert split.texts == []
    assert [text for text, _ in split.broken] == [frame]
