"""Letters that are not characters: a body that would be JSON but for a few of them.

Half a surrogate pair (an escape such as `\\ud83d` without its other half) is not a character, and
a byte of Latin-1 is not UTF-8; strict parsers refuse the whole answer for one letter of one name.
Nothing is lost here: the byte is read as the Latin-1 letter that it is, and the half is kept as
the six characters of its escape, since no destination could store it.
"""

import codecs
import re
from typing import Final

# One JSON escape at a time, so that an escaped backslash is not taken for the start of another.
_ESCAPE: Final = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)"
)
_BYTE_ORDER_MARK: Final = "\ufeff"
_AROUND: Final = 30
_AS_LATIN_1: Final = "source-polygon-as-latin-1"


def mended(content: bytes) -> tuple[bytes, list[str]]:
    """Return `content` with what is not a character made one, and a phrase for each kind found.

    Content without such a thing comes back as it is, with no phrase.
    """
    phrases = []
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        near = content[max(0, error.start - _AROUND) : error.end + _AROUND].decode("latin-1")
        phrases.append(f"a byte that is not UTF-8, read as Latin-1 (near {near!r})")
        text = content.decode(errors=_AS_LATIN_1)
    text = text.removeprefix(_BYTE_ORDER_MARK)
    halves = [match for match in _ESCAPE.finditer(text) if match[1]]
    if halves:
        start, end = halves[0].span()
        near = text[max(0, start - _AROUND) : end + _AROUND]
        phrases.append(f"half of a surrogate pair, kept as its escape (near {near!r})")
        text = _ESCAPE.sub(lambda match: rf"\\{match[1]}" if match[1] else match[0], text)
    return text.encode(), phrases


def _latin_1(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("latin-1"), error.end


codecs.register_error(_AS_LATIN_1, _latin_1)
