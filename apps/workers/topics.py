"""Topics: what there should be, compared with what there is, and made so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourceType
from confluent_kafka.cimpl import NewPartitions, NewTopic

from schemas.topics import CDRS, EDRS, RATED, Topic

TIMEOUT_S = 30.0
KEYED = frozenset({CDRS, EDRS, RATED})
"""Topics whose number of partitions decides where state lies: it cannot change."""


class UnableToApplyTopics(Exception):
    """Topics cannot be what they should be."""


@dataclass(frozen=True, slots=True)
class Change:
    """One thing to do: make `topic`, give it more partitions, or change its settings; or why that cannot be done."""

    topic: Topic
    what: str
    words: str


def plan(admin: AdminClient, wanted: Sequence[Topic]) -> list[Change]:
    """Return what is to be changed, nothing when all is as it should be.

    Raises:
        UnableToApplyTopics: when the broker does not answer.
    """
    try:
        there = admin.list_topics(timeout=TIMEOUT_S).topics
        found = [topic for topic in wanted if topic.name in there]
        settings = _settings(admin, found)
    except KafkaException as error:
        raise UnableToApplyTopics(f"the broker does not answer: {error}") from error
    changes = []
    for topic in wanted:
        if topic.name not in there:
            changes.append(Change(topic, "create", f"{topic.partitions} partitions"))
            continue
        count = len(there[topic.name].partitions)
        if count != topic.partitions:
            words = f"{count} partitions instead of {topic.partitions}"
            grows = count < topic.partitions and topic.name not in KEYED
            changes.append(Change(topic, "grow" if grows else "impossible", words))
        wrong = {name: value for name, value in topic.settings.items() if settings[topic.name].get(name) != value}
        if wrong:
            told = ", ".join(f"{name}={value}" for name, value in sorted(wrong.items()))
            changes.append(Change(topic, "set", told))
    return changes


def apply(admin: AdminClient, changes: Sequence[Change], *, replicas: int) -> None:
    """Do what was planned.

    Raises:
        UnableToApplyTopics: when something of it cannot be done; then nothing was.
    """
    impossible = [f"{change.topic.name} has {change.words}" for change in changes if change.what == "impossible"]
    if impossible:
        raise UnableToApplyTopics(
            f"{'; '.join(impossible)}: state lies by partition, so that number cannot change; put the setting "
            "back, or start with new topics and no snapshots"
        )
    try:
        made = [
            NewTopic(change.topic.name, change.topic.partitions, replicas, config=_for(change.topic, replicas))
            for change in changes
            if change.what == "create"
        ]
        grown = [
            NewPartitions(change.topic.name, change.topic.partitions) for change in changes if change.what == "grow"
        ]
        altered = [_altered(change.topic) for change in changes if change.what == "set"]
        waiting = [*(admin.create_topics(made) if made else {}).values()]
        waiting += [*(admin.create_partitions(grown) if grown else {}).values()]
        waiting += [*(admin.incremental_alter_configs(altered) if altered else {}).values()]
        for future in waiting:
            future.result(TIMEOUT_S)
    except KafkaException as error:
        raise UnableToApplyTopics(f"the broker refuses: {error}") from error


def _for(topic: Topic, replicas: int) -> dict[str, str]:
    return dict(topic.settings) | ({"min.insync.replicas": str(replicas - 1)} if replicas > 2 else {})


def _altered(topic: Topic) -> ConfigResource:
    entries = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in topic.settings.items()
    ]
    return ConfigResource(ResourceType.TOPIC, topic.name, incremental_configs=entries)


def _settings(admin: AdminClient, topics: Sequence[Topic]) -> Mapping[str, Mapping[str, str]]:
    if not topics:
        return {}
    asked = [ConfigResource(ResourceType.TOPIC, topic.name) for topic in topics]
    found = {resource.name: future.result(TIMEOUT_S) for resource, future in admin.describe_configs(asked).items()}
    return {name: {key: entry.value for key, entry in entries.items()} for name, entries in found.items()}
