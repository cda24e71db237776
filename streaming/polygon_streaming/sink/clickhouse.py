"""ClickHouse as the sink and the doctor reach it, and which of its refusals pass by themselves."""

from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Final

import clickhouse_connect
from clickhouse_connect.driver.exceptions import ClickHouseError, Error, OperationalError

from polygon_streaming.errors import ConfigError, StreamError

# Six tries of an insert, with the pauses between them, have to end before Kafka takes the
# partitions away, five minutes after the last poll: 6 x (5 + 25) s + 44 s.
_CONNECT_SECONDS: Final = 5
ANSWER_SECONDS: Final = 25
"""How long a server may take for an answer to an insert."""

# What the official Kafka Connect sink tries again: timeouts, overload, too many parts or queries,
# lost replicas, read-only tables.
_PASSING_CODES: Final = frozenset(
    {3, 107, 159, 164, 202, 203, 209, 210, 241, 242, 252, 285, 319, 425, 999}
)
_FILES: Final = {
    "bars": "stock_aggregates.sql",
    "trades": "trades.sql",
    "quotes": "quotes.sql",
    "flat_files": "flat_files.sql",
}
_FORMS: Final = (
    "Give http://user@host:port/database, or chdb:DIRECTORY with the package's extra [demo]."
)


def connect(address: str, password: str, answer_seconds: int = ANSWER_SECONDS) -> Any:
    """Return a ClickHouse client for an http(s) address, or for `chdb:DIRECTORY`.

    Args:
        address: see there.
        password: of the user in the address.
        answer_seconds: how long a server may take for an answer.

    Raises:
        ConfigError: the address or the directory is of no use, or user, password or database are
            refused.
        StreamError: ClickHouse cannot be reached now.
    """
    embedded = address.startswith("chdb:") and not address.startswith("chdb://")
    if not embedded and not address.startswith(("http://", "https://")):
        raise ConfigError(f"clickhouse: the address has an unknown form. {_FORMS}")
    if embedded:
        _make(address[5:])
    try:
        if embedded:
            return clickhouse_connect.get_client(interface="chdb", path=address[5:])
        extra: dict[str, Any] = {"password": password} if password else {}
        return clickhouse_connect.get_client(
            dsn=address,
            connect_timeout=_CONNECT_SECONDS,
            send_receive_timeout=answer_seconds,
            **extra,
        )
    except ValueError:
        # Its text may quote a part of the password.
        raise ConfigError(f"clickhouse: the address cannot be read. {_FORMS}") from None
    except ImportError as error:
        raise ConfigError(f"clickhouse: {error}. {_FORMS}") from None
    except ClickHouseError as error:
        if embedded and "Cannot lock file" in str(error):
            raise StreamError(
                f"clickhouse: {address[5:]} is open in another process. Stop that one first."
            ) from None
        raise refusal(error) from None


def _make(directory: str) -> None:
    """Create the directory of the embedded ClickHouse, which has few words for why it cannot.

    Raises:
        ConfigError: it cannot be created or written to.
    """
    path = Path(directory)
    if not directory:
        raise ConfigError(f"clickhouse: chdb: names no directory. {_FORMS}")
    try:
        path.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise ConfigError(
            f"clickhouse: {directory} cannot be a directory for the embedded ClickHouse: "
            f"{error.strerror}. {_FORMS}"
        ) from None


def refusal(error: ClickHouseError) -> StreamError:
    """Return what ends the command after an error: worth a restart, or to be corrected first."""
    kind = StreamError if is_passing(error) else ConfigError
    return kind(f"clickhouse: {in_short(error)}")


def is_passing(error: ClickHouseError) -> bool:
    """Tell whether the same request may succeed later: nothing in it was found wrong.

    ClickHouse gives a code with what it refuses. An answer without one comes from something in
    front of it, or there was none.
    """
    code = error.code if isinstance(error, Error) else None
    return isinstance(error, OperationalError) or code is None or code in _PASSING_CODES


def in_short(error: BaseException) -> str:
    """Return the first line of an error, without the address that was asked."""
    cause: Any = error.__cause__ if isinstance(error, OperationalError) else None
    text = str(getattr(cause, "reason", cause) or error)
    line = text.strip().split("\n", 1)[0]
    for end in (" (for url ", ", Stack trace", " Stack trace:"):
        line = line.split(end, 1)[0]
    return line[:500]


def table_statement(table: str, kind: str = "bars") -> str:
    """Return the statement that creates the table of `bars`, `trades`, `quotes`, `flat_files`."""
    text = (files("polygon_streaming") / _FILES[kind]).read_text(encoding="utf-8")
    return text.replace("{table}", table)
