import json

import orjson
import pytest
from source_polygon.vendor.characters import mended

LATIN = "a byte that is not UTF-8, read as Latin-1"
HALF = "half of a surrogate pair, kept as its escape"


@pytest.mark.parametrize(
    ("content", "name", "phrases"),
    [
        (
            b'{"name":"Soci\xe9t\xe9"}',
            "Société",
            [f'{LATIN} (near \'{{"name":"Soci\xe9t\xe9"}}\')'],
        ),
        (b'{"name":"a\xff"}', "aÿ", [LATIN]),
        (b'{"name":"\xc3"}', "Ã", [LATIN]),  # the first byte of two
        (b'{"name":"\xed\xa0\xbd"}', "í\xa0½", [LATIN]),  # half a pair in bytes
        (b'{"name":"x\\ud83d"}', "x\\ud83d", [HALF]),
        (b'{"name":"x\\uDE00y"}', "x\\uDE00y", [HALF]),
        (b'{"name":"\\ude00\\ud83d"}', "\\ude00\\ud83d", [HALF]),  # the wrong way round
        (b'{"name":"\\ud83d\\ud83d\\ude00"}', "\\ud83d\U0001f600", [HALF]),
        (b'{"name":"\\ud83d\\n"}', "\\ud83d\n", [HALF]),
        (b'{"name":"\xe9\\ud83d"}', "é\\ud83d", [LATIN, HALF]),
        (b'\xef\xbb\xbf{"name":"marked"}', "marked", []),
        ('{"name":"Société \U0001f600"}'.encode(), "Société \U0001f600", []),
        (b'{"name":"\\ud83d\\ude00"}', "\U0001f600", []),
        (b'{"name":"\\\\ud83d \\u0041 \\""}', '\\ud83d A "', []),  # a backslash, and then text
    ],
)
def test_nothing_is_lost_and_what_it_is_is_said(
    content: bytes, name: str, phrases: list[str]
) -> None:
    text, found = mended(content)
    assert orjson.loads(text) == {"name": name}
    assert len(found) == len(phrases)
    assert all(said.startswith(phrase) for said, phrase in zip(found, phrases, strict=True))


def test_sound_json_stays_what_it_is() -> None:
    sound = json.dumps({"names": ["Société", "\U0001f600", "\\", '"', "\t", "\\u0041"]}).encode()
    assert mended(sound) == (sound, [])


@pytest.mark.parametrize("content", [b'{"name":"\xe9', b'{"name":"\\ud83', b"\xff\xfe", b""])
def test_what_is_no_json_stays_none(content: bytes) -> None:
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(mended(content)[0])


def test_the_place_is_named() -> None:
    _, (said,) = mended(b'{"ticker":"ABC","name":"Soci\xe9t\xe9"}')
    assert said == f'{LATIN} (near \'{{"ticker":"ABC","name":"Soci\xe9t\xe9"}}\')'
