"""confluent-kafka's clients, all made here, and librdkafka's errors turned into ours, all here."""

import logging
import re
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ClusterMetadata, OffsetSpec

from auditcast.kafka.differences import MAX_DEAD_LETTER_BYTES
from auditcast.kafka.errors import BrokerUnavailable, WrongTopics
from auditcast.kafka.partitioner import PARTITIONER
from auditcast.kafka.settings import Connection
from auditcast.schemas.errors import AuditcastError, Misconfigured

ANSWER_S = 10.0
"""How long a person waits for a broker that does not answer."""

RETRY_S = 0.05
"""Between two tries of a request that the broker will soon answer."""

ASK_AGAIN_S = 3.0
"""When a broker is asked anew, which may be another one by then."""

T = TypeVar("T")
_log = logging.getLogger(__name__)
_LOGIN_REFUSED = {KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED}
_NOT_ALLOWED = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
}

_LEADER_MOVES = {
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError.OFFSET_NOT_AVAILABLE,
}
"""What a partition answers while its leader changes, or in the moment after the topic was made."""


def producer(connection: Connection, **more: Any) -> Producer:
    """A producer that loses nothing and repeats nothing; `more` is librdkafka's, with `_` for `.`."""
    defaults = {
        "enable_idempotence": True,
        "acks": "all",
        "partitioner": PARTITIONER,
        "message_max_bytes": MAX_DEAD_LETTER_BYTES,  # the topics allow most records less
        "queue_buffering_max_kbytes": 64 * 1024,
    }
    return _made(Producer, connection, defaults | more)


def reader(connection: Connection, **more: Any) -> Consumer:
    """A consumer for assigned partitions that is in no group, commits nothing and reads only what is committed."""
    defaults = {
        "group_id": f"{connection.topic_prefix}.reader",  # confluent-kafka wants one; nothing is stored under it
        "enable_auto_commit": False,
        "enable_auto_offset_store": False,
        "isolation_level": "read_committed",
        "auto_offset_reset": "error",
        "enable_partition_eof": True,
        "queued_max_messages_kbytes": 8 * 1024,
        # The default waits a whole second each time the queue, small here, was full.
        "fetch_queue_backoff_ms": 10,
    }
    return _made(Consumer, connection, defaults | more)


def member(connection: Connection, group: str, **more: Any) -> Consumer:
    """A consumer that is a member of `group`, and commits in the background what it is told to."""
    defaults = {
        "group_id": group,
        "session_timeout_ms": connection.session_timeout_ms,
        "enable_auto_commit": True,
        "enable_auto_offset_store": False,
        "auto_offset_reset": "earliest",
    }
    return _made(Consumer, connection, defaults | more)


