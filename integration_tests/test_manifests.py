"""The manifests are made from one file a stream, and are up to date."""

import logging
import runpy
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from airbyte_cdk.models import ConfiguredAirbyteCatalog
from airbyte_cdk.sources import Source
from airbyte_cdk.sources.declarative.concurrent_declarative_source import (
    ConcurrentDeclarativeSource,
)
from airbyte_cdk.utils.yaml_loader import safe_load_yaml
from polygon_sandbox import Plan, Sandbox, World
from source_polygon import SourcePolygon

from unit_tests.connector.cloud_syncing import names
from unit_tests.connector.syncing import KEYS, Row, Syncs, catalog

LOGGER = logging.getLogger("airbyte")
MANIFESTS = Path(__file__).parents[1] / "manifests"
BUILD: dict[str, Any] = runpy.run_path(str(MANIFESTS / "build.py"))
manifest: Callable[..., str] = BUILD["manifest"]

VENUES = """\
about: The exchanges under another name.
kind: list
path: /v3/reference/exchanges
primary_key: [asset_class, locale, id, name]
plan: every plan
requests: one
schema:
  type: object
  additionalProperties: true
  properties:
    id: {type: integer, description: Number of the exchange.}
"""


@pytest.mark.parametrize("path", BUILD["files"](), ids=lambda path: str(path.name))
def test_what_is_written_is_up_to_date(path: Path) -> None:
    assert path.read_text() == BUILD["files"]()[path], "run `make manifests`"
    assert not path.is_symlink()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a copy of the folder, to change, with a few of the streams: fifty take seconds."""
    copy = Path(shutil.copytree(MANIFESTS, tmp_path / "manifests"))
    for stream in (copy / "streams").iterdir():
        if stream.stem not in ("grouped_daily", "exchanges", "splits", "ticker_types"):
            stream.unlink()
    return copy


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    world = World(seed=3, stocks=20, delisted=5, otc=2, crypto=2, fx=2, indices=2)
    with Sandbox(world, Plan.unlimited()) as running:
        yield running


class CloudSyncs(Syncs):
    """Syncs of the Cloud edition made from a folder."""

    text: str

    def source(self, chosen: ConfiguredAirbyteCatalog, config: Row) -> Source:
        made = safe_load_yaml(self.text)
        address = made["spec"]["connection_specification"]["properties"]["base_url"]
        address["enum"].append(self.sandbox.url)
        return ConcurrentDeclarativeSource(
            catalog=chosen, config=config, state=self.state, source_config=made
        )


def test_a_file_more_is_a_stream_more_in_both_editions(
    folder: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (folder / "streams" / "venues.yaml").write_text(VENUES)
    packaged = tmp_path / "manifest.yaml"
    packaged.write_text(manifest("docker", folder))
    monkeypatch.setattr("source_polygon.source.MANIFEST", packaged)
    monkeypatch.setitem(KEYS, "venues", KEYS["exchanges"])
    docker, cloud = Syncs(sandbox), CloudSyncs(sandbox)
    cloud.text = manifest("cloud", folder)
    for syncs in (docker, cloud):
        syncs.read("venues", "exchanges")
        assert len(syncs.tables["venues"]) > 10
        assert syncs.tables["venues"] == syncs.tables["exchanges"]
    assert "[`venues`](#venues) | list |" in BUILD["table"](folder)


ONE_FIELD_MORE = """\
    symbols:
      type: array
      title: Symbols
      items: {type: string}
"""


def test_a_stream_that_needs_a_field_is_there_once_it_is_filled_in(
    folder: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (folder / "streams" / "venues.yaml").write_text(VENUES + "needs: symbols\n")
    if "    symbols:\n" not in (spec := (folder / "spec.yaml").read_text()):
        (folder / "spec.yaml").write_text(spec.rstrip() + "\n" + ONE_FIELD_MORE)
    packaged = tmp_path / "manifest.yaml"
    packaged.write_text(manifest("docker", folder))
    monkeypatch.setattr("source_polygon.source.MANIFEST", packaged)
    monkeypatch.setitem(KEYS, "venues", KEYS["exchanges"])
    assert "another name. Once `symbols` is filled in.\n" in BUILD["table"](folder)
    docker, cloud = Syncs(sandbox), CloudSyncs(sandbox)
    cloud.text = manifest("cloud", folder)
    for syncs in (docker, cloud):
        for symbols in ([], ["AAPL"]):
            config = syncs.config(symbols=symbols)
            source = syncs.source(catalog(), config)
            found = {stream.name for stream in source.discover(LOGGER, config).streams}
            assert ("venues" in found) == bool(symbols)
            assert {"exchanges", "grouped_daily"} < found
        syncs.read("venues", symbols=["AAPL"])
        assert len(syncs.tables["venues"]) > 10
        output = syncs.read("venues", "exchanges", expect_failure=True, symbols=[])
        assert output.status("venues") == "INCOMPLETE"
        assert output.status("exchanges") == "COMPLETE"
        assert output.records("venues") == []
        if syncs is docker:
            words = (
                "venues is not read, since `symbols` is empty. Fill in `symbols`, or take venues"
            )
            assert len(output.errors) == 2
            assert all(words in error for error in output.errors)
            assert output.failure_types == {"config_error"}


def test_a_kind_of_one_edition_is_left_out_of_the_other(folder: Path) -> None:
    (folder / "streams" / "venues.yaml").write_text(VENUES)
    kinds = folder / "kinds"
    for name in ("exchanges", "ticker_types"):
        (folder / "streams" / f"{name}.yaml").unlink()
    (kinds / "list.cloud.yaml").unlink()
    made = safe_load_yaml(manifest("docker", folder))
    assert "venues" in names(made)
    made = safe_load_yaml(manifest("cloud", folder))
    assert "venues" not in {*names(made), *made["schemas"]}
    (row,) = [line for line in BUILD["table"](folder).splitlines() if line.startswith("| [`venues")]
    assert row.split("|")[-2].strip() == "docker"


def test_the_command_finds_the_packaged_manifest() -> None:
    made = SourcePolygon().manifest
    assert [*made.definitions, *made.withheld] == names(safe_load_yaml(manifest("docker")))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("streams/splits.yaml", "kind: paged_list", "kind: lis"), "'lis' is not a kind. Take one"),
        (("streams/splits.yaml", "page_size: 5000\n", ""), "streams/splits.yaml: page_size is"),
        (
            ("streams/splits.yaml", "kind: paged_list", "kind: paged_list\nneeds: sybmols"),
            "streams/splits.yaml: sybmols is not a field of spec.yaml.",
        ),
        (
            ("spec.yaml", "cloud:\n        # Cloud", "cloud:\n        order: 3\n        # Cloud"),
            "spec.yaml: ['order'] is said for both editions and for cloud.",
        ),
    ],
)
def test_what_is_wrong_is_named(folder: Path, change: tuple[str, str, str], words: str) -> None:
    name, before, after = change
    text = (folder / name).read_text()
    assert text.count(before) == 1
    (folder / name).write_text(text.replace(before, after))
    with pytest.raises(ValueError, match=words.replace("[", r"\[")):
        manifest("cloud", folder)


def test_nothing_is_null_and_no_default_is_written_twice() -> None:
    parts = [*(MANIFESTS / "kinds").iterdir(), *(MANIFESTS / "frame").iterdir()]
    for path in parts:
        text = path.read_text()
        assert "null" not in text, path
        assert "https://api." not in text, path
