"""A broker behind TLS and a login, and what one is told who lacks one of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from msgspec.structs import replace

from auditcast.kafka import clients
from auditcast.kafka import topics as kafka_topics
from auditcast.kafka.errors import BrokerUnavailable
from auditcast.kafka.local import ApacheBroker, Broker
from auditcast.kafka.names import Topics
from auditcast.kafka.settings import Connection, Secret
from auditcast.kafka.views import View, read_compacted
from auditcast.schemas.errors import Misconfigured
from tests.guarded import GuardedBroker

WAIT_S = 30


@pytest.fixture(scope="module")
def guarded(broker: Broker, ca: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    if not isinstance(broker, ApacheBroker):
        pytest.skip("only on the Apache lane is there a broker that these tests can put behind TLS and a login")
    with GuardedBroker(ca, tmp_path_factory.mktemp("tls")) as behind:
        yield behind.connection()


def test_topics_producers_readers_and_views_get_through(guarded: Connection) -> None:
    kafka_topics.create(guarded, 2)
    assert kafka_topics.check(guarded) == []
    status = Topics(guarded.topic_prefix).status
    producer = clients.producer(guarded)
    producer.produce(status, b"value", "key", 1)
    assert producer.flush(WAIT_S) == 0
    assert read_compacted(guarded, status, 1, WAIT_S) == {b"key": b"value"}
    with View(guarded, status) as view:
        view.wait_caught_up(WAIT_S)
        assert view.get(b"key") == b"value"


def said(connection: Connection, kind: type[Exception]) -> str:
    with pytest.raises(kind) as error:
        clients.Admin(connection).metadata(timeout=3)
    assert "hunter" not in str(error.value)
    return str(error.value)


def test_a_wrong_password_is_said_to_be_one(guarded: Connection) -> None:
    wrong = replace(guarded, sasl_password=Secret("hunter3"))
    assert said(wrong, Misconfigured) == (
        f"the broker at {guarded.bootstrap_servers} refuses the login as 'auditcast': check AUDITCAST_SASL_USERNAME,"
        " AUDITCAST_SASL_PASSWORD and AUDITCAST_SASL_MECHANISM"
    )


def test_an_authority_that_did_not_sign_the_broker_is_named_as_the_trouble(guarded: Connection, tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    text = said(replace(guarded, ssl_ca_file=str(tmp_path / "other.pem")), Misconfigured)
    assert text.startswith(f"TLS with the broker at {guarded.bootstrap_servers} fails (")
    assert text.endswith("): check AUDITCAST_SSL_CA_FILE and AUDITCAST_SECURITY_PROTOCOL")


def test_clear_text_is_not_answered(guarded: Connection) -> None:
    clear = Connection(bootstrap_servers=guarded.bootstrap_servers)
    assert said(clear, BrokerUnavailable).startswith(f"no broker answers at {guarded.bootstrap_servers} (")


def test_a_file_that_is_no_certificate_is_said_at_once(guarded: Connection) -> None:
    with pytest.raises(Misconfigured, match="the settings of the Kafka connection are wrong"):
        clients.Admin(replace(guarded, ssl_ca_file=__file__))
