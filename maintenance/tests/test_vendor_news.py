import copy
import json
import re
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from polygon_sandbox.contract.extract import extract

from maintenance import vendor_news
from maintenance.vendor_news import Refused, known, of_the_changelog, of_the_contract, report

PATH = "/stocks/v1/halts"


def operation(**fields: Any) -> dict[str, Any]:
    """A path of the vendor's file: one parameter, rows with these fields."""
    row = {"type": "object", "properties": fields}
    schema = {"properties": {"results": {"type": "array", "items": row}}, "type": "object"}
    content = {"application/json": {"schema": schema}}
    limit = {"name": "limit", "in": "query", "schema": {"type": "integer", "maximum": 100}}
    return {"get": {"parameters": [limit], "responses": {"200": {"content": content}}}}


SPEC = {"paths": {PATH: operation(ticker={"type": "string"}, since={"type": "integer"})}}


def lines(spec: Any) -> list[str]:
    """What a file says that `SPEC` does not."""
    return of_the_contract(json.dumps(spec).encode(), extract(SPEC))


def changed() -> dict[str, Any]:
    return copy.deepcopy(SPEC)


def rows_of(spec: dict[str, Any]) -> dict[str, Any]:
    content = spec["paths"][PATH]["get"]["responses"]["200"]["content"]
    fields: dict[str, Any] = content["application/json"]["schema"]["properties"]["results"]["items"]
    return fields


def test_the_same_file_is_not_news() -> None:
    assert lines(SPEC) == []
    assert report([], []) == ""


def test_a_path_that_is_new_and_one_that_is_gone_are_named() -> None:
    spec = changed()
    spec["paths"]["/stocks/v1/auctions"] = spec["paths"].pop(PATH)
    assert lines(spec) == [f"gone: `{PATH}`", "new: `/stocks/v1/auctions`"]


def test_fields_and_parameters_are_compared_one_by_one() -> None:
    spec = changed()
    fields = rows_of(spec)["properties"]
    fields["reason"] = {"type": "string"}
    fields["since"]["type"] = "string"
    del fields["ticker"]
    parameters = spec["paths"][PATH]["get"]["parameters"]
    parameters[0]["schema"]["maximum"] = 50
    parameters.append({"name": "ticker.gte", "in": "query", "schema": {"type": "string"}})
    spec["paths"][PATH]["get"]["x-polygon-deprecation"] = {}
    assert lines(spec) == [
        f"`{PATH}`: new parameter `ticker`",
        f"`{PATH}`: parameter `limit`: "
        '`{"type": "integer", "max": 100}` is now `{"type": "integer", "max": 50}`',
        f"`{PATH}`: new field `reason`",
        f"`{PATH}`: field `ticker` is gone",
        f'`{PATH}`: field `since`: `{{"type": "integer"}}` is now `{{"type": "string"}}`',
        f"`{PATH}`: `deprecated`: `null` is now `true`",
    ]


def test_a_path_that_cannot_be_read_hides_no_other() -> None:
    spec = changed()
    spec["paths"]["/a"] = {"post": {}}
    spec["paths"]["/z"] = operation(a={"$ref": "#/nowhere"})
    rows_of(spec)["properties"]["reason"] = {"type": "string"}
    assert lines(spec) == [
        "cannot be read: `/a`: `KeyError('get')`",
        f"`{PATH}`: new field `reason`",
        "cannot be read: `/z`: `KeyError('nowhere')`",
    ]


@pytest.mark.parametrize(
    "published", [b"", b"<html>", b"[]", b'{"paths": 3}', b"null", b"[" * 200_000]
)
def test_what_is_not_an_openapi_file_is_refused(published: bytes) -> None:
    with pytest.raises(Refused, match=r"^the OpenAPI file has no paths that can be read: "):
        of_the_contract(published, {})


