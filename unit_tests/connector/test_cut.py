"""Rows leave as the vendor wrote them: a page is cut, and the cut is where orjson sees it."""

import json
from io import BytesIO
from typing import Any

import orjson
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from source_polygon.engine.output import in_pages, one_by_one
from source_polygon.rows import without_nulls
from source_polygon.vendor.answers import Broken, Data, judge
from source_polygon.vendor.cut import Cut, cut

spaces = st.sampled_from(["", "", " ", "\n", "\r\n", "\t ", "  \n"])
numbers = st.from_regex(
    r"-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?", fullmatch=True
)
# Each string as orjson writes it and as the most cautious encoder does; and odd ones.
strings = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8).flatmap(
        lambda text: st.sampled_from([orjson.dumps(text).decode(), json.dumps(text)])
    ),
    st.sampled_from(['"},{"', '"\\"},{\\"a\\":null"', '"null"', '"\\\\"', '"[{"', '"a\u2028b"']),
    st.sampled_from(['"\\u007b"', '"\\ud83d\\ude00"']),
)
names = st.sampled_from(['"id"', '"a"', '"b"', '"c"', '"null"', '"},{"', '"\\u0061b"', '"ü"', '""'])

TOO_LARGE = ["1e999", "-1E+309", "10e0308", "9" * 309, "9" * 250 + "e+60", "-1.5e1000"]


def _list(items: list[str], space: str) -> str:
    return f"[{space}" + f"{space},{space}".join(items) + f"{space}]"


def _object(fields: list[tuple[str, str]], space: str) -> str:
    inside = f"{space},{space}".join(f"{name}{space}:{space}{value}" for name, value in fields)
    return f"{{{space}{inside}{space}}}"


values = st.recursive(
    st.one_of(numbers, strings, st.sampled_from(["true", "false", "null"])),
    lambda inner: st.one_of(
        st.builds(_list, st.lists(inner, max_size=3), spaces),
        st.builds(_object, st.lists(st.tuples(names, inner), max_size=3), spaces),
    ),
    max_leaves=8,
)
rows = st.builds(_object, st.lists(st.tuples(names, values), max_size=5), spaces)


def _answer(content: bytes, status: int = 200) -> requests.Response:
    response = requests.Response()
    response.status_code, response.raw = status, BytesIO(content)
    return response


def _lines(found: Any) -> list[bytes]:
    printed = b"".join(each.data[""].lines for each in in_pages("x", [found], None))  # type: ignore[arg-type]
    return printed.removesuffix(b"\n").split(b"\n") if printed else []


def _body(texts: list[str], comma: str = ",", **around: Any) -> bytes:
    fields = "".join(f",{json.dumps(name)}:{json.dumps(value)}" for name, value in around.items())
    return f'{{"status":"OK","results":[{comma.join(texts)}]{fields}}}'.encode()


@given(st.lists(rows, max_size=5), st.sampled_from([",", " ,\n ", ", ", ",\r"]))
def test_a_cut_page_holds_what_orjson_reads(texts: list[str], comma: str) -> None:
    body = _body(texts, comma, resultsCount=len(texts), next_url="/x?cursor=},{")
    parsed = orjson.loads(body)
    answer = judge(_answer(body), as_written=True)
    assert isinstance(answer, Data)
    assert isinstance(answer.rows, Cut)
    assert list(answer.rows) == parsed.pop("results")
    assert answer.envelope == parsed
    assert [answer.rows[n] for n in range(len(texts))] == list(answer.rows)
    kept = [without_nulls(row) for row in answer.rows]
    messages = [json.loads(line) for line in _lines(answer.rows)]
    assert [orjson.loads(line)["record"]["data"] for line in _lines(answer.rows)] == kept
    assert all(each["type"] == "RECORD" and each["record"]["stream"] == "x" for each in messages)
    assert [each.data for each in one_by_one("x", [answer.rows], None)] == list(answer.rows)  # type: ignore[arg-type]


@given(st.lists(rows, min_size=1, max_size=4))
def test_without_nulls_and_line_ends_a_row_leaves_letter_for_letter(texts: list[str]) -> None:
    lines = _lines(Cut(_body(texts)[len('{"status":"OK","results":') : -1]))
    assert len(lines) == len(texts)
    for line, text in zip(lines, texts, strict=True):
        _, row = line.split(b'"data":', 1)
        if "null" not in text:
            assert row.startswith(text.translate({10: None, 13: None}).encode() + b',"emitted_at":')


def test_numbers_keep_their_digits_beside_a_null_too() -> None:
    digits = '"a":1.10,"b":1e3,"c":12345678901234567890123,"d":0.30000000000000004000'
    texts = ["{" + digits + "}", '{"x":null,' + digits + ',"y":null}']
    for line in _lines(Cut(f"[{','.join(texts)}]".encode())):
        assert b'"data":{' + digits.encode() + b'},"emitted_at":' in line


def test_a_null_deeper_down_stays() -> None:
    (line,) = _lines(Cut(b'[{"a":null,"b":{"c":null},"d":[null]}]'))
    assert json.loads(line)["record"]["data"] == {"b": {"c": None}, "d": [None]}


def test_pages_larger_than_a_portion_leave_whole() -> None:
    texts = [f'{{"id":"{n}"}}' for n in range(12_345)]
    leaving: list[Any] = [{"id": "first"}, Cut(f"[{','.join(texts)}]".encode()), [{"id": "last"}]]
    portions = [each.data[""] for each in in_pages("x", leaving, None)]  # type: ignore[arg-type]
    ids = [
        json.loads(line)["record"]["data"]["id"]
        for page in portions
        for line in page.lines.splitlines()
    ]
    assert ids == ["first", *map(str, range(12_345)), "last"]
    assert [page.count for page in portions] == [1, 5_000, 5_000, 2_345, 1]


