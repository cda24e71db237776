"""The streaming demo's report: one HTML file with its charts inside, no network needed."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots


@dataclass(frozen=True, slots=True)
class Report:
    """What the report shows.

    Attributes:
        facts: name and value of each number.
        samples: (second, events in, records filtered, rows), cumulative.
        symbol: whose candles.
        candles: (start, open, high, low, close) of each.
        gaps: as on the topic.
    """

    facts: list[tuple[str, str]]
    samples: list[tuple[float, float, float, float]]
    symbol: str
    candles: list[tuple[Any, ...]]
    gaps: list[dict[str, Any]]


def write(path: Path, report: Report) -> None:
    """Write the report to a file."""
    figure = make_subplots(
        rows=2, cols=1, subplot_titles=(f"{report.symbol}, 2-second candles", "Records a second")
    )
    starts, opens, highs, lows, closes = zip(*report.candles, strict=False)
    figure.add_trace(
        go.Candlestick(
            x=list(starts), open=list(opens), high=list(highs), low=list(lows),
            close=list(closes), name=report.symbol,
        ),
        row=1, col=1,
    )  # fmt: skip
    for index, name in enumerate(("events in", "filtered", "rows"), start=1):
        seconds, rates = _rates(report.samples, index)
        figure.add_trace(go.Scatter(x=seconds, y=rates, name=name), row=2, col=1)
    figure.update_layout(height=800, template="plotly_white", xaxis_rangeslider_visible=False)
    rows = "".join(f"<tr><td>{escape(n)}<td>{escape(v)}" for n, v in report.facts)
    gaps = "".join(
        f"<li>{escape(gap['from'])} to {escape(gap['to'])} UTC: {escape(gap['reason'])}"
        for gap in report.gaps
    )
    chart = figure.to_html(full_html=False, include_plotlyjs=True)
    path.write_text(
        "<!DOCTYPE html><html lang=en><meta charset=utf-8><title>Streaming demo</title>"
        "<style>body{font:15px system-ui;max-width:60rem;margin:2rem auto}"
        "td{padding:.2rem 1rem .2rem 0}</style>"
        f"<h1>Streaming demo</h1><table>{rows}</table><h2>Gaps</h2><ul>{gaps}</ul>{chart}</html>",
        encoding="utf-8",
    )


def _rates(
    samples: list[tuple[float, float, float, float]], index: int
) -> tuple[list[float], list[float]]:
    seconds, rates = [], []
    for before, after in itertools.pairwise(samples):
        if after[0] > before[0]:
            seconds.append(after[0])
            rates.append((after[index] - before[index]) / (after[0] - before[0]))
    return seconds, rates
