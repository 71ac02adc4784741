"""Ids: UUIDv7, in order of time, never twice."""

import os
import uuid
from concurrent.futures import ThreadPoolExecutor

from auditcast.producers.ids import new_id

NOW = 1_736_937_000_000


def test_an_id_is_a_uuid_of_version_7_that_holds_its_time() -> None:
    prefix, _, digits = new_id(NOW).partition("_")
    found = uuid.UUID(digits)
    assert (prefix, found.version, found.variant) == ("aud", 7, uuid.RFC_4122)
    assert found.int >> 80 == NOW


def test_ids_sort_by_time() -> None:
    ids = [new_id(NOW + step) for step in range(100)]
    assert ids == sorted(ids)


def test_threads_get_different_ids() -> None:
    with ThreadPoolExecutor(8) as pool:
        ids = [each for part in pool.map(lambda _: [new_id(NOW) for _ in range(5000)], range(8)) for each in part]
    assert len(set(ids)) == len(ids)


def test_a_forked_child_gets_other_ids_than_its_parent() -> None:
    new_id(NOW)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, new_id(NOW).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        assert pipe.read() != new_id(NOW)
