"""What the brokers answer while a leader goes down, and what is made of it."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest
from confluent_kafka import OFFSET_INVALID, KafkaError, TopicPartition
from confluent_kafka.admin import AdminClient
from msgspec import Struct

from auditcast.kafka.clients import Admin
from auditcast.kafka.errors import BrokerUnavailable
from auditcast.kafka.settings import Connection

PLACE = TopicPartition("t", 0)


class _Offset(Struct):
    offset: int


class _Topic(Struct):
    partitions: dict[int, None]


class _Cluster(Struct):
    topics: dict[str, _Topic]


class _Moving(Admin):
    """Brokers that give one answer after the other, the last again and again."""

    def __init__(self, *answers: Any) -> None:
        super().__init__(Connection(bootstrap_servers="127.0.0.1:1"))
        self.answers = list(answers)
        self.asked_for_leaders = 0

    def metadata(self, timeout: float = 0) -> Any:
        self.asked_for_leaders += 1
        return _Cluster({"t": _Topic({0: None})})

    def wait(self, ask: Callable[[AdminClient], dict[Any, Future[Any]]]) -> dict[Any, Any]:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, BrokerUnavailable):
            raise answer
        return {PLACE: answer}


MOVED = KafkaError(KafkaError.FENCED_LEADER_EPOCH)
GONE = BrokerUnavailable("gone")


@pytest.mark.parametrize("meanwhile", [_Offset(OFFSET_INVALID), MOVED, GONE], ids=["nothing", "moved", "gone"])
def test_bounds_are_those_that_a_leader_tells(meanwhile: Any) -> None:
    admin = _Moving(meanwhile, meanwhile, _Offset(3), meanwhile, _Offset(9))
    assert admin.bounds("t") == {0: (3, 9)}
    assert admin.asked_for_leaders == 1 + 3


@pytest.mark.parametrize("lasting", [_Offset(OFFSET_INVALID), MOVED, GONE], ids=["nothing", "moved", "gone"])
def test_without_a_leader_there_are_no_bounds(lasting: Any) -> None:
    with pytest.raises(BrokerUnavailable):
        _Moving(lasting).bounds("t", timeout=0.2)


def test_other_errors_are_told_at_once() -> None:
    with pytest.raises(BrokerUnavailable, match="see its brokers"):
        _Moving(KafkaError(KafkaError.KAFKA_STORAGE_ERROR)).bounds("t", timeout=3600)
