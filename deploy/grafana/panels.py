"""The kinds of panels that the boards are made of, each with all that Grafana's schema wants."""

from typing import Any

from deploy.grafana.sources import PROMETHEUS, Query

Panel = dict[str, Any]
Limits = tuple[tuple[float | None, str], ...]
"""From which value on which colour; the first from None on, which is below all."""

GREEN, YELLOW, RED, BLUE = "green", "yellow", "red", "blue"
PLAIN: Limits = ((None, "text"),)
YES_NO: Limits = ((None, RED), (1, GREEN))
NONE_IS_GOOD: Limits = ((None, GREEN), (1, RED))


def stat(
    title: str,
    says: str,
    query: Query,
    unit: str,
    limits: Limits = PLAIN,
    *,
    words: dict[str, str] | None = None,
    **more: Any,
) -> Panel:
    """Return a panel of one number a series, in the colour of its limit.

    Args:
        title: what it is.
        says: what it means and what to do about it.
        query: the last value counts.
        unit: as Grafana names it.
        limits: where its colour changes.
        words: what is shown instead of a value.
        more: `decimals`, `noValue`, as Grafana's field options.
    """
    options = {
        "graphMode": "none" if query.get("instant", True) else "area",
        "colorMode": "background" if limits[0][1] != "text" else "value",
        "justifyMode": "auto",
        "textMode": "auto",
        "wideLayout": True,
        "showPercentChange": False,
        "percentChangeColorMode": "standard",
        "orientation": "auto",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
    }
    mapped = [
        {"type": "value", "options": {value: {"text": word, "index": number}}}
        for number, (value, word) in enumerate((words or {}).items())
    ]
    defaults = {**_defaults(unit, limits), "mappings": mapped, **more}
    return _panel("stat", title, says, [query], defaults, options)


def series(
    title: str,
    says: str,
    queries: list[Query],
    unit: str,
    limits: Limits = PLAIN,
    *,
    axis: str = "",
    stacked: bool = False,
    bars: bool = False,
    floating: bool = False,
    colours: dict[str, str] | None = None,
    **more: Any,
) -> Panel:
    """Return a panel of lines over time; limits are drawn as dashed lines.

    Args:
        title: what it is.
        says: what it means and what to do about it.
        queries: each gives one series or more.
        unit: as Grafana names it.
        limits: as those of `stat`.
        axis: what the axis shows.
        stacked: whether the series lie on each other.
        bars: whether they are bars instead of lines.
        floating: whether the axis may begin elsewhere than at 0.
        colours: those of series, by their names.
        more: as those of `stat`.
    """
    style = {
        "axisLabel": axis,
        "drawStyle": "bars" if bars else "line",
        "lineWidth": 0 if bars else 2,
        "fillOpacity": 70 if bars else 12,
        "showPoints": "never",
        "spanNulls": False,
        "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
        "thresholdsStyle": {"mode": "off" if limits is PLAIN else "dashed"},
    }
    defaults = {**_defaults(unit, limits), "custom": style, **({} if floating else {"min": 0})}
    defaults |= {"color": {"mode": "palette-classic"}, **more}
    options = {
        "legend": _LEGEND,
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    return _panel(
        "timeseries", title, says, _lettered(queries), defaults, options, _coloured(colours or {})
    )


def table(
    title: str, says: str, query: Query, columns: dict[str, dict[str, Any]] | None = None
) -> Panel:
    """Return a table.

    Args:
        title: what it is.
        says: what it means and what to do about it.
        query: its rows.
        columns: properties of columns by name, such as `{"spread": {"unit": "percent"}}`.
    """
    options = {
        "frameIndex": 0,
        "showHeader": True,
        "cellHeight": "sm",
        "footer": {"show": False, "reducer": ["sum"], "countRows": False, "fields": ""},
    }
    overrides = [
        {
            "matcher": {"id": "byName", "options": name},
            "properties": [{"id": key, "value": value} for key, value in properties.items()],
        }
        for name, properties in (columns or {}).items()
    ]
    return _panel("table", title, says, [query], _defaults("short", PLAIN), options, overrides)


def candles(title: str, says: str, query: Query) -> Panel:
    """Return candles with their volume, of columns time, open, high, low, close and volume."""
    options = {
        "mode": "candles+volume",
        "candleStyle": "candles",
        "colorStrategy": "open-close",
        "colors": {"up": GREEN, "down": RED, "flat": BLUE},
        "fields": {name: name for name in ("open", "high", "low", "close", "volume")},
        "includeAllFields": False,
        "legend": _LEGEND,
        "tooltip": {"mode": "multi", "sort": "none"},
    }
    defaults = {**_defaults("short", PLAIN), "custom": {"axisLabel": "price"}}
    return _panel("candlestick", title, says, [query], defaults, options)


def alerts(title: str, says: str) -> Panel:
    """Return the list of the alerts that fire or are about to."""
    options = {
        "viewMode": "list",
        "groupMode": "default",
        "groupBy": [],
        "maxItems": 20,
        "sortOrder": 3,  # by importance
        "dashboardAlerts": False,
        "alertName": "",
        "alertInstanceLabelFilter": "",
        "datasource": "Prometheus",
        "stateFilter": {
            "firing": True, "pending": True, "noData": False, "normal": False, "error": True,
            "recovering": True,
        },
    }  # fmt: skip
    return {**_panel("alertlist", title, says, [], {}, options), "datasource": PROMETHEUS}


_LEGEND = {
    "displayMode": "table",
    "placement": "bottom",
    "showLegend": True,
    "calcs": ["lastNotNull", "max"],
}


def _panel(
    kind: str,
    title: str,
    says: str,
    queries: list[Query],
    defaults: dict[str, Any],
    options: dict[str, Any],
    overrides: list[dict[str, Any]] | None = None,
) -> Panel:
    return {
        "type": kind,
        "title": title,
        "description": says,
        **({"datasource": queries[0]["datasource"]} if queries else {}),
        "targets": queries,
        "fieldConfig": {"defaults": defaults, "overrides": overrides or []},
        "options": options,
    }


def _defaults(unit: str, limits: Limits) -> dict[str, Any]:
    steps = [{"value": value, "color": colour} for value, colour in limits]
    return {
        "unit": unit,
        "color": {"mode": "thresholds"},
        "thresholds": {"mode": "absolute", "steps": steps},
    }


def _coloured(colours: dict[str, str]) -> list[dict[str, Any]]:
    return [
        {
            "matcher": {"id": "byName", "options": name},
            "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": colour}}],
        }
        for name, colour in colours.items()
    ]


def _lettered(queries: list[Query]) -> list[Query]:
    return [{**query, "refId": chr(ord("A") + n)} for n, query in enumerate(queries)]
