"""Whether the log is the one that the state is of."""

import pytest

from auditcast.processors import owned
from auditcast.processors.errors import AlienState
from auditcast.processors.owned import _reaches
from auditcast.processors.partition import Place
from auditcast.processors.reader import LogReader, Next

PLACE = Place("audit.events", 0, 1)


class Log(LogReader):
    """A log with records up to `last`; the leader knows of them from the second question on."""

    def __init__(self, last: int) -> None:
        self.last = last
        self.asked = 0

    def next(self, partition: int, offset: int) -> Next:
        self.asked += 1
        return Next(offset if self.asked > 1 and offset <= self.last else None, 0)


def test_a_log_that_reaches_what_was_batched_is_ours() -> None:
    _reaches(Log(7), PLACE, 0, 7)
    _reaches(Log(-1), PLACE, 8, 7)
    _reaches(Log(-1), PLACE, 0, -1)


def test_a_log_that_ends_before_was_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owned, "ELECTION_SECONDS", 0)
    with pytest.raises(AlienState, match=r"audit\.events/0 ends before offset 7"):
        _reaches(Log(6), PLACE, 0, 7)
