"""Whether the leaders of partitions answer, for metadata do not tell.

Brokers that have lost the majority of their controllers repeat the leaders of before for as long as
that lasts: Apache Kafka 4.1 did so a minute after two nodes of three were killed. Only a question
that a leader itself must answer is proof. One that has too few copies in sync does not say where
its partition ends either, as long as it has records that the others lack.
"""

from collections.abc import Collection, Mapping

from confluent_kafka import OFFSET_END, Consumer, KafkaException, TopicPartition


def faults_of_leaders(
    client: Consumer, places: Mapping[str, Collection[int]], seconds: float
) -> list[str]:
    """Return what the leaders of partitions say is wrong, a text for each topic; best none.

    Args:
        client: asks (`clients.asker`).
        places: topics with their partitions, which have leaders by metadata just asked for.
        seconds: how long to wait for those of a topic.

    Raises:
        KafkaException: a leader does not answer.
    """
    found = [_fault(client, topic, partitions, seconds) for topic, partitions in places.items()]
    return [fault for fault in found if fault]


def _fault(client: Consumer, topic: str, partitions: Collection[int], seconds: float) -> str:
    ends = [TopicPartition(topic, partition, OFFSET_END) for partition in partitions]
    try:
        answers = client.offsets_for_times(ends, timeout=seconds)
    except KafkaException as error:
        cause = error.args[0]
        if cause.code() < 0:  # what the client says, rather than a broker
            raise
        return f"{topic}: {cause.str()}"
    errors = [place.error.str() for place in answers if place.error is not None]
    return f"{topic}: {len(errors)} of {len(ends)} partitions: {errors[0]}" if errors else ""