def test_names_and_values_of_others_can_do_nothing_in_the_report() -> None:
    spec = changed()
    evil = "`](https://evil.example) @everyone\n# now\x1b[2J" + "x" * 10_000
    spec["paths"][evil] = spec["paths"][PATH]
    rows_of(spec)["properties"]["since"]["enum"] = [evil]
    found = lines(spec)
    assert "new: (odd name)" in found
    (line,) = [line for line in found if "`since`" in line]
    assert len(line) < 500
    assert "\n" not in line
    assert "\x1b" not in line
    # Outside of code there are only words of our own.
    assert re.sub(r"`[^`]*`", "", line) == ": field :  is now "


def feed(*items: tuple[str, str]) -> bytes:
    written = "".join(
        f"<item><title>{title}</title><pubDate>{day}</pubDate></item>" for title, day in items
    )
    return f"<rss><channel><title>Changelog</title>{written}</channel></rss>".encode()


def test_entries_after_the_day_are_news_the_newest_first() -> None:
    published = feed(
        ("Of the day itself", "Mon, 27 Apr 2026 23:59:59 GMT"),
        ("Next day in UTC", "Mon, 27 Apr 2026 20:00:00 -0400"),
        ("New &lt;b&gt;`endpoint`&lt;/b&gt; for @all", "Tue, 05 May 2026 00:00:00 +0000"),
        ("Old", "Mon, 01 Dec 2025 00:00:00 GMT"),
    )
    assert of_the_changelog(published, date(2026, 4, 27)) == [
        "2026-05-05: `New <b>'endpoint'</b> for @all`",
        "2026-04-28: `Next day in UTC`",
    ]


BOMB = b'<!DOCTYPE rss [<!ENTITY a "aaaa">]><rss><channel><item>&a;</item></channel></rss>'


@pytest.mark.parametrize(
    ("published", "why"),
    [
        (b"", "is not a feed"),
        (b"<html><body>Just a moment...</html>", "is not a feed"),
        (b"<html><body>Just a moment...</body></html>", "has no entries"),
        (BOMB, "is not a feed: `EntitiesForbidden"),
        (feed(("New", "soon")), "an entry of the changelog has no day: `New`"),
    ],
)
def test_what_is_not_a_changelog_is_refused(published: bytes, why: str) -> None:
    with pytest.raises(Refused, match=re.escape(why)):
        of_the_changelog(published, date(2026, 4, 27))


def run(monkeypatch: pytest.MonkeyPatch, openapi: Path, changelog: Path) -> None:
    arguments = ["vendor_news", "--openapi", str(openapi), "--changelog", str(changelog)]
    monkeypatch.setattr(sys, "argv", arguments)
    vendor_news.main()


def test_the_command_prints_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    openapi, changelog = tmp_path / "openapi.json", tmp_path / "rss.xml"
    openapi.write_text(json.dumps(SPEC))
    changelog.write_bytes(feed(("Halts", "Tue, 05 May 2026 00:00:00 GMT")))
    run(monkeypatch, openapi, changelog)
    printed = capsys.readouterr().out
    assert printed.startswith("## The OpenAPI file has what the contract does not\n\n- gone: ")
    assert "- gone: `/v3/reference/tickers`\n" in printed
    assert f"- new: `{PATH}`\n" in printed
    assert printed.endswith("## The changelog since 2026-04-27\n\n- 2026-05-05: `Halts`\n")
    assert len(known()) == printed.count("- gone: ") == 145


def test_the_command_refuses_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page.html"
    page.write_text("<html>")
    with pytest.raises(SystemExit, match=r"^vendor's news: the OpenAPI file has no paths"):
        run(monkeypatch, page, page)
    with pytest.raises(SystemExit, match=r"^vendor's news: .*No such file"):
        run(monkeypatch, tmp_path / "missing", page)
    monkeypatch.setattr(vendor_news, "LARGEST_FILE", 5)
    with pytest.raises(SystemExit, match="has more than 5 bytes"):
        run(monkeypatch, page, page)


def test_a_long_report_is_cut() -> None:
    text = report([f"new: {number}" for number in range(250)], [])
    assert text.count("\n- new: ") == 200
    assert text.endswith("- and 50 more\n")
