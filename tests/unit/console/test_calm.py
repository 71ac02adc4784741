"""A library that repeats itself is heard now and then, and everybody else always."""

import logging

from auditcast.console.calm import Calm


def test_only_the_libraries_named_are_kept_from_repeating_themselves() -> None:
    now = 0.0
    calm = Calm(("aiokafka",), 10, lambda: now)

    def says(name: str, message: str, *values: object) -> bool:
        return calm.filter(logging.LogRecord(name, logging.ERROR, "", 0, message, values, None))

    assert says("aiokafka.client", "no node %s", 1)
    assert not says("aiokafka.client", "no node %s", 2)
    assert says("aiokafka.client", "something else")
    assert all(says("auditcast.processors", "again") for _ in range(2))
    now = 10.0
    assert says("aiokafka.client", "no node %s", 3)
