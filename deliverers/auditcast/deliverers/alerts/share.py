"""Which destinations are this worker's: it is a member of a group, and has those that lie in its partitions.

Nothing is consumed by the membership itself (views follow the topics whole): it only shares out the partitions, so that
each destination has one worker, and another if that one ends.
"""

import logging
import threading
from collections.abc import Callable, Sequence

from confluent_kafka import Consumer, KafkaError, TopicPartition

from auditcast.kafka import clients
from auditcast.kafka.errors import BrokerUnavailable
from auditcast.kafka.settings import Connection

WAKE_S = 0.2
"""How often the thread looks whether it is to end."""

log = logging.getLogger(__name__)


class Share:
    """A member of `group` on `topic`, in a thread of its own, in which the callbacks are called; they may block.

    `assigned` and `revoked` get numbers of partitions; `failed` whatever ends the membership.
    """

    def __init__(  # noqa: PLR0913  (whom to join, and whom to tell)
        self,
        connection: Connection,
        topic: str,
        group: str,
        *,
        assigned: Callable[[Sequence[int]], None],
        revoked: Callable[[Sequence[int]], None],
        failed: Callable[[Exception], None],
    ) -> None:
        self._connection = connection
        self._given = assigned
        self._taken = revoked
        self._failed = failed
        self._fatal: KafkaError | None = None
        self._closing = threading.Event()
        self._consumer: Consumer = clients.member(
            connection, group, enable_auto_commit=False, error_cb=self._error, partition_assignment_strategy="range"
        )
        self._consumer.subscribe([topic], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._revoked)
        self._thread = threading.Thread(target=self._run, name="share of alerts", daemon=True)

    def start(self) -> None:
        """Join the group; returns at once."""
        self._thread.start()

    def close(self) -> None:
        """Leave the group, so that another worker takes over at once."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        try:
            while self._fatal is None and not self._closing.is_set():
                self._consumer.poll(WAKE_S)
            self._consumer.close()
        except Exception as error:  # noqa: BLE001  (whatever it is, it ends the process)
            self._failed(error)
        if self._fatal is not None:
            self._failed(BrokerUnavailable(f"the group cannot be kept ({self._fatal.str()}): start the worker again"))

    def _assigned(self, consumer: Consumer, places: list[TopicPartition]) -> None:
        consumer.assign(places)
        consumer.pause(places)
        numbers = _numbers(places)
        self._given(numbers)
        log.info("partitions.assigned", extra={"partitions": ",".join(map(str, numbers)) or "-"})

    def _revoked(self, _: Consumer, places: list[TopicPartition]) -> None:
        numbers = _numbers(places)
        self._taken(numbers)
        log.info("partitions.revoked", extra={"partitions": ",".join(map(str, numbers)) or "-"})

    def _error(self, error: KafkaError) -> None:
        if error.fatal():
            self._fatal = error
        log.debug("kafka.error", extra={"detail": error.str()})


def _numbers(places: list[TopicPartition]) -> list[int]:
    return sorted(place.partition for place in places)
