"""What differs between what is there and what should be there."""

from collections.abc import Iterator
from typing import Any

from pydantic import SecretStr

_MISSING = object()
# A mapping with one of these in it takes a line for each of its values.
_PARTED = (dict, SecretStr)
# A stream with a key of four fields fits.
_WIDTH = 150


def differences(there: Any, wanted: Any, path: str = "") -> Iterator[str]:
    """Yield a line for each value that differs: + new, - gone, ~ another.

    The API gives back a secret as asterisks, so of a secret only its absence is a difference.
    """
    if isinstance(wanted, SecretStr):
        if there in (_MISSING, None, ""):
            yield f"+ {path}: {wanted}"
    elif isinstance(there, dict) and isinstance(wanted, dict):
        for key in {**there, **wanted}:
            inner = f"{path}.{key}" if path else str(key)
            yield from differences(there.get(key, _MISSING), wanted.get(key, _MISSING), inner)
    elif there is _MISSING:
        if isinstance(wanted, dict) and any(isinstance(v, _PARTED) for v in wanted.values()):
            yield from differences({}, wanted, path)
        else:
            yield f"+ {path}: {_short(wanted)}"
    elif wanted is _MISSING:
        yield f"- {path}: {_short(there)}"
    elif there != wanted:
        yield f"~ {path}: {_short(there)} -> {_short(wanted)}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 3]}..."
