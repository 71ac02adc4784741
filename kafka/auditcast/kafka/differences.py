"""What topics must be like, what they are like, and the difference in sentences. No I/O."""

from collections.abc import Mapping

from msgspec import Struct

from auditcast.kafka.names import Topics
from auditcast.kafka.settings import Timestamps

DAY_MS = 86_400_000
MAX_RECORD_BYTES = 2_000_000
MAX_DEAD_LETTER_BYTES = 2_200_000
"""A dead letter holds the record that failed, and why."""


class Spec(Struct, frozen=True):
    """One topic. `must` is checked, `made_with` (beside it) is only what suits most."""

    name: str
    must: dict[str, str]
    made_with: dict[str, str] = {}
    broker_time: bool = False

    def settings(self, replication: int) -> dict[str, str]:
        """Everything that must hold when each record lies on `replication` brokers."""
        # From three copies on, one broker may be down and an acknowledged record still lies on two.
        safety = {"min.insync.replicas": "2" if replication >= 3 else "1", "unclean.leader.election.enable": "false"}
        return {"max.message.bytes": str(MAX_RECORD_BYTES)} | safety | self.must


class Found(Struct, frozen=True):
    """A topic as it is. `replication` is that of the partition with the fewest copies."""

    partitions: int
    replication: int
    settings: dict[str, str]


class Difference(Struct, frozen=True):
    """One thing that is not as it must be, and how to mend it; a warning does not keep a worker from running."""

    topic: str
    problem: str
    mend: str
    warning: bool = False

    def __str__(self) -> str:
        return f"{self.topic} {self.problem}: {self.mend}"


def specs(topics: Topics) -> tuple[Spec, ...]:
    """All topics of the pipeline; a further one is a further row."""
    # Small segments, cleaned early: what is compacted is read whole, again and again.
    compacted = {"segment.bytes": str(64 << 20), "min.cleanable.dirty.ratio": "0.1"}
    week = {"cleanup.policy": "delete", "retention.ms": str(7 * DAY_MS)}
    kept_month = {"cleanup.policy": "delete", "retention.ms": str(30 * DAY_MS)}
    month = {"cleanup.policy": "compact,delete", "retention.ms": str(30 * DAY_MS)}
    compact = {"cleanup.policy": "compact"}
    return (
        Spec(topics.events, week, {"message.timestamp.type": "LogAppendTime"}, broker_time=True),
        Spec(topics.destinations, compact, compacted),
        Spec(topics.workspaces, compact, compacted),
        Spec(topics.links, compact, compacted),
        # Longer than the year for which audit logs are usually kept: a manifest is asked for when something is missed.
        Spec(topics.manifests, {"cleanup.policy": "compact,delete", "retention.ms": str(400 * DAY_MS)}),
        Spec(topics.batches, week),
        # A copy carries the answers to its attempts, so it is larger than the batch.
        *(Spec(name, week | {"max.message.bytes": str(MAX_DEAD_LETTER_BYTES)}) for name in topics.retries),
        Spec(topics.parked, kept_month | {"max.message.bytes": str(MAX_DEAD_LETTER_BYTES)}),
        Spec(topics.dead_letters, month | {"max.message.bytes": str(MAX_DEAD_LETTER_BYTES)}),
        Spec(topics.attempts, week),
        Spec(topics.status, compact, compacted),
        Spec(topics.alerts, compact, compacted),
    )


def differences(
    wanted: tuple[Spec, ...], found: Mapping[str, Found], bootstrap: str, *, lenient: bool
) -> list[Difference]:
    """What of `wanted` does not hold in `found`; `lenient`: a setting that cannot be read is only a warning."""
    reference = found.get(wanted[0].name)
    result: list[Difference] = []
    for spec in wanted:
        topic = found.get(spec.name)
        if topic is None:
            result.append(Difference(spec.name, "does not exist", "run 'auditcast topics create'"))
            continue
        if reference:
            result += _placement(spec.name, topic, wanted[0].name, reference, bootstrap)
        for name, value in spec.settings(topic.replication).items():
            if name in topic.settings:
                result += _setting(spec.name, name, value, topic.settings[name], bootstrap)
            else:
                problem, mend = f"does not show its {name}", f"make sure that it is {value}"
                result.append(Difference(spec.name, problem, mend, warning=lenient))
    return result


def wrong_time(topic: str, bootstrap: str, timestamps: Timestamps) -> Difference:
    """The difference when a trial record came back with the producer's own timestamp."""
    return Difference(
        topic,
        "keeps its producers' timestamps instead of the broker's",
        _alter(bootstrap, topic, "message.timestamp.type", "LogAppendTime")
        + "; for a broker that ignores it (the embedded one), set AUDITCAST_TIMESTAMPS=producer"
        if timestamps == "broker"
        else "accepted, since AUDITCAST_TIMESTAMPS=producer says so; windows follow the clocks of those who emit",
        warning=timestamps == "producer",
    )


def _placement(name: str, topic: Found, events: str, reference: Found, bootstrap: str) -> list[Difference]:
    result = []
    if topic.partitions != reference.partitions:
        result.append(
            Difference(
                name,
                f"has {topic.partitions} partitions, {events} has {reference.partitions}",
                f"if it is empty, delete it (kafka-topics --bootstrap-server {bootstrap} --delete --topic {name})"
                f" and run 'auditcast topics create'; otherwise begin anew under another AUDITCAST_TOPIC_PREFIX",
            )
        )
    if topic.replication < reference.replication:
        result.append(
            Difference(
                name,
                f"lies on {topic.replication} brokers, {events} on {reference.replication}",
                f"raise it with kafka-reassign-partitions --bootstrap-server {bootstrap}",
            )
        )
    return result


def _setting(topic: str, name: str, wanted: str, found: str, bootstrap: str) -> list[Difference]:
    if _holds(name, wanted, found):
        return []
    least = "at least " if name in _AT_LEAST else ""
    problem = f"has {name}={found}, it must be {least}{wanted}"
    return [Difference(topic, problem, _alter(bootstrap, topic, name, wanted))]


_AT_LEAST = {"retention.ms", "max.message.bytes", "min.insync.replicas"}


def _holds(name: str, wanted: str, found: str) -> bool:
    if name == "retention.ms" and found == "-1":
        return True  # for ever
    if name in _AT_LEAST:
        return int(found) >= int(wanted)
    return set(found.replace(" ", "").split(",")) == set(wanted.split(","))


def _alter(bootstrap: str, topic: str, name: str, value: str) -> str:
    value = f"[{value}]" if "," in value else value
    return (
        f"run kafka-configs --bootstrap-server {bootstrap} --alter --entity-type topics --entity-name {topic}"
        f" --add-config {name}={value}"
    )
