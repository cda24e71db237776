"""What somebody may have meant by a name that is not known."""

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(name: str, known: Iterable[str], prefix: str = "") -> str:
    """Return ` Did you mean 'x'?` for the known name nearest to it, or nothing if none is near.

    A prefix that all have is left out of the comparison, since it would make all of them near.
    """
    near = get_close_matches(name.removeprefix(prefix), list(known), n=1)
    return f" Did you mean {prefix + near[0]!r}?" if near else ""
