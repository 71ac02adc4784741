"""What the owner of a destination makes of its attempts."""

import pytest
from msgspec.structs import replace

from auditcast.deliverers.account import Account
from auditcast.deliverers.outcomes import Outcome, Piece, Verdict
from auditcast.deliverers.parcels import Claim, Parcel, Source
from auditcast.deliverers.parking import events_of
from auditcast.deliverers.probes import Place, place_of
from auditcast.deliverers.standing import OPEN_AFTER
from auditcast.schemas.records import Attempt, Delivered
from tests.unit.deliverers.parcels import batch, parcel

ATTEMPT = Attempt(at=1, latency_ms=1, status=200)
SUCCESS = Outcome(reason=None, verdict=Verdict.DELIVERED, attempt=ATTEMPT)
FAILURE = Outcome(reason="status-500", verdict=Verdict.RETRY, attempt=ATTEMPT)
TOO_LARGE = Outcome(reason="status-413", verdict=Verdict.SPLIT, attempt=ATTEMPT)
PARTLY = Outcome(reason="events-not-taken", verdict=Verdict.PARTLY, attempt=ATTEMPT)
AGAIN = Outcome(reason="events-not-taken", verdict=Verdict.RETRY, attempt=ATTEMPT)
SHARES = [Piece(0, 0, PARTLY), Piece(1, 2, SUCCESS, share=True), Piece(3, 3, AGAIN, share=True)]


@pytest.fixture
def account() -> Account:
    return Account("dst_1", 0, 60, None)


def delivered(account: Account) -> list[Delivered]:
    return account.status(0, 0).delivered


def test_who_takes_a_part_is_there(account: Account) -> None:
    for _ in range(OPEN_AFTER):
        account.attempted(parcel(batch()), [Piece(0, 0, FAILURE)], 0)
    assert account.standing.open
    account.attempted(parcel(batch()), SHARES, 0)
    assert (account.standing.open, account.standing.failures) == (False, 0)
    assert delivered(account) == []
    account.attempted(parcel(batch()), [Piece(0, 0, SUCCESS)], 0)
    assert delivered(account) == [Delivered("dst_1", 1)]


@pytest.mark.parametrize("taken", [SHARES, [Piece(0, 0, TOO_LARGE), Piece(1, 3, SUCCESS)]])
def test_a_batch_of_which_a_part_was_taken_does_not_stay_parked_as_it_is(account: Account, taken: list[Piece]) -> None:
    """Even if a later request for it ran into a receiver that asked for time.

    One that takes a single request a minute would get the first part again and again, and the rest never.
    """
    busy = replace(FAILURE, retry_after=60)
    each = parcel(batch(), claim=Claim("audit.batches.parked", 0, Source.PARKED))
    pieces = [*taken, Piece(4, 4, busy)]
    account.attempted(each, pieces, 0)
    assert account.standing.open
    assert place_of(account, each, pieces, 10**9, 1) is Place.DECIDED
    assert place_of(account, each, [Piece(0, 0, busy)], 10**9, 1) is Place.HERE


def test_a_manifest_says_nothing_of_how_far_the_batches_are(account: Account) -> None:
    manifest = replace(batch(sequence=0), id="dst_1-manifest-1")
    assert manifest.is_manifest
    account.attempted(parcel(manifest), [Piece(0, 0, SUCCESS)], 0)
    assert delivered(account) == []
    account.attempted(parcel(batch(sequence=3)), [Piece(0, 0, SUCCESS)], 0)
    account.attempted(parcel(manifest), [Piece(0, 0, SUCCESS)], 0)
    assert delivered(account) == [Delivered("dst_1", 3)]
    assert (events_of(parcel(manifest)), events_of(parcel(batch()))) == (0, 1)


@pytest.mark.parametrize("outcome", [SUCCESS, FAILURE, replace(FAILURE, verdict=Verdict.DEAD), PARTLY])
def test_a_rate_that_was_consented_to_is_the_pace_until_there_is_another(account: Account, outcome: Outcome) -> None:
    each: Parcel = parcel(batch())
    assert account.standing.wait(0) == 0
    account.attempted(each, [Piece(0, 0, replace(outcome, apart_s=0.5))], 10)
    assert account.standing.wait(10.1) == pytest.approx(0.4)
    assert account.standing.wait(11) == 0
    account.attempted(each, [Piece(0, 0, outcome)], 12)
    assert account.standing.wait(12) == 0