class Admin:
    """A client for topics and their settings; all errors come out as sentences."""

    def __init__(self, connection: Connection, **more: Any) -> None:
        self._connection = connection
        self._complaint: KafkaError | None = None
        self._client: AdminClient = _made(AdminClient, connection, {"error_cb": self._complained} | more)

    def metadata(self, timeout: float = ANSWER_S) -> ClusterMetadata:
        """The brokers, and the topics with their partitions; raises `BrokerUnavailable` after `timeout` seconds."""
        try:
            return self._client.list_topics(timeout=timeout)
        except KafkaException as failed:
            raise self._translated(failed) from None

    def wait(self, ask: Callable[[AdminClient], dict[Any, Future[T]]]) -> dict[Any, T | KafkaError]:
        """What the broker answers to each part of a request, a refusal of one part as its `KafkaError`."""
        try:
            asked = ask(self._client)
        except KafkaException as failed:
            raise self._translated(failed) from None
        return {part: self._answer(future) for part, future in asked.items()}

    def bounds(self, topic: str, timeout: float = ANSWER_S) -> dict[int, tuple[int, int]]:
        """The first offset that each partition holds, and the one after the last, committed or not (high watermark).

        The embedded broker's ends are too low, though above the first where there is any record.
        Raises `BrokerUnavailable` after `timeout` seconds, and `WrongTopics` if there is no such topic.
        """
        existing = self.metadata(timeout).topics.get(topic)
        if existing is None:
            raise WrongTopics(f"the topic {topic} does not exist: run 'auditcast topics create'")
        first = self._offsets(topic, existing.partitions, OffsetSpec.earliest(), timeout)
        end = self._offsets(topic, existing.partitions, OffsetSpec.latest(), timeout)
        return {partition: (first[partition], end[partition]) for partition in existing.partitions}

    def _offsets(self, topic: str, partitions: Iterable[int], spec: OffsetSpec, timeout: float) -> dict[int, int]:
        deadline = time.monotonic() + timeout
        left = {TopicPartition(topic, partition): spec for partition in partitions}
        ask_s = min(timeout, ASK_AGAIN_S)
        options: dict[str, Any] = {"isolation_level": IsolationLevel.READ_UNCOMMITTED, "request_timeout": ask_s}
        offsets: dict[int, int] = {}
        while left:
            ask = partial(AdminClient.list_offsets, topic_partition_offsets=left, **options)
            over = time.monotonic() >= deadline
            try:
                answers = self.wait(ask)
            except BrokerUnavailable:
                if over:
                    raise
                answers = {}  # a leader that has gone has successors
            for at, answer in answers.items():
                if not isinstance(answer, KafkaError) and answer.offset >= 0:
                    offsets[at.partition] = answer.offset
                    del left[at]
                    continue
                # Of a leader that goes down meanwhile comes neither an offset nor an error.
                moves = not isinstance(answer, KafkaError) or answer.code() in _LEADER_MOVES
                if over or not moves:
                    why = answer.str() if isinstance(answer, KafkaError) else "it has no leader"
                    raise BrokerUnavailable(f"{topic}/{at.partition} cannot be read ({why}): see its brokers")
            if left:
                time.sleep(RETRY_S)
                with suppress(BrokerUnavailable):
                    self.metadata(timeout)  # else those would be asked again who led the partitions before
        return offsets

    def _answer(self, asked: Future[Any]) -> Any:
        try:
            return asked.result()
        except KafkaException as failed:
            error: KafkaError = failed.args[0]
            if error.code() in {KafkaError._TIMED_OUT, KafkaError._TRANSPORT} | _NOT_ALLOWED:
                raise self._translated(failed) from None
            return error

    def _complained(self, error: KafkaError) -> None:
        # "All brokers are down" comes after the reason for it, and says less.
        if self._complaint is None or error.code() != KafkaError._ALL_BROKERS_DOWN:
            self._complaint = error

    def _translated(self, failed: KafkaException) -> AuditcastError:
        # A call that got no answer says only that; the reason was told to the callback, which `poll` calls.
        self._client.poll(0)
        error: KafkaError = failed.args[0]
        return translated(error if error.code() in _NOT_ALLOWED else self._complaint or error, self._connection)


def translated(error: KafkaError, connection: Connection) -> AuditcastError:
    """An error of librdkafka as one of ours, whose text tells a person what to do."""
    at = connection.bootstrap_servers
    if error.code() in _LOGIN_REFUSED:
        return Misconfigured(
            f"the broker at {at} refuses the login as {connection.sasl_username!r}:"
            " check AUDITCAST_SASL_USERNAME, AUDITCAST_SASL_PASSWORD and AUDITCAST_SASL_MECHANISM"
        )
    if error.code() in _NOT_ALLOWED:
        who = repr(connection.sasl_username) if connection.sasl_username else "this client"
        return Misconfigured(f"the broker at {at} does not allow this to {who} ({error.str()}): grant it there")
    if error.code() == KafkaError._SSL:
        return Misconfigured(
            f"TLS with the broker at {at} fails ({_brief(error)}): check AUDITCAST_SSL_CA_FILE"
            " and AUDITCAST_SECURITY_PROTOCOL"
        )
    return BrokerUnavailable(
        f"no broker answers at {at} ({_brief(error)}): start it, or correct AUDITCAST_BOOTSTRAP_SERVERS"
    )


class _Chatter:
    """librdkafka's own log lines, which would otherwise go to standard error: kept for who turns on DEBUG."""

    def log(self, _level: int, text: str, *values: object) -> None:
        _log.debug(text, *values)


def _made(kind: Callable[..., T], connection: Connection, more: dict[str, Any]) -> T:
    defaults: dict[str, Any] = {"error_cb": lambda error: _log.debug("librdkafka: %s", error.str())}
    try:
        return kind(connection.confluent(**defaults | more), logger=_Chatter())
    except KafkaException as failed:
        # A file that is not there, a server list that cannot be read.
        raise Misconfigured(f"the settings of the Kafka connection are wrong: {failed.args[0].str()}") from None


def _brief(error: KafkaError) -> str:
    """Without librdkafka's names of its threads and states around the reason."""
    text = re.sub(r"^\S+/(bootstrap|\d+): ", "", error.str())
    return re.sub(r" \((after \d+ms in state|add broker|\d+ identical).*", "", text)
