"""A verdict that came too late changes nothing, neither now nor after compaction."""

from msgspec.structs import replace

from auditcast.deliverers.gone import disabled
from auditcast.deliverers.newest import Newest
from auditcast.schemas.records import Revision
from auditcast.schemas.wire import encode

FIRST = Revision(destination="dst", number=1, nonce="a0", state="active", changed_at=0, epoch="e", url="https://old")
VERDICT = disabled(FIRST, 5) or FIRST
EDITED = replace(FIRST, number=2, nonce="00", url="https://new")
KEY = b"dst"


def newest(*revisions: Revision) -> tuple[Newest, bytes | None]:
    """What is known after these records, and what the last of them makes necessary."""
    made, again = Newest(), None
    for revision in revisions:
        again = made.take(KEY, encode(revision))
    return made, again


def test_a_verdict_counts_until_a_person_changes_something() -> None:
    known, again = newest(FIRST, VERDICT)
    assert (known.get(KEY), again) == (encode(VERDICT), None)
    assert known.take(KEY, encode(EDITED)) is None
    assert known.get(KEY) == encode(EDITED)
    assert known.covered() == []


def test_a_verdict_over_a_change_that_it_did_not_know_is_void_and_covered_again() -> None:
    known, again = newest(FIRST, EDITED, VERDICT)
    assert known.get(KEY) == again == encode(EDITED)
    assert known.covered() == [(KEY, encode(EDITED))]
    assert known.take(KEY, encode(EDITED)) is None
    assert known.covered() == []


def test_what_is_removed_is_gone_and_what_cannot_be_read_is_left_to_others() -> None:
    known, _ = newest(FIRST, EDITED, VERDICT)
    assert known.take(KEY, None) is None
    assert (known.get(KEY), known.covered()) == (None, [])
    known, _ = newest(EDITED)
    assert known.take(KEY, b"from the future") is None
    assert known.get(KEY) == b"from the future"
    assert known.take(KEY, encode(FIRST)) is None
    assert known.get(KEY) == encode(FIRST)
