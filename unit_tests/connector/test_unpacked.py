"""The lines of a packed file: all of them in bounded blocks, or an error."""

import gzip
import random
import zlib

import pytest
from isal import isal_zlib
from source_polygon.vendor import unpacked
from source_polygon.vendor.unpacked import BrokenFile, lines

TEXT = b"".join(b"%d,%x\n" % (n, n * n * 7919) for n in range(3000))
PACKED = gzip.compress(TEXT, 6)


def chunks(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.fixture(params=[isal_zlib, zlib], ids=["isal", "zlib"], autouse=True)
def inflating(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test with what inflates where it is made for the machine, and with zlib."""
    monkeypatch.setattr(unpacked, "zlib", request.param)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacked, "BLOCK", 1000)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("size", [1, 7, 1024, len(PACKED)])
def test_the_lines_are_those_of_the_file_however_it_comes(size: int) -> None:
    blocks = list(lines(chunks(PACKED, size)))
    assert b"".join(blocks) == TEXT
    assert all(block.endswith(b"\n") for block in blocks)
    assert max(map(len, blocks)) < 1100


def test_several_members_are_one_file_and_zeros_behind_it_are_nothing() -> None:
    halves = gzip.compress(TEXT[:5000]) + gzip.compress(TEXT[5000:]) + bytes(1000)
    assert b"".join(lines(chunks(halves, 333))) == TEXT


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize(
    "end", [0, 1, 5, 11, 200, len(PACKED) // 2, *range(len(PACKED) - 9, len(PACKED))]
)
def test_a_file_that_is_cut_anywhere_is_broken(end: int) -> None:
    passed: list[bytes] = []
    if not end:  # nothing at all is not a file: the reader of the header says so
        assert list(lines([b""])) == []
        return
    with pytest.raises(BrokenFile):
        passed.extend(lines(chunks(PACKED[:end], 100)))
    assert TEXT.startswith(b"".join(passed))


def test_a_file_with_a_byte_changed_is_broken() -> None:
    dice = random.Random(3)  # noqa: S311 - the same each time
    for _ in range(50):
        at = dice.randrange(10, len(PACKED))  # what comes before is the header of gzip
        spoilt = bytearray(PACKED)
        spoilt[at] ^= 1 << dice.randrange(8)
        with pytest.raises(BrokenFile):
            list(lines([bytes(spoilt)]))


def test_a_last_line_without_an_end_is_broken() -> None:
    with pytest.raises(BrokenFile, match="in the middle of a line"):
        list(lines([gzip.compress(TEXT[:-1])]))


def test_what_has_no_lines_is_broken_and_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacked, "LONGEST_LINE", 5000)
    with pytest.raises(BrokenFile, match="a line has more than 5,000 bytes"):
        list(lines([gzip.compress(bytes(1_000_000))]))


def test_what_is_not_gzip_is_broken() -> None:
    with pytest.raises(BrokenFile, match="not sound gzip"):
        list(lines([b"<html>We'll be right back</html>"]))
