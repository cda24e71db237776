"""How far a backfill is, for people: a bar on a terminal, a line a file anywhere."""

import sys
from collections.abc import Iterable

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from polygon_streaming.backfill.jobs import Job
from polygon_streaming.backfill.outcomes import STATUS, Outcome, megabytes


def follow(jobs: list[Job], outcomes: Iterable[Outcome]) -> list[Outcome]:
    """Write a line for each outcome as it comes, below a bar where there is a terminal."""
    console = Console(stderr=True)
    sizes = {(job.dataset.name, job.day): job.found.size if job.found else 0 for job in jobs}
    done = []
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TransferSpeedColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    ) as progress:
        task = progress.add_task("files", total=sum(sizes.values()) or None)
        for outcome in outcomes:
            done.append(outcome)
            sys.stdout.write(f"{outcome}\n")
            sys.stdout.flush()
            progress.update(task, advance=sizes[outcome.dataset, outcome.day])
    return done


def summary(outcomes: list[Outcome], seconds: float, *, dry_run: bool) -> str:
    """Return the sum of a run, in a sentence."""
    counts: dict[str, int] = {}
    for outcome in outcomes:
        counts[outcome.state] = counts.get(outcome.state, 0) + 1
    told = ", ".join(f"{count:,} {state}" for state, count in counts.items()) or "no day"
    read = [o for o in outcomes if o.state in ("loaded", "to load")]
    rows, size = sum(o.rows for o in read), sum(o.bytes for o in read)
    about = "about " if dry_run else ""
    return f"{told}; {about}{rows:,} rows, {megabytes(size)} in {seconds:.1f} s."


def status(outcomes: list[Outcome]) -> int:
    """Return the exit status: a refusal outweighs what a later run may mend."""
    return max((STATUS.get(outcome.state, 0) for outcome in outcomes), default=0)
