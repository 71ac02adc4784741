"""The consumer of the batches topic and the retry topics, owned by one thread: only that thread may call it.

Partitions are shared out eagerly by the range assignor, which gives the same partition numbers of all topics to the
same process: a rebalance takes everything away, and gives (mostly the same) partitions back under new claims.

A retry topic has one delay, so its records fall due in their order: a partition is paused until its head is due.
"""

import logging
import random
import time
from collections.abc import Callable, Iterable
from typing import cast

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from auditcast.deliverers.metrics import Metrics
from auditcast.deliverers.offsets import spans_in, text_of
from auditcast.deliverers.parcels import Claim, Parcel, Source
from auditcast.deliverers.unpacking import not_before, unpacked
from auditcast.kafka import clients
from auditcast.kafka.errors import BrokerUnavailable, WrongTopics
from auditcast.kafka.names import Topics
from auditcast.kafka.settings import Connection

AT_ONCE = 32
"""Records taken by one read; the bounds of memory may be passed by so many."""

COMMITTED_S = 10.0
"""How long the group's coordinator may take to say what was committed."""

WARN_EVERY_S = 30.0
"""How often one kind of the client's errors is logged."""

JITTER = 0.1
LONGEST_JITTER_S = 30.0
"""A retry goes out at random up to a tenth of its delay late, so that what failed together does not come together."""

Settled = tuple[Claim, int]

log = logging.getLogger(__name__)


