"""What verify found, for machines (JSON, Prometheus) and for people (one HTML file, nothing else).

Files are put in place whole: who reads them while they are written gets the earlier ones.
"""

import json
import os
from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import Any, Final

from prometheus_client import write_to_textfile
from prometheus_client.parser import text_string_to_metric_families

from polygon_streaming.backfill.jobs import chosen
from polygon_streaming.backfill.verdict import Finding, Verdict
from polygon_streaming.errors import ConfigError
from polygon_streaming.process import metrics
from polygon_streaming.settings import VerifySettings

_STYLE: Final = """
:root{color-scheme:light dark;--ink:#0f172a;--soft:#475569;--paper:#f8fafc;--card:#fff;
--line:#e2e8f0;--equal:#16a34a;--other:#ca8a04;--missing:#dc2626;--extra:#7c3aed}
@media(prefers-color-scheme:dark){:root{--ink:#e2e8f0;--soft:#94a3b8;--paper:#0b1120;
--card:#131c2e;--line:#263349;--equal:#4ade80;--other:#facc15;--missing:#f87171;--extra:#a78bfa}}
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);margin:0}
main{max-width:62rem;margin:0 auto;padding:2rem 1.5rem 4rem}
h1{font-size:1.6rem;margin:0}h2{font-size:1.15rem;margin:2.2rem 0 .2rem}
p{color:var(--soft);margin:.3rem 0}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(9rem,1fr));gap:.8rem;margin:1rem 0}
.tile{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:.7rem 1rem}
.tile b{display:block;font-size:1.4rem}.tile span{font-size:.85rem;color:var(--soft)}
.bar{display:flex;height:10px;border-radius:5px;overflow:hidden;background:var(--line)}
.bar i{display:block}.equal{color:var(--equal)}.other{color:var(--other)}
.missing{color:var(--missing)}.extra{color:var(--extra)}.bar .equal{background:var(--equal)}
.bar .other{background:var(--other)}.bar .missing{background:var(--missing)}
.bar .extra{background:var(--extra)}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;background:var(--card);
border:1px solid var(--line);margin:.6rem 0}td,th{padding:.3rem .8rem;text-align:left;
border-bottom:1px solid var(--line)}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
"""
_GAUGES: Final = (
    metrics.verify_rows,
    metrics.verify_mended,
    metrics.verify_day,
    metrics.verify_time,
    metrics.verify_seconds,
)
_STATES: Final = ("equal", "other", "missing", "extra")
_ROWS: Final = 200


def write(settings: VerifySettings, verdicts: list[Verdict]) -> None:
    """Write the files that the settings name.

    Raises:
        ConfigError: one cannot be written.
    """
    try:
        if settings.json_file:
            text = json.dumps([as_json(verdict) for verdict in verdicts], indent=1)
            _put(settings.json_file, text + "\n")
        if settings.html:
            _put(settings.html, page(verdicts))
        if settings.metrics_file:
            wanted = chosen(settings.data, settings.markets)
            _keep(settings.metrics_file, {(d.market, d.kind.name) for d in wanted})
            _export(settings.metrics_file, verdicts)
    except OSError as error:
        raise ConfigError(f"{error.filename} cannot be written: {error.strerror}.") from None


