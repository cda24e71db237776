"""The operator's panels of the day after: what `polygon-stream verify` found."""

from deploy.grafana.board import Sized
from deploy.grafana.panels import GREEN, NONE_IS_GOOD, RED, YELLOW, Limits, series, stat
from deploy.grafana.sources import metric

_DAYS: Limits = ((None, GREEN), (1.5 * 86_400, YELLOW), (3 * 86_400, RED))
_DIFFERENT = 'sum by (market, data) (polygon_verify_rows{state!="equal"})'
_NONE = "not verified here"


def verified() -> list[Sized]:
    """Return what there is of the last day that was verified, by market and data."""
    name = "{{market}} {{data}}"
    return [
        (
            5,
            7,
            stat(
                "Day that was verified",
                "The last one that was held against the vendor's file.",
                metric(
                    "max by (market, data) (polygon_verify_day_timestamp_seconds) * 1000",
                    name,
                    now=True,
                ),
                "dateTimeAsIso",
                noValue=_NONE,
            ),
        ),
        (
            4,
            7,
            stat(
                "Since it was verified",
                "Red is the alert DayNotVerified.",
                metric(
                    "time() - max by (market, data) (polygon_verify_timestamp_seconds)",
                    name,
                    now=True,
                ),
                "s",
                _DAYS,
                decimals=0,
                noValue=_NONE,
            ),
        ),
        (
            5,
            7,
            stat(
                "Rows that still differ",
                "0 if they were equal or were mended; else the alert VerifyDiffers.",
                metric(
                    f"{_DIFFERENT} * (1 - max by (market, data) (polygon_verify_mended))",
                    name,
                    now=True,
                ),
                "short",
                NONE_IS_GOOD,
                decimals=0,
                noValue=_NONE,
            ),
        ),
        (
            10,
            7,
            series(
                "Rows that the stream had otherwise than the file",
                "Other: another value; missing: not in the table; extra: not in the file. As they "
                "were found, before they were mended. Choose a range of days.",
                [
                    metric(
                        'sum by (market, data, state) (polygon_verify_rows{state!="equal"})',
                        f"{name} {{{{state}}}}",
                    )
                ],
                "short",
                axis="rows of the day",
                stacked=True,
                decimals=0,
            ),
        ),
    ]
