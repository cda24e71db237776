"""The asset of sessions that are verified: in ClickHouse as the vendor's files have them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Final

import dagster as dg
from polygon_streaming import ConfigError, StreamError, Verdict

from polygon_orchestration.assets import FRESHNESS, tags
from polygon_orchestration.flat_files import Filed, FlatFiles

KEY: Final = dg.AssetKey(["stream", "verified_sessions"])
# One at a time: two that mend a session at once would be in each other's way.
POOL: Final = "flat_files"
# Judgement: trades that come late or are cancelled change the bars of a day, some of each thousand.
# Unverified on a live feed.
MOST_OTHER: Final = 0.01
_SHOWN: Final = 20
_FIGURES: Final = ("equal", "other", "missing", "extra")


def verified(
    owner: str,
    flat_files: FlatFiles,
    table: str,
    partitions: dg.PartitionsDefinition[str],
    retry: dg.RetryPolicy,
) -> dg.AssetsDefinition:
    """Return the asset, with its checks.

    A run over many sessions loads their files side by side. One that cannot finish some of them
    marks the others as materialized, and fails.

    Args:
        owner: see `Settings`.
        flat_files: where they are read from and to.
        table: that of the streamed bars, which the asset stands on.
        partitions: the sessions.
        retry: of a run that failed by what may pass.
    """

    @dg.multi_asset(
        name="verified_sessions",
        specs=[
            dg.AssetSpec(
                KEY,
                deps=[dg.AssetKey(["stream", table])],
                group_name="stream",
                freshness_policy=FRESHNESS,
                description="Sessions of which ClickHouse has what the vendor's flat files have, "
                "and what the stream had brought before: equal, other, missing, extra.",
                owners=[owner],
                tags=tags("stream"),
                kinds={"clickhouse", "s3"},
            )
        ],
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        retry_policy=retry,
        pool=POOL,
        check_specs=[
            dg.AssetCheckSpec(name, asset=KEY, description=about)
            for name, (about, _) in CHECKS.items()
        ],
    )
    def materialize(context: dg.AssetExecutionContext) -> Iterator[Any]:
        days = sorted(map(date.fromisoformat, context.partition_keys))

        def tell(kind: str, verdict: Verdict) -> None:
            # At once: when the table is mended, nobody can find this out again.
            figures = _figures(kind, verdict)
            told = dg.AssetObservation(KEY, partition=str(verdict.day), metadata=figures)
            context.log_event(told)
            context.log.info(str(verdict))

        found: list[Filed] = []
        try:
            for one in flat_files.load(days, tell):
                context.log.info(one.words or str(one.outcome))
                found.append(one)
        except StreamError as error:
            lasting = isinstance(error, ConfigError)
            raise dg.Failure(str(error), allow_retries=not lasting) from None
        undone = {str(day) for day in days} - {str(one.day) for one in found}
        undone |= {str(one.day) for one in found if one.words}
        for name, (_, judge) in CHECKS.items():
            yield judge(name, found)
        shown = {str(day): _page([one for one in found if one.day == day]) for day in days}
        if undone:
            for day in sorted(set(shown) - undone):
                yield dg.AssetMaterialization(KEY, partition=day, metadata=shown[day])
            reasons = [f"{one.day} {one.kind}: {one.words}" for one in found if one.words]
            raise dg.Failure(
                f"Not done: {' '.join(sorted(reasons)[:_SHOWN])}",
                allow_retries=any(one.may_pass for one in found if one.words),
            )
        for day, metadata in shown.items():
            context.add_asset_metadata(metadata, KEY, day)
        yield dg.MaterializeResult(asset_key=KEY)

    return materialize


def _missing(name: str, found: Sequence[Filed]) -> dg.AssetCheckResult:
    lacking = [v for v in _streamed(found) if v.missing]
    return _result(name, found, lacking, "missing")


def _other(name: str, found: Sequence[Filed]) -> dg.AssetCheckResult:
    wrong = [v for v in _streamed(found) if v.other + v.extra > MOST_OTHER * v.in_file]
    return _result(name, found, wrong, "other, extra")


def _equal(name: str, found: Sequence[Filed]) -> dg.AssetCheckResult:
    held = [one.held for one in found if one.held]
    wrong = [verdict for verdict in held if not verdict.is_equal]
    unseen = [one for one in found if one.words]
    return dg.AssetCheckResult(
        asset_key=KEY,
        check_name=name,
        passed=not (wrong or unseen),
        description=" ".join(map(str, wrong)) or " ".join(one.words for one in unseen) or None,
        metadata={
            "compared row by row": len(held),
            "loaded whole": sum(one.held is None and not one.words for one in found),
        },
    )


def _many(name: str, found: Sequence[Filed]) -> dg.AssetCheckResult:
    short = [f"{one.day} {one.kind}: {one.few}." for one in found if one.few]
    return dg.AssetCheckResult(
        asset_key=KEY,
        check_name=name,
        passed=not short,
        severity=dg.AssetCheckSeverity.WARN,
        description=" ".join(short[:_SHOWN]) or None,
        metadata={"files": sum(not one.words for one in found), "with few rows": len(short)},
    )


CHECKS: Final[Mapping[str, tuple[str, Callable[[str, Sequence[Filed]], dg.AssetCheckResult]]]] = {
    "nothing_missing": ("The stream had brought every row of the file.", _missing),
    "few_other_values": (
        f"At most {MOST_OTHER:.0%} of the rows that the stream had brought have another value than "
        "the file's, or are not in it.",
        _other,
    ),
    "as_many_rows_as_usual": (
        "No file has fewer than half of the rows of those around it, which would speak for a short "
        "one.",
        _many,
    ),
    "table_equals_file": ("The table has the file's rows now, and no others.", _equal),
}


def _streamed(found: Sequence[Filed]) -> list[Verdict]:
    return [one.streamed for one in found if one.streamed]


def _result(
    name: str, found: Sequence[Filed], faults: Sequence[Verdict], what: str
) -> dg.AssetCheckResult:
    verdicts = _streamed(found)
    told = None if verdicts else "nothing had been streamed yet by then"
    if faults:
        worst = max(faults, key=lambda v: sum(getattr(v, each) for each in what.split(", ")))
        told = f"{len(faults)} of {len(verdicts)}, the worst: {worst}"
    figures = {each: sum(getattr(v, each) for v in verdicts) for each in ("in_file", *_FIGURES)}
    return dg.AssetCheckResult(
        asset_key=KEY,
        check_name=name,
        passed=not faults,
        description=told,
        metadata={**figures, "verified": len(verdicts), "such as": [str(v) for v in faults[:20]]},
    )


def _page(found: Sequence[Filed]) -> dict[str, Any]:
    """Return what a session's page shows."""
    shown: dict[str, Any] = {}
    for one in found:
        if one.outcome is None:
            continue
        shown |= {
            f"{one.kind} rows": one.outcome.rows,
            f"{one.kind} bytes": one.outcome.bytes,
            f"{one.kind} seconds": round(one.outcome.seconds, 3),
            f"{one.kind} rows written": one.outcome.written,
            f"{one.kind} ETag": one.etag,
        }
        if one.streamed:
            shown |= _figures(one.kind, one.streamed)
    return shown


def _figures(kind: str, verdict: Verdict) -> dict[str, Any]:
    figures: dict[str, Any] = {f"{kind} {each}": getattr(verdict, each) for each in _FIGURES}
    if verdict.symbols:
        head = "| symbol | missing | extra | other |\n|---|---|---|---|"
        rows = [
            f"| {symbol} | {of['missing']} | {of['extra']} | {of['other']} |"
            for symbol, of in list(verdict.symbols.items())[:_SHOWN]
        ]
        figures[f"{kind} that differ"] = dg.MetadataValue.md("\n".join([head, *rows]))
    return figures