def as_json(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as JSON takes it."""
    return {**asdict(verdict), "day": verdict.day.isoformat(), "is_equal": verdict.is_equal}


def page(verdicts: list[Verdict]) -> str:
    """Return the findings as a page: no script, nothing from elsewhere, light or dark."""
    day = verdicts[0].day if verdicts else ""
    parts = "".join(map(_section, verdicts))
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width"><title>Verify {day}</title><style>{_STYLE}</style><main>'
        f"<h1>{day}: the stream against the vendor's file</h1>{parts}</main></html>\n"
    )


def _section(verdict: Verdict) -> str:
    counts = {state: int(getattr(verdict, state)) for state in _STATES}
    whole = sum(counts.values()) or 1
    words = {
        "equal": "as the file has them",
        "other": "with another value",
        "missing": "missing from the table",
        "extra": "not in the file",
    }
    tiles = "".join(
        f'<div class="tile"><b class="{state}">{counts[state]:,}</b>'
        f"<span>{words[state]}</span></div>"
        for state in _STATES
    )
    bar = "".join(
        f'<i class="{state}" style="width:{100 * counts[state] / whole:.3f}%"></i>'
        for state in _STATES
        if counts[state]
    )
    told = f"{verdict.in_file:,} {verdict.data} in the file."
    if verdict.is_equal:
        told += " The table has all of them, and no others."
    elif verdict.mended:
        told += " What differed is replaced by the file's rows: the table equals the file now."
    if verdict.doubles:
        told += f" Of the file's rows: {verdict.doubles}."
    if verdict.few:
        told += f" {verdict.few}."
    if verdict.unmended:
        told += f" {escape(verdict.unmended)}"
    parts = [f"<h2>{escape(verdict.dataset)}</h2><p>{told}</p>"]
    parts.append(f'<div class="bar">{bar}</div><div class="tiles">{tiles}</div>')
    if verdict.fields:
        rows = [[name, _n(count)] for name, count in verdict.fields.items()]
        parts.append(_table(["Field that differs", "#Rows"], rows))
    if verdict.symbols:
        rows = [
            [symbol, *(_n(of[state]) for state in _STATES[1:])]
            for symbol, of in list(verdict.symbols.items())[:_ROWS]
        ]
        parts.append(_table(["Symbol", "#Other", "#Missing", "#Extra"], rows))
        shown = verdict.findings[:_ROWS]
        parts.append(_table(["Symbol", "At (UTC)", "", "File → table"], list(map(_row, shown))))
        differing = verdict.other + verdict.missing + verdict.extra
        if differing > len(shown):
            parts.append(f"<p>The first {len(shown):,} of {differing:,}.</p>")
    return "".join(parts)


def _row(finding: Finding) -> list[str]:
    values = ", ".join(
        f"{name} {_value(filed)} → {_value(held)}" if finding.kind == "other"
        else f"{name} {_value(held if filed is None else filed)}"
        for name, (filed, held) in finding.fields.items()
    )  # fmt: skip
    return [finding.symbol, finding.at, finding.kind, values]


def _table(head: list[str], rows: list[list[str]]) -> str:
    number = [name.startswith("#") for name in head]

    def line(tag: str, cells: list[str]) -> str:
        shown = (
            f"<{tag}{' class=n' if right else ''}>{escape(cell)}</{tag}>"
            for cell, right in zip(cells, number, strict=True)
        )
        return f"<tr>{''.join(shown)}</tr>"

    top = line("th", [name.removeprefix("#") for name in head])
    body = "".join(line("td", row) for row in rows)
    return f'<div class="scroll"><table>{top}{body}</table></div>'


def _n(count: int) -> str:
    return f"{count:,}"


def _value(value: float | None) -> str:
    return "none" if value is None else f"{value:.12g}"


def _keep(path: Path, wanted: set[tuple[str, str]]) -> None:
    """Take over the figures of the last run; those that this run has replace them.

    What could not be verified this time is seen to grow old, and not to be gone.
    """
    try:
        families = list(text_string_to_metric_families(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError):  # the first run, or nothing of ours
        return
    gauges = {each.name: gauge for gauge in _GAUGES for each in gauge.describe()}
    for family in families:
        for sample in family.samples:
            own = sample.labels.get("market", ""), sample.labels.get("data", "")
            if family.name in gauges and own in wanted:
                gauges[family.name].labels(**sample.labels).set(sample.value)


def _export(path: Path, verdicts: list[Verdict]) -> None:
    for verdict in verdicts:
        labels = verdict.market, verdict.data
        for state in _STATES:
            metrics.verify_rows.labels(*labels, state).set(getattr(verdict, state))
        metrics.verify_mended.labels(*labels).set(verdict.mended)
        metrics.verify_seconds.labels(*labels).set(verdict.seconds)
        metrics.verify_day.labels(*labels).set(metrics.start_of(verdict.day))
        metrics.verify_time.labels(*labels).set_to_current_time()
    write_to_textfile(str(path), metrics.VERIFY)


def _put(path: Path, text: str) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)
