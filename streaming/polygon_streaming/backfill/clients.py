"""What backfill and verify read from and write to."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from polygon_streaming.backfill.bucket import Bucket
from polygon_streaming.backfill.directory import Directory
from polygon_streaming.backfill.sources import Source
from polygon_streaming.settings import BackfillSettings, VerifySettings
from polygon_streaming.sink import clickhouse

# A day of quotes is a billion rows: a file may take a server an hour.
_ANSWER_SECONDS: Final = 6 * 3600

Connect = Callable[[], Any]


def connect(settings: BackfillSettings | VerifySettings) -> Connect:
    """Return what makes a ClickHouse client; each file that is read at a time has its own."""
    password = settings.clickhouse_password.get_secret_value()
    return partial(_connect, settings.clickhouse, password)


def _connect(address: str, password: str) -> Any:
    return clickhouse.connect(address, password, _ANSWER_SECONDS)


def open_source(settings: BackfillSettings | VerifySettings) -> Source:
    """Return the source that the settings name.

    Raises:
        ConfigError: they name none that can be used.
    """
    if settings.directory is not None:
        return Directory(settings.directory, embedded=settings.clickhouse.startswith("chdb:"))
    return Bucket(settings)
