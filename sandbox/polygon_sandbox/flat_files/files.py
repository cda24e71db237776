"""The bucket: what objects there are now, and what has happened to them."""

import gzip
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count, islice
from threading import RLock
from typing import Literal

from polygon_sandbox.clock import UTC
from polygon_sandbox.flat_files import contents
from polygon_sandbox.flat_files.columns import header
from polygon_sandbox.flat_files.layout import DATASETS, FilesSize, FlatFile, parse_key
from polygon_sandbox.long_bars import GROUPED
from polygon_sandbox.world import World

ACCESS_KEY_ID = "sandbox-access-key"

Defect = Literal["", "missing", "doubled", "short", "truncated"]


@dataclass(frozen=True, slots=True)
class Stored:
    """An object: its bytes, its ETag without quotation marks, and when it was put there."""

    body: bytes
    etag: str
    last_modified: datetime


@dataclass(frozen=True, slots=True)
class _Version:
    published: datetime
    defect: Defect = ""
    number: int = 0


class FlatFiles:
    """The files of a world, and the events that change them.

    Attributes:
        access_key_id: the one that is known; its secret is the sandbox's API key.
        agreement_signed: false refuses every GET and HEAD, as the vendor does until the agreement
            about market data is signed.
        clock_ahead: how far the server's clock is ahead of the machine's. A request whose stamp is
            more than 15 minutes off is refused. None checks no stamps: a sandbox may live on
            another date than its client.
        unpublished_forbidden: whether a file that is not there is refused with 403 rather than
            404: the vendor's answer to one that is not yet published (knowledge base).
    """

    def __init__(self, world: World, size: FilesSize | None = None) -> None:
        """Make the files of a world; see `FilesSize` for how many."""
        self.world = world
        self.size = size or FilesSize()
        self.access_key_id = ACCESS_KEY_ID
        self.agreement_signed = True
        self.clock_ahead: timedelta | None = None
        self.unpublished_forbidden = True
        self._lock = RLock()
        self._numbers = count(1)
        self._versions: dict[FlatFile, _Version] = {}
        self._stored: dict[tuple[FlatFile, _Version], Stored] = {}

    def keys(self, prefix: str = "") -> list[str]:
        """The keys of the objects that are there now and start so, in their order."""
        with self._lock:
            return sorted(file.key for file in self._files(prefix) if self._there(file))

    def get(self, key: str) -> Stored | None:
        """An object; None if it is not there."""
        file = parse_key(key)
        with self._lock:
            return self._get(file) if file and self._there(file) else None

    def replace(self, key: str, defect: Defect = "") -> None:
        """Publish a file anew, now, with what the world knows now.

        A defect makes it wrong: "missing" takes it away; "doubled" has the rows of the day before
        under this day's name; "short" lacks the last third of the rows, in a sound file;
        "truncated" stops in the middle of the packed bytes. Replacing it again mends it.
        """
        file = self._named(key)
        with self._lock:
            self._versions[file] = _Version(self.world.now, defect, next(self._numbers))

    def put(self, key: str, body: bytes) -> None:
        """Publish bytes of your own under a name, now, until it is replaced."""
        file = self._named(key)
        with self._lock:
            version = self._versions[file] = _Version(self.world.now, number=next(self._numbers))
            self._stored[file, version] = _stored(body, version.published)

    def _named(self, key: str) -> FlatFile:
        file = parse_key(key)
        if file is None:
            raise KeyError(f"{key!r} is not the name of a flat file")
        return file

    def _files(self, start: str) -> Iterator[FlatFile]:
        today = self.world.today
        for prefix, datasets in DATASETS.items():
            for dataset in datasets:
                stem = f"{prefix}/{dataset}/"
                if not stem.startswith(start) and not start.startswith(stem):
                    continue
                for age in range(self.size.days, 0, -1):
                    file = FlatFile(prefix, dataset, today - timedelta(days=age))
                    if file.key.startswith(start):
                        yield file

    def _there(self, file: FlatFile) -> bool:
        day = file.day
        market = file.market if file.market in GROUPED else "stocks"
        if not self.world.sessions(market, day, day):
            return False
        if day < self.world.today - timedelta(days=self.size.days):
            return False
        return file.appears <= self.world.now and self._version(file).defect != "missing"

    def _version(self, file: FlatFile) -> _Version:
        return self._versions.get(file) or _Version(file.appears)

    def _get(self, file: FlatFile) -> Stored:
        version = self._version(file)
        if (file, version) not in self._stored:
            self._stored[file, version] = _stored(self._packed(file, version), version.published)
        return self._stored[file, version]

    def _packed(self, file: FlatFile, version: _Version) -> bytes:
        source, defect = file, version.defect
        if defect == "doubled":
            market = file.market if file.market in GROUPED else "stocks"
            before = self.world.sessions(market, file.day - timedelta(days=7), file.day)[-2]
            source = FlatFile(file.prefix, file.dataset, before)
        rows = list(contents.lines(self.world, self.size, source, version.published))
        if defect == "short":
            rows = list(islice(rows, len(rows) * 2 // 3))
        text = "\n".join([header(file), *rows, ""])
        packed = gzip.compress(text.encode(), compresslevel=1, mtime=0)
        return packed[: len(packed) * 2 // 3] if defect == "truncated" else packed


def _stored(body: bytes, published: datetime) -> Stored:
    etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
    return Stored(body, etag, published.astimezone(UTC))
