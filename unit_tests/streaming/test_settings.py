import os
import re
from pathlib import Path

import pytest
from polygon_streaming.errors import ConfigError
from polygon_streaming.kafka import clients
from polygon_streaming.settings import (
    COMMANDS,
    FeedSettings,
    FilterSettings,
    HealSettings,
    KafkaSettings,
    SinkSettings,
    VerifySettings,
    load,
)


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith("POLYGON_")]:
        monkeypatch.delenv(name)


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
    given = load(SinkSettings, ["--kafka", "bootstrap.x=one:9092,two:9092", "--kafka", "p=a=b"])
    assert given.kafka == {"bootstrap.x": "one:9092,two:9092", "p": "a=b"}
    monkeypatch.setenv("POLYGON_STREAM_KAFKA", '{"sasl.mechanism": "PLAIN", "a": 5, "b": true}')
    assert load(SinkSettings, []).kafka == {"sasl.mechanism": "PLAIN", "a": "5", "b": "true"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "api_key: is missing. Give --api-key or POLYGON_API_KEY."),
        (["--api-key", " "], "api_key: is empty."),
        (["--api-key", "k", "--kafka", "nonsense"], "--kafka: give name=value, or a JSON object"),
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
        clients.producer(given, {})
    given = FilterSettings.model_validate({"kafka": {"isolation.level": "read_uncommitted"}})
    with pytest.raises(ConfigError, match=r"isolation.level is set by this command"):
        clients.consumer(given, "g")


def test_an_unknown_property_is_named() -> None:
    given = FilterSettings.model_validate({"kafka": {"liger.ms": "1"}})
    with pytest.raises(ConfigError, match=r'No such configuration property: "liger.ms"'):
        clients.producer(given, {})


def test_a_missing_settings_file_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYGON_STREAM_CONFIG", "nowhere.yaml")
    with pytest.raises(
        ConfigError, match=r"POLYGON_STREAM_CONFIG: there is no file 'nowhere.yaml'"
    ):
        load(SinkSettings, [])


def test_kafka_properties_of_all_three_add_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _file(tmp_path, monkeypatch, "kafka:\n  a: file\n  b: file\n  c: file\n")
    monkeypatch.setenv("POLYGON_STREAM_KAFKA", '{"b": "environment", "c": "environment"}')
    given = load(SinkSettings, ["--kafka", "c=flag"])
    assert given.kafka == {"a": "file", "b": "environment", "c": "flag"}


