"""confluent-kafka's clients, all made here, and librdkafka's errors turned into ours, all here."""

import logging
import re
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._metadata import ClusterMetadata

from auditcast.kafka.errors import BrokerUnavailable
from auditcast.kafka.partitioner import PARTITIONER
from auditcast.kafka.settings import Connection
from auditcast.schemas.errors import AuditcastError, Misconfigured

ANSWER_S = 10.0
"""How long a person waits for a broker that does not answer."""

MAX_RECORD_BYTES = 2_000_000
"""What one record may have on the way to the broker; the topics allow as much (topics.py)."""

T = TypeVar("T")
_log = logging.getLogger(__name__)
_LOGIN_REFUSED = {KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED}
_NOT_ALLOWED = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
}


def producer(connection: Connection, **more: Any) -> Producer:
    """A producer that loses nothing and repeats nothing; `more` is librdkafka's, with `_` for `.`."""
    defaults = {
        "enable_idempotence": True,
        "acks": "all",
        "partitioner": PARTITIONER,
        "message_max_bytes": MAX_RECORD_BYTES,
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


def first_error(answers: Iterable[object]) -> KafkaError | None:
    """The first refusal among what `Admin.wait` returned."""
    return next((answer for answer in answers if isinstance(answer, KafkaError)), None)


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
