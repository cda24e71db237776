from pathlib import Path

import pytest

from polygon_streaming import broker
from polygon_streaming.errors import ConfigError
from polygon_streaming.settings import FeedSettings, FilterSettings, SinkSettings, load


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("POLYGON_API_KEY", "POLYGON_STREAM_API_KEY", "POLYGON_STREAM_CONFIG"):
        monkeypatch.delenv(name, raising=False)


def test_flags_come_before_environment_before_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "stream.yaml"
    path.write_text("raw_topic: file\ngaps_topic: file\nfiltered_topic: file\n")
    monkeypatch.setenv("POLYGON_STREAM_CONFIG", str(path))
    monkeypatch.setenv("POLYGON_STREAM_GAPS_TOPIC", "environment")
    monkeypatch.setenv("POLYGON_STREAM_FILTERED_TOPIC", "environment")
    given = load(FilterSettings, ["--filtered-topic", "flag"])
    assert (given.raw_topic, given.gaps_topic, given.filtered_topic) == (
        "file", "environment", "flag",
    )  # fmt: skip


def test_librdkafka_properties_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    given = load(SinkSettings, ["--kafka", "a.b=c", "--kafka", "d=e"])
    assert given.kafka == {"a.b": "c", "d": "e"}
    monkeypatch.setenv("POLYGON_STREAM_KAFKA", '{"sasl.mechanism": "PLAIN"}')
    assert load(SinkSettings, []).kafka == {"sasl.mechanism": "PLAIN"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "api_key: is missing. Give --api-key or POLYGON_API_KEY."),
        (["--api-key", " "], "api_key: is empty."),
        (["--api-key", "k", "--kafka", "nonsense"], "Parsing error encountered for kafka"),
        (["--api-key", "k", "--shard", "3/2"], "shard: names a part beyond the last"),
        (["--api-key", "k", "--shard", "0/2"], "shard: "),
        (["--api-key", "k", "--http-port", "70000"], "http_port: "),
        (
            ["--api-key", "k", "--retry-seconds", "x"],
            "Give --retry-seconds or POLYGON_STREAM_RETRY",
        ),
    ],
)
def test_what_is_wrong_is_named_with_the_fix(arguments: list[str], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(FeedSettings, arguments)
    assert words in str(caught.value)


def test_the_key_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYGON_API_KEY", "very-secret")
    given = load(FeedSettings, ["--shard", "2/3"])
    assert given.api_key.get_secret_value() == "very-secret"
    assert "very-secret" not in repr(given)
    assert given.shard_of == (1, 3)


def test_the_guarantees_cannot_be_configured_away() -> None:
    given = FilterSettings.model_validate({"kafka": {"enable.idempotence": "false"}})
    with pytest.raises(ConfigError, match=r"enable.idempotence is set by this command"):
        broker.producer(given, {})
    given = FilterSettings.model_validate({"kafka": {"isolation.level": "read_uncommitted"}})
    with pytest.raises(ConfigError, match=r"isolation.level is set by this command"):
        broker.consumer(given, "g")


def test_an_unknown_property_is_named() -> None:
    given = FilterSettings.model_validate({"kafka": {"liger.ms": "1"}})
    with pytest.raises(ConfigError, match=r'No such configuration property: "liger.ms"'):
        broker.producer(given, {})


def test_a_missing_settings_file_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYGON_STREAM_CONFIG", "nowhere.yaml")
    with pytest.raises(
        ConfigError, match=r"POLYGON_STREAM_CONFIG: there is no file 'nowhere.yaml'"
    ):
        load(SinkSettings, [])
