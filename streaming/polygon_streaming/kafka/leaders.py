"""Whether the leaders of partitions answer, for metadata do not tell.

Brokers that have lost the majority of their controllers repeat the leaders of before for as long as
that lasts: Apache Kafka 4.1 did so a minute after two nodes of three were killed. Only a question
that a leader itself must answer is proof.
"""

from collections.abc import Iterable

from confluent_kafka import OFFSET_END, Consumer, TopicPartition


def faults_of_leaders(
    client: Consumer, places: Iterable[tuple[str, int]], seconds: float
) -> list[str]:
    """Return what the leaders of partitions say is wrong, a text for each topic; best none.

    Args:
        client: asks (`clients.asker`).
        places: topics and partitions that have a leader, by metadata just asked for.
        seconds: how long to wait for all of them.

    Raises:
        KafkaException: a leader does not answer.
    """
    ends = [TopicPartition(topic, partition, OFFSET_END) for topic, partition in places]
    if not ends:
        return []
    asked: dict[str, int] = {}
    errors: dict[str, list[str]] = {}
    for place in client.offsets_for_times(ends, timeout=seconds):
        asked[place.topic] = asked.get(place.topic, 0) + 1
        if place.error is not None:
            errors.setdefault(place.topic, []).append(place.error.str())
    return [
        f"{topic}: {len(said)} of {asked[topic]} partitions: {said[0]}"
        for topic, said in errors.items()
    ]