@pytest.mark.parametrize(
    "variables",
    [
        {"POLYGON_STREAM_BOOTSTRAP_SERVERS": "broker:1"},
        {"polygon_stream_bootstrap_servers": "broker:1"},
        {"POLYGON_STREAM_Bootstrap_Servers": "broker:1", "POLYGON_STREAM_RULES": ""},
        # What another command has is known, and so is what Kubernetes adds for a Service.
        {"POLYGON_STREAM_BOOTSTRAP_SERVERS": "broker:1", "POLYGON_STREAM_SHARD": "1/2"},
        {"POLYGON_STREAM_BOOTSTRAP_SERVERS": "broker:1", "POLYGON_STREAM_API_KEY": "k"},
        {
            "POLYGON_STREAM_BOOTSTRAP_SERVERS": "broker:1",
            "POLYGON_STREAM_SERVICE_HOST": "10.0.0.7",
            "POLYGON_STREAM_SERVICE_PORT_METRICS": "9100",
            "POLYGON_STREAM_PORT": "tcp://10.0.0.7:9100",
            "POLYGON_STREAM_FEED_PORT": "tcp://10.0.0.8:9100",
            "POLYGON_STREAM_FEED_PORT_9100_TCP_ADDR": "10.0.0.8",
        },
        # The orchestration's own.
        {"POLYGON_STREAM_BOOTSTRAP_SERVERS": "broker:1", "POLYGON_BASE_URL": "http://x"},
    ],
)
def test_environments_that_are_good(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    for name, text in variables.items():
        monkeypatch.setenv(name, text)
    given = load(FilterSettings, [])
    assert (given.bootstrap_servers, given.rules) == ("broker:1", None)


@pytest.mark.parametrize(
    ("variable", "words"),
    [
        ("POLYGON_STREAM_BOOTSTRAP_SERVER", "Did you mean 'POLYGON_STREAM_BOOTSTRAP_SERVERS'?"),
        ("POLYGON_STREAM_BOOTSTRAP-SERVERS", "Did you mean 'POLYGON_STREAM_BOOTSTRAP_SERVERS'?"),
        ("polygon_stream_rulez", "Did you mean 'POLYGON_STREAM_RULES'?"),
        ("POLYGON_STREAMS_RAW_TOPIC", "Did you mean 'POLYGON_STREAM_RAW_TOPIC'?"),
        ("POLYGON_STREAM_CONFIGURATION", "Did you mean 'POLYGON_STREAM_CONFIG'?"),
        ("POLYGON_STREAM_XYZ", "not a setting."),
    ],
)
def test_a_mistyped_variable_is_refused(
    monkeypatch: pytest.MonkeyPatch, variable: str, words: str
) -> None:
    monkeypatch.setenv(variable, "x")
    with pytest.raises(ConfigError) as caught:
        load(FilterSettings, [])
    assert str(caught.value).startswith(f"{variable} is not a setting.")
    assert str(caught.value).endswith(words)


def test_a_variable_in_two_spellings_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYGON_STREAM_RAW_TOPIC", "one")
    monkeypatch.setenv("polygon_stream_raw_topic", "two")
    with pytest.raises(ConfigError, match="are the same setting"):
        load(FilterSettings, [])


def test_the_key_of_another_tool_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEY", "another-tool")
    with pytest.raises(ConfigError, match="api_key: is missing"):
        load(FeedSettings, [])
    monkeypatch.setenv("POLYGON_API_KEY", "the-vendor")
    assert load(FeedSettings, []).api_key.get_secret_value() == "the-vendor"
    monkeypatch.setenv("POLYGON_STREAM_API_KEY", "ours")
    assert load(FeedSettings, []).api_key.get_secret_value() == "ours"
    assert load(FeedSettings, ["--api-key", "flag"]).api_key.get_secret_value() == "flag"


def test_the_key_to_the_files_has_a_name_that_other_tools_share(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("POLYGON_FLAT_FILES_ACCESS_KEY_ID", "shared")
    monkeypatch.setenv("POLYGON_FLAT_FILES_BUCKET", "mirror")
    given = load(VerifySettings, ["2026-11-20"])
    assert (given.day, given.flat_files_bucket) == ("2026-11-20", "mirror")
    assert given.flat_files_access_key_id.get_secret_value() == "shared"
    assert "shared" not in repr(given)
    monkeypatch.setenv("POLYGON_STREAM_FLAT_FILES_BUCKET", "ours")
    assert load(VerifySettings, ["2026-11-20"]).flat_files_bucket == "ours"
    monkeypatch.setenv("POLYGON_FLAT_FILES_ENDPONT", "x")
    words = "POLYGON_FLAT_FILES_ENDPONT is not a setting. Did you mean 'POLYGON_FLAT_FILES_ENDPOINT"
    with pytest.raises(ConfigError, match=words):
        load(VerifySettings, ["2026-11-20"])


def test_a_file_serves_all_commands_and_takes_the_flags_spelling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "bootstrap-servers: broker:1\nraw_topic: on\nshard: 2/3\nlinger-ms: 7\ntls: no\n"
    _file(tmp_path, monkeypatch, text + "kafka:\n  sasl.password: 0123\n  a: true\napi-key: 1e3\n")
    for kind in COMMANDS:
        if not issubclass(kind, KafkaSettings):
            continue
        given = load(kind, [])
        assert isinstance(given, KafkaSettings)
        assert (given.bootstrap_servers, given.raw_topic) == ("broker:1", "on")
        assert given.kafka == {"sasl.password": "0123", "a": "true"}, "as they are written"
    assert load(FilterSettings, []).linger_ms == 7
    feed = load(FeedSettings, [])
    assert (feed.shard_of, feed.tls, feed.api_key.get_secret_value()) == ((1, 3), False, "1e3")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("bootstrap_server: x", "bootstrap_server is not a setting. Did you mean 'bootstrap_serv"),
        ("rulz: x", "rulz is not a setting. Did you mean 'rules'?"),
        ("rulz: x\nraw-topick: y", "raw-topick is not a setting. Did you mean 'raw_topic'?"),
        ("POLYGON_API_KEY: x", "POLYGON_API_KEY is not a setting."),
        ("raw_topic: a\nraw_topic: b", "line 2: 'raw_topic' is there twice"),
        ("raw_topic: a\nraw-topic: b", "raw_topic is there twice, as raw-topic too. Keep one."),
        ("kafka:\n  a: b\n  a: c", "line 3: 'a' is there twice"),
        ("filter:\n  group: x", "filter is not a setting."),
        ("feed:\n  group: x", "feed holds other lines. Settings are not nested"),
        ("kafka:\n  security:\n    protocol: SSL", "kafka: security has no value, or more than"),
        ("kafka:\n  sasl.password:", "kafka: sasl.password has no value"),
        ("kafka: security.protocol=SSL", "kafka is a group of lines"),
        ("bootstrap_servers: [a:1, b:1]", "bootstrap_servers is a list. Write its value on one"),
        ("bootstrap_servers:", "bootstrap_servers has no value"),
        ("bootstrap_servers: ~", "bootstrap_servers has no value"),
        ("# nothing", "is empty"),
        ("- raw_topic", "it has no `name: value` lines"),
        ("raw_topic: [", "is not YAML of settings: line 1"),
        ("? [a]\n: b", "line 1: a name has to be a plain word"),
        ("linger_ms: soon", "linger_ms: Input should be a valid integer"),
    ],
)
def test_a_wrong_file_is_refused_with_the_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, words: str
) -> None:
    path = _file(tmp_path, monkeypatch, text)
    with pytest.raises(ConfigError) as caught:
        load(FilterSettings, [])
    assert words in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_password_is_not_repeated_by_what_refuses_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for text in ('{"sasl.password": "hush"', '{"sasl.password": ["hush"]}'):
        monkeypatch.setenv("POLYGON_STREAM_KAFKA", text)
        with pytest.raises(ConfigError) as caught:
            load(SinkSettings, [])
        assert "hush" not in str(caught.value)
    monkeypatch.delenv("POLYGON_STREAM_KAFKA")
    _file(tmp_path, monkeypatch, "kafka:\n  sasl.password: 'hush\n")
    with pytest.raises(ConfigError) as caught:
        load(SinkSettings, [])
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--rulz", "x"], "--rulz is not a flag of filter. Did you mean '--rules'?"),
        (["--rule=x"], "--rule is not a flag of filter. Did you mean '--rules'?"),
        (["--subscriptions", "x"], "--subscriptions is not a flag of filter."),
        (["--rules"], "Argument --rules: expected one argument. See polygon-stream filter --help."),
        (["--log-level", "loud"], "Argument --log-level: invalid choice: 'loud'"),
        (["rules.yaml"], "rules.yaml is not a flag of filter."),
    ],
)
def test_a_wrong_flag_is_refused(arguments: list[str], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(FilterSettings, arguments)
    assert words in str(caught.value)


def test_flags_are_taken_with_underscores_too() -> None:
    given = load(HealSettings, ["--api_key=a_b", "--raw_topic", "r_t"])
    assert (given.api_key.get_secret_value(), given.raw_topic) == ("a_b", "r_t")


def test_help_is_in_plain_words(capsys: pytest.CaptureFixture[str]) -> None:
    for kind in COMMANDS:
        with pytest.raises(SystemExit) as caught:
            load(kind, ["--help"])
        assert caught.value.code == 0
        text = capsys.readouterr().out
        if issubclass(kind, KafkaSettings):
            assert "--kafka PROPERTY=VALUE" in text
            assert "--bootstrap-servers HOST:PORT,..." in text
        assert f"polygon-stream {kind.command} " in text.partition("examples:")[2]
        words = set(re.findall(r"\w+", text))
        assert not words & {"dict", "SecretStr", "factory", "str", "None", "Path", "float", "int"}
        for field in kind.model_fields.values():
            assert field.description


def _file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> Path:
    path = tmp_path / "stream.yaml"
    path.write_text(text)
    monkeypatch.setenv("POLYGON_STREAM_CONFIG", str(path))
    return path
