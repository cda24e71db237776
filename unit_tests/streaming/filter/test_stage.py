"""A filter that the brokers have fenced, and what becomes of it in the same process."""

from threading import Event
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError
from polygon_streaming.filter.clients import Fenced, FilterClients
from polygon_streaming.filter.stage import FilterStage
from polygon_streaming.settings import FilterSettings

from unit_tests.streaming.fake_producer import FakeProducer
from unit_tests.streaming.filter_stage import bar, clients_of, messages_of


class Brokers:
    """Clients for one filter after the other; the first is fenced as it commits.

    It asks as a watcher does, and answers nothing.
    """

    def __init__(self, stop: Event) -> None:
        self.stop = stop
        self.producers: list[FakeProducer] = []

    def connect(self, _: FilterSettings) -> FilterClients:
        clients = clients_of([messages_of(bar(1))], self.stop)
        producer = cast("FakeProducer", clients.producer)
        if not self.producers:
            fenced = KafkaError(KafkaError._FENCED, fatal=True)
            producer.failures["commit_transaction"] = [fenced]
        self.producers.append(producer)
        return clients


class SilentWatch:
    """Brokers that fall silent as often as the test says while the first filter runs.

    Args:
        outages: how often.
        ago: how many seconds ago they were last silent when it is fenced.
    """

    def __init__(self, outages: int, ago: float = 1.0) -> None:
        self.creator: Any = None
        self._outages = iter([0, outages, outages, outages])
        self._ago = ago

    def __enter__(self) -> "SilentWatch":
        return self

    def __exit__(self, *_: object) -> None:
        """End nothing."""

    @property
    def outages(self) -> int:
        return next(self._outages)

    def since_outage(self) -> float:
        return self._ago

    def problems(self) -> list[str]:
        return ["kafka: silent"]


def _stage(brokers: Brokers, watch: SilentWatch, monkeypatch: pytest.MonkeyPatch) -> FilterStage:
    monkeypatch.setattr("polygon_streaming.filter.stage.BrokerWatch", lambda *_: watch)
    return FilterStage(FilterSettings.model_validate({}), cast("Any", None), brokers.connect)


def test_after_an_outage_it_starts_anew_with_clients_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    brokers = Brokers(Event())
    watch = SilentWatch(1)
    stage = _stage(brokers, watch, monkeypatch)
    stage.run(brokers.stop)
    first, second = brokers.producers
    assert first.calls[-1] == "commit_transaction"
    assert second.calls[0] == "init_transactions"
    assert second.calls[-1] == "commit_transaction"
    assert watch.creator is second
    assert stage.problems()[0] == "kafka: silent"


@pytest.mark.parametrize(
    "watch", [SilentWatch(0), SilentWatch(1, ago=91.0)], ids=["never", "long ago"]
)
def test_without_an_outage_another_has_taken_over_and_it_ends(
    watch: SilentWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    brokers = Brokers(Event())
    with pytest.raises(Fenced):
        _stage(brokers, watch, monkeypatch).run(brokers.stop)
    assert len(brokers.producers) == 1