@pytest.mark.parametrize(
    ("row", "key", "of", "has"),
    [
        ('{"id":"A"}', ["id"], str, True),
        ('{"id":"A","x":{"id":null}}', ["id"], str, True),
        ('{"\\u0069d":"A"}', ["id"], str, True),
        ('{"id":5}', ["id"], str, False),
        ('{"id":5}', ["id"], object, True),
        ('{"id":0}', ["id"], object, True),
        ('{"id":""}', ["id"], str, True),
        ('{"id":null}', ["id"], object, False),
        ('{"x":{"id":"A"}}', ["id"], object, False),
        ('{"x":"\\"id\\":5"}', ["id"], object, False),
        ('{"id":"A"}', ["id", "date"], str, False),
        ('{"id":"A","date":"d"}', ["id", "date"], str, True),
        ("5", ["id"], str, False),
        ("[]", [], str, False),
        ("null", [], object, False),
        ("{}", [], object, True),
    ],
)
def test_a_row_without_its_key_is_seen(row: str, key: list[str], of: type, has: bool) -> None:
    assert Cut(f'[{{"id":"B","date":"d"}},{row}]'.encode()).has(key, of) is has


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"status":"OK"}',
        b'{"status":"OK","results":null}',
        b'{"status":"OK","results":{}}',
        b'{"status":"ERROR","results":[]}',
        b'{"status":"OK","results":[{"a":1}],"resultsCount":2}',
        b'{"status":"OK","results":[{"a":01}]}',
        b'{"status":"OK","results":[{"a":1},]}',
        b'{"status":"OK","results":[{"a":"\n"}]}',
        b'{"status":"OK","results":[{"a":"\xff"}]}',
        b'{"status":"OK","results":[{"a":"\\ud83d"}]}',
        b'\xef\xbb\xbf{"status":"OK","results":[]}',
        b'{"status":"OK","results":[' + b"[" * 3000 + b"]" * 3000 + b"]}",
        b'{"status":"OK","results":[' + b'{"a":' * 1023 + b"1" + b"}" * 1023 + b"]}",
        b"<html></html>",
    ],
)
def test_what_is_not_plainly_good_is_judged_as_if_nothing_were_cut(body: bytes) -> None:
    answer = judge(_answer(body), as_written=True)
    assert answer == judge(_answer(body))
    assert not isinstance(answer, Data) or isinstance(answer.rows, list)


def test_a_row_of_many_brackets_leaves_as_it_was_written() -> None:
    row = b'{"a":' * 500 + b"[" + b"[1.10]," * 3000 + b"0]" + b"}" * 500
    for answer in (
        judge(_answer(b'{"status":"OK","results":[%b]}' % row), as_written=True),
        judge(_answer(b"[%b]" % row), bare=True, as_written=True),
    ):
        assert isinstance(answer, Data)
        assert isinstance(answer.rows, Cut)
        assert [bytes(each) for each in answer.rows.rows] == [row]


@given(
    st.lists(rows, min_size=1, max_size=3), st.integers(0, 400), st.binary(min_size=1, max_size=2)
)
def test_a_damaged_body_is_cut_only_where_orjson_reads_the_same(
    texts: list[str], at: int, damage: bytes
) -> None:
    body = _body(texts)
    damaged = body[:at] + damage + body[at + len(damage) :]
    found = cut(damaged)
    if found is not None:
        parsed = orjson.loads(damaged)
        assert list(found[0]) == parsed.pop("results")
        assert found[1] == parsed


@pytest.mark.parametrize("number", TOO_LARGE)
@pytest.mark.parametrize("bare", [False, True])
def test_a_number_past_a_double_breaks_the_answer(number: str, bare: bool) -> None:
    ahead = f'{{"text":"{"x" * 249_990}"}},' * 2  # looked for in portions, and where they meet
    rest = f'"{"y" * 100}":"12e345-6e789",'
    texts = [f'[{{{rest}"a":{each}}}]' for each in (number, f" {number}", f"[0,{number}]")]
    for rows in (*texts, f'[{ahead}{{"a":{number}}}]'):
        body = (rows if bare else f'{{"status":"OK","results":{rows}}}').encode()
        for as_written in (True, False):
            answer = judge(_answer(body), bare=bare, as_written=as_written)
            assert isinstance(answer, Broken)
            assert "not complete JSON" in answer.fault


@pytest.mark.parametrize(
    "value",
    ["1e308", "-1.79e+308", "1e-999", "9" * 308, '"' + "1e999" * 50 + '"', '"' + "9" * 400 + '"'],
)
def test_what_only_looks_like_such_a_number_leaves_as_it_was_written(value: str) -> None:
    text = f'{{"a":{value}}}'
    answer = judge(_answer(_body([text])), as_written=True)
    assert isinstance(answer, Data)
    assert isinstance(answer.rows, Cut)
    (line,) = _lines(answer.rows)
    assert f'"data":{text},"emitted_at":'.encode() in line


def test_where_portions_meet_no_number_is_overlooked() -> None:
    for ahead in range(249_500, 250_200, 7):
        for number in ("-1.5e999", "9" * 150 + "e+309"):
            rows = f'[{{"text":"{"x" * ahead}","a":{number}}}]'
            assert cut(f'{{"results":{rows}}}'.encode()) is None
            assert cut(rows.encode(), bare=True) is None


def test_a_bare_list_is_cut_too() -> None:
    answer = judge(_answer(b'[{"date":"d"}]'), bare=True, as_written=True)
    assert isinstance(answer, Data)
    assert isinstance(answer.rows, Cut)
    assert (list(answer.rows), answer.envelope) == ([{"date": "d"}], {})
