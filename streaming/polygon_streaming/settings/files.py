"""The settings of the commands that have ClickHouse read the vendor's flat files."""

from datetime import date
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from polygon_streaming.settings.parts import FlatFiles, Tables


class Filed(Tables, FlatFiles):
    """What the commands take that have ClickHouse read files."""

    markets: str = Field(
        "stocks", description="Markets, separated by commas: stocks, options, futures/cme..."
    )
    directory: Path | None = Field(
        None, description="Read files from here, in the vendor's layout, rather than over S3"
    )


class BackfillSettings(Filed):
    """Have ClickHouse read the vendor's flat files into the tables, day by day, then exit.

    A day is in the table as a whole or not at all. What was loaded is remembered in the table
    flat_files, and loaded again only if the file was replaced since. Exit status: 0 all files
    that are published so far are in the table; 1 a file is missing or broken, run it again;
    2 wrong settings or key, or the plan does not include a file.
    """

    command: ClassVar[str] = "backfill"
    examples: ClassVar[str] = """\
  polygon-stream backfill --start 2021-11-01                    # minute bars of all stocks
  polygon-stream backfill --start 2026-11-02 --end 2026-11-06 --data bars,trades --dry-run
  polygon-stream backfill --start 2026-11-02 --directory /data/flatfiles
  polygon-stream backfill --start 2026-11-02 --clickhouse chdb:table.chdb --markets crypto
"""

    start: date = Field(description="First day")
    end: date | None = Field(None, description="Last day; without it yesterday in New York")
    data: str = Field("bars", description="bars (of minutes), trades, quotes, separated by commas")
    dry_run: bool = Field(False, description="Say what would be read, and how much, and read none")
    again: bool = Field(False, description="Read files, too, that were loaded before")
    parallel: int = Field(
        0, ge=0, le=64, description="Files at a time; 0 is half of the server's threads"
    )
    create_table: bool = Field(True, description="Create the tables that are missing")


class VerifySettings(Filed):
    """Hold what the stream brought on a day against the vendor's file of it.

    Exit status: 0 equal, or mended; 1 the file is missing or broken, run it again; 2 wrong
    settings or key, or the plan does not include the file; 3 they differ; 4 the file is not
    published yet (about 11:00 New York time of the day after).
    """

    command: ClassVar[str] = "verify"
    positional: ClassVar[str] = "day"
    examples: ClassVar[str] = """\
  polygon-stream verify 2026-11-20 --html verify.html
  polygon-stream verify yesterday --mend --metrics-file /var/lib/node_exporter/verify.prom
  polygon-stream verify 2026-11-20 --data bars,trades --json-file verify.json
"""

    day: str = Field(
        pattern=r"^\d{4}-\d\d-\d\d$|^yesterday$",
        description="The day; yesterday is New York's last day with a file",
    )
    data: str = Field("bars", description="bars (of minutes), trades, quotes, separated by commas")
    mend: bool = Field(False, description="Replace by the file's rows what differs")
    most_extra: float = Field(
        0.1,
        ge=0,
        le=1,
        description="Mend nothing if a larger share of the table's rows is not in the file, which "
        "may be short",
    )
    json_file: Path | None = Field(None, description="Write the findings here as JSON")
    html: Path | None = Field(None, description="Write the findings here as a page")
    metrics_file: Path | None = Field(
        None, description="Write metrics here, for node_exporter's textfile collector"
    )
