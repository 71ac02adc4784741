"""Metrics over HTTP: what is shown to whom, and that nobody who looks can hold a worker up."""

import contextlib
import http.client
import socket
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.parser import text_string_to_metric_families

from auditcast.console import metrics
from auditcast.schemas.errors import Misconfigured


@pytest.fixture
def registry() -> CollectorRegistry:
    made = CollectorRegistry()
    Counter("things", "Things that were done.", ["kind"], registry=made).labels("good").inc(3)
    return made


@pytest.fixture
def port(registry: CollectorRegistry) -> Iterator[int]:
    with metrics.serving(registry, "127.0.0.1", 0) as found:
        yield found


def ask(port: int, method: str = "GET", path: str = "/metrics", host: str = "127.0.0.1") -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(host, port, timeout=10)
    connection.request(method, path)
    return connection.getresponse()


def test_what_was_counted_is_scraped(port: int) -> None:
    answer = ask(port)
    assert (answer.status, answer.headers["Server"]) == (200, "auditcast")
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    families = {family.name: family for family in text_string_to_metric_families(answer.read().decode())}
    assert (families["things"].type, families["things"].documentation) == ("counter", "Things that were done.")
    found = {sample.name: (sample.labels, sample.value) for sample in families["things"].samples}
    assert found == {"things_total": ({"kind": "good"}, 3.0)}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/metrics/"),
        ("GET", "/../metrics"),
        ("POST", "/metrics"),
        ("HEAD", "/metrics"),
        ("X", "/"),
    ],
)
def test_nothing_else_is_answered(port: int, method: str, path: str) -> None:
    answer = ask(port, method, path)
    assert answer.status in {404, 501}
    assert b"things" not in answer.read()


def test_it_listens_where_it_was_told_to_and_nowhere_else(port: int) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.2", port))  # it would be taken if all addresses were


def test_a_port_that_is_taken_is_one_sentence(port: int, registry: CollectorRegistry) -> None:
    with pytest.raises(Misconfigured) as refused, metrics.serving(registry, "127.0.0.1", port):
        pass
    assert str(refused.value) == (
        f"AUDITCAST_METRICS_PORT: metrics cannot be shown at 127.0.0.1:{port} (address already in use): each worker of"
        " a machine needs a port of its own, and AUDITCAST_METRICS_HOST must be an address of that machine"
    )


def test_a_client_that_says_nothing_holds_up_neither_others_nor_the_end(registry: CollectorRegistry) -> None:
    with socket.socket() as silent:
        with metrics.serving(registry, "127.0.0.1", 0) as port:
            silent.connect(("127.0.0.1", port))
            silent.send(b"GET /met")
            assert ask(port).status == 200
        silent.setblocking(False)
        with pytest.raises(BlockingIOError):
            silent.recv(1)  # it was not waited for until its time was over, and its connection closed
        with pytest.raises(ConnectionRefusedError):
            ask(port)
        with metrics.serving(registry, "127.0.0.1", port):
            assert ask(port).status == 200, "the next worker can have the port at once"


def test_clients_that_never_finish_leave_the_worker_its_threads_and_files(port: int) -> None:
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(metrics.MOST_CLIENTS)]
        for each in slow:
            each.send(b"GET /met")
        assert ask(port).status == 200
        assert slow[0].recv(1) == b""  # the oldest had to make room
        slow[-1].send(b"rics HTTP/1.0\r\n\r\n")
        assert slow[-1].recv(12) == b"HTTP/1.0 200"


def test_without_a_port_there_is_no_server(monkeypatch: pytest.MonkeyPatch, registry: CollectorRegistry) -> None:
    monkeypatch.delenv("AUDITCAST_METRICS_PORT", raising=False)
    monkeypatch.setattr(metrics, "serving", None)
    with metrics.shown(registry):
        pass


def test_a_worker_shows_its_release_and_its_memory(
    monkeypatch: pytest.MonkeyPatch, registry: CollectorRegistry
) -> None:
    with metrics.serving(CollectorRegistry(), "127.0.0.1", 0) as free:
        pass
    monkeypatch.setenv("AUDITCAST_METRICS_PORT", str(free))
    with metrics.shown(registry):
        said = ask(free).read().decode()
    names = {family.name for family in text_string_to_metric_families(said)}
    assert {"auditcast_build_info", "things", "process_resident_memory_bytes", "process_open_fds"} <= names
