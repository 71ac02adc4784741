"""Brokers that this process starts: nothing is left of them, and one that is restarted has kept everything."""

import asyncio
import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from auditcast.kafka import clients
from auditcast.kafka import topics as kafka_topics
from auditcast.kafka.errors import BrokerUnavailable
from auditcast.kafka.local import ApacheBroker, Broker, EmbeddedBroker, LocalBrokerFailed
from auditcast.kafka.local.process import Child
from auditcast.kafka.names import Topics
from auditcast.kafka.settings import Connection
from auditcast.kafka.views import View, read_compacted
from tests.chaos.proxy import Cut, Line

WAIT_S = 60


def write(connection: Connection, key: str) -> None:
    producer = clients.producer(connection)
    producer.produce(Topics(connection.topic_prefix).status, b"value", key, 0)
    assert producer.flush(WAIT_S) == 0


@pytest.mark.parametrize("end", ["kill", "terminate"])
def test_a_restarted_broker_has_kept_everything_and_views_go_on(topics: Connection, broker: Broker, end: str) -> None:
    if not isinstance(broker, ApacheBroker):
        pytest.skip("only Apache Kafka, started here, keeps its data")
    status = Topics(topics.topic_prefix).status
    write(topics, "before")
    with View(topics, status) as view:
        view.wait_caught_up(WAIT_S)
        getattr(broker, end)()
        broker.restart()
        write(topics, "after")
        while view.get(b"after") is None:
            view.check()
    assert read_compacted(topics, status, 0, WAIT_S) == {b"before": b"value", b"after": b"value"}


def test_a_suspended_broker_is_said_to_be_unavailable(topics: Connection, broker: Broker) -> None:
    if not isinstance(broker, ApacheBroker):
        pytest.skip("only a broker started here can be suspended")
    admin = clients.Admin(topics)
    admin.metadata()
    broker.suspend()
    try:
        with pytest.raises(BrokerUnavailable):
            admin.metadata(timeout=0.5)
    finally:
        broker.resume()
    assert len(admin.metadata().brokers) == 1


def test_a_cluster_goes_on_without_one_of_its_nodes(broker: Broker) -> None:
    if not isinstance(broker, ApacheBroker):
        pytest.skip("only Apache Kafka makes a cluster here")
    with ApacheBroker(nodes=3) as cluster:
        connection = cluster.connection()
        kafka_topics.create(connection, 3)
        assert kafka_topics.check(connection) == []
        cluster.kill(1)
        write(connection, "meanwhile")
        cluster.restart(1)
        assert read_compacted(connection, Topics().status, 0, WAIT_S) == {b"meanwhile": b"value"}


async def test_who_comes_by_a_detour_is_sent_there_and_can_be_cut_off(broker: Broker) -> None:
    if not isinstance(broker, ApacheBroker):
        pytest.skip("only Apache Kafka can be given more listeners")
    with ApacheBroker(detours=1) as detoured:
        direct = detoured.connection()
        async with Line(detoured.detours[0]) as line:
            connection = replace(direct, bootstrap_servers=line.bootstrap)
            [node] = (await asyncio.to_thread(clients.Admin(connection).metadata)).brokers.values()
            assert f"{node.host}:{node.port}" == line.bootstrap != detoured.bootstrap
            for how in Cut:
                await line.ways[0].cut(how)
                with pytest.raises(BrokerUnavailable):
                    await asyncio.to_thread(clients.Admin(connection).metadata, timeout=0.5)
                clients.Admin(direct).metadata()
                await line.ways[0].mend()
                await asyncio.to_thread(clients.Admin(connection).metadata)


def test_a_broker_listens_on_the_loopback_only_and_is_gone_when_stopped() -> None:
    with EmbeddedBroker() as broker:
        pid, port = broker.pid, int(broker.bootstrap.rpartition(":")[2])
        sockets = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
        listening = [fields[1] for fields in map(str.split, sockets.splitlines()) if fields[3] == "0A"]
        assert [address for address in listening if address.endswith(f":{port:04X}")] == [f"0100007F:{port:04X}"]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_a_broker_dies_with_whoever_started_it(tmp_path: Path) -> None:
    program = (
        "from auditcast.kafka.local import EmbeddedBroker\n"
        "import signal\n"
        "broker = EmbeddedBroker().start()\n"
        "print(broker.pid, flush=True)\n"
        "signal.pause()\n"
    )
    with subprocess.Popen(  # noqa: S603  (a program of our own)
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=os.environ | {"TMPDIR": str(tmp_path)}
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        broker = os.pidfd_open(pid)
        parent.send_signal(signal.SIGKILL)
    ended, _, _ = select.select([broker], [], [], WAIT_S)
    os.close(broker)
    assert ended == [broker]


def test_the_reason_for_which_a_broker_ended_is_told(tmp_path: Path) -> None:
    child = Child("the broker", ["sh", "-c", "echo 'no such storage'; exit 3"], tmp_path)
    child.start()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    with pytest.raises(LocalBrokerFailed, match=r"^the broker ended with code 3:\nno such storage$"):
        child.check()