class Reader:
    """Reads parcels, stores what is settled, pauses what is held or not due.

    `assigned` is called, in this thread, with claims that begin; they are paused until `read` is told what is held.
    `revoking` is called, in this thread, when claims are about to end: it has the work in flight finished as far as
    its time allows, and returns what was settled and not handed to `read` yet. The claims are dead on its return.
    """

    def __init__(
        self,
        connection: Connection,
        metrics: Metrics,
        *,
        assigned: Callable[[list[Claim]], None],
        revoking: Callable[[list[Claim]], list[Settled]],
    ) -> None:
        topics = Topics(connection.topic_prefix)
        self._connection = connection
        self._metrics = metrics
        self._batches = topics.batches
        self._assigning = assigned
        self._revoking = revoking
        self._early: dict[Claim, float] = {}
        self._claims: dict[tuple[str, int], Claim] = {}
        self._committed: dict[Claim, int] = {}
        self._done: list[Settled] = []
        self._paused: set[Claim] = set()
        self._fatal: KafkaError | None = None
        self._warned: dict[int, float] = {}
        self._consumer: Consumer = clients.member(
            connection,
            topics.deliverer_group,
            error_cb=self._failed,
            on_commit=_committed,
            auto_commit_interval_ms=1000,
            partition_assignment_strategy="range",
            # Small, since lanes queue too, and a pause throws it away; with the default back-off, 1 s, it would starve.
            queued_max_messages_kbytes=4 * 1024,
            fetch_queue_backoff_ms=10,
            # A partition that goes on after a pause waits for the fetch under way, which waits so long for others.
            fetch_wait_max_ms=50,
            # An answer holds no more than the queue does. With the default, 1 MB, four partitions fill it, and always
            # the same four while the turn is at one of the retry partitions, most of them empty: others get nothing.
            fetch_message_max_bytes=256 * 1024,
        )
        self._consumer.subscribe(
            [topics.batches, *topics.retries],
            on_assign=self._assigned,
            on_revoke=self._revoked,
            on_lost=self._lost,
        )

    def read(self, wait_s: float, settled: Iterable[Settled], held: frozenset[Claim] | None) -> list[Parcel]:
        """What came within `wait_s`. `held` are the claims to pause, None all of them.

        Raises an `AuditcastError` for what cannot be survived.
        """
        self._store(settled)
        now = time.time()
        self._early = {claim: due for claim, due in self._early.items() if due > now}
        wait = set(self._claims.values()) if held is None else held.intersection(self._claims.values())
        self._pause(wait.union(self._early))
        first = self._consumer.poll(wait_s)
        if self._fatal is not None:
            raise BrokerUnavailable(f"the consumer cannot go on ({self._fatal.str()}): start the deliverer again")
        if first is None:
            return []
        # The first is entered under its claim before more is read: that may bring a rebalance, which ends the claim.
        parcels = [self._parcel(first)]
        parcels += [self._parcel(message) for message in self._consumer.consume(AT_ONCE - 1, 0)]
        return [parcel for parcel in parcels if parcel is not None and parcel.claim.live]

    def close(self) -> None:
        """Give all claims up, commit, leave the group."""
        self._consumer.close()

    def _parcel(self, message: Message) -> Parcel | None:
        error = message.error()
        if error is not None:
            self._complain(error)
            return None
        # A record that was read has all of these.
        topic, partition, offset = cast(
            "tuple[str, int, int]", (message.topic(), message.partition(), message.offset())
        )
        claim = self._claims.get((topic, partition))
        if claim is None:
            return None
        if claim in self._early:
            return None  # it was read ahead of the head, which has put it off
        now = time.time()
        if claim.source is Source.RETRY and (due := not_before(message) / 1000) > now:
            self._put_off(claim, message, due)
            return None
        self._expect(claim, offset)
        if claim.prefix.begin(offset):
            self._done.append((claim, offset))
            return None
        return unpacked(claim, message, int(now * 1000))

    def _put_off(self, claim: Claim, message: Message, due: float) -> None:
        """Read this record, and what follows, again when it is due."""
        _, stamped = message.timestamp()
        spread = min(max(due - stamped / 1000, 0.0) * JITTER, LONGEST_JITTER_S)
        self._early[claim] = due + random.uniform(0, spread)  # noqa: S311  (nothing is kept secret by it)
        place = TopicPartition(claim.topic, claim.partition, message.offset() or 0)
        self._consumer.pause([place])
        self._consumer.seek(place)
        self._paused.add(claim)

    def _expect(self, claim: Claim, offset: int) -> None:
        """Say so if records expired before they were read: a loss, and never a silent one."""
        committed = self._committed.pop(claim, offset)
        if offset > committed:
            self._metrics.lost("batches", offset - committed)
            log.error(
                "batches.expired",
                extra={"topic": claim.topic, "partition": claim.partition, "from": committed, "to": offset},
            )

    def _store(self, settled: Iterable[Settled]) -> None:
        """Note what is settled; what was read under a dead claim must not be committed."""
        moved = set()
        for claim, offset in (*self._done, *settled):
            if claim.live:
                claim.prefix.settle(offset)
                moved.add(claim)
        self._done.clear()
        if moved:
            self._consumer.store_offsets(
                offsets=[TopicPartition(claim.topic, claim.partition, claim.prefix.next) for claim in moved]
            )

    def _pause(self, held: set[Claim] | frozenset[Claim]) -> None:
        resume, pause = self._paused - held, held - self._paused
        if resume:
            self._consumer.resume(_places(resume))
        if pause:
            self._consumer.pause(_places(pause))
        self._paused = set(held)

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._claims = {(place.topic, place.partition): self._claim(place) for place in partitions}
        consumer.assign(partitions)
        consumer.pause(partitions)
        self._paused, self._early = set(self._claims.values()), {}
        try:
            places = consumer.committed(partitions, COMMITTED_S) if partitions else []
        except KafkaException as failed:
            # Only the check for expired records needs it; librdkafka asks for itself where to begin.
            log.warning("offsets.unknown", extra={"detail": failed.args[0].str()})
            places = []
        self._committed = {
            self._claims[place.topic, place.partition]: place.offset for place in places if place.offset >= 0
        }
        for place in places:
            self._claims[place.topic, place.partition].prefix.known = spans_in(place.metadata)
        log.info("partitions.assigned", extra={"partitions": _numbers(partitions)})
        self._assigning(list(self._claims.values()))

    def _claim(self, place: TopicPartition) -> Claim:
        return Claim(place.topic, place.partition, Source.BATCHES if place.topic == self._batches else Source.RETRY)

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        # What is stored before this returns is committed by librdkafka before the partitions change hands.
        claims = list(self._claims.values())
        settled = self._revoking(claims)
        self._store(settled)
        # It commits only what is further than before; what was settled beyond that is for us to say, this once: with
        # every commit it would cost more the longer one delivery holds up the rest.
        ahead = [claim for claim in claims if claim.prefix.beyond and not claim.prefix.empty]
        if ahead:
            consumer.store_offsets(offsets=_to_commit(ahead))
            consumer.commit(offsets=_to_commit(ahead), asynchronous=True)
        self._end(claims)
        log.info("partitions.revoked", extra={"partitions": _numbers(partitions)})

    def _lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        # Somebody else owns them already: nothing can be committed any more.
        claims = list(self._claims.values())
        self._end(claims)
        self._revoking(claims)
        log.warning("partitions.lost", extra={"partitions": _numbers(partitions)})

    def _end(self, claims: list[Claim]) -> None:
        if self._paused:
            self._consumer.resume(_places(self._paused))
        for claim in claims:
            claim.live = False
        self._claims, self._committed, self._paused, self._early = {}, {}, set(), {}

    def _failed(self, error: KafkaError) -> None:
        if error.fatal():
            self._fatal = error
        self._warn(error)

    def _complain(self, error: KafkaError) -> None:
        if error.code() in _NO_TOPIC:
            raise WrongTopics("a topic of batches does not exist: run 'auditcast topics create'")
        if error.fatal() or error.code() in _NOT_ALLOWED:
            raise clients.translated(error, self._connection)
        self._warn(error)

    def _warn(self, error: KafkaError) -> None:
        """Log an error, but not the twenty a second that come while a broker is down."""
        now = time.monotonic()
        if now - self._warned.get(error.code(), -WARN_EVERY_S) >= WARN_EVERY_S:
            self._warned[error.code()] = now
            log.warning("kafka.error", extra={"detail": error.str()})


_NOT_ALLOWED = {KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED}
# librdkafka's own codes have no public names.
_NO_TOPIC = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION}


def _places(claims: Iterable[Claim]) -> list[TopicPartition]:
    return [TopicPartition(claim.topic, claim.partition) for claim in claims]


def _to_commit(claims: Iterable[Claim]) -> list[TopicPartition]:
    return [
        TopicPartition(claim.topic, claim.partition, claim.prefix.next, text_of(claim.prefix.beyond))
        for claim in claims
    ]


def _numbers(partitions: list[TopicPartition]) -> str:
    return ",".join(map(str, sorted({place.partition for place in partitions}))) or "-"


def _committed(error: KafkaError | None, _: list[TopicPartition]) -> None:
    """A commit that fails costs repeated deliveries, nothing else."""
    if error is not None and error.code() != KafkaError._NO_OFFSET:
        log.warning("commit.failed", extra={"detail": error.str()})
