"""What can go wrong, by what the caller must do about it.

StreamError            one sentence for the operator; exit status 1
    ConfigError        wrong settings, files or credentials: do not restart, fix; exit status 2
"""

from collections.abc import Iterable
from difflib import get_close_matches


class StreamError(Exception):
    """A failure that ends the command; its text is all that the operator needs to read."""

    exit_status = 1


class ConfigError(StreamError):
    """A setting, file or credential is wrong. A restart would fail the same way."""

    exit_status = 2


def did_you_mean(name: str, known: Iterable[str], prefix: str = "") -> str:
    """Return ` Did you mean 'x'?` for the known name nearest to it, or nothing if none is near.

    A prefix that all have is left out of the comparison, since it would make all of them near.
    """
    near = get_close_matches(name.removeprefix(prefix), list(known), n=1)
    return f" Did you mean {prefix + near[0]!r}?" if near else ""
