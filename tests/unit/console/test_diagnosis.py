"""Every failure has a sentence that says what to do, and none of them holds anything secret."""

import pytest
from msgspec.structs import replace

from auditcast.console.cards import card
from auditcast.console.diagnosis import BY_REASON, BY_STATUS, advice
from auditcast.console.statuses import LeftOut
from auditcast.console.tables import render
from auditcast.deliverers.outcomes import Reason
from auditcast.schemas.formats import FORMATS
from auditcast.schemas.records import Attempt, Revision, SealedHeader, Status

PLAIN = Revision(
    destination="dst_1", number=1, nonce="a", state="active", changed_at=0, epoch="00", workspace="ws_1",
    url="https://siem.example.com:8443/s3cr3t?token=s3cr3t", format="cloudevents/2",
)  # fmt: skip


def failed(status: int | None = None, error: str | None = None) -> Attempt:
    return Attempt(at=0, latency_ms=1, status=status, error=error)


def test_every_reason_of_a_deliverer_has_its_advice_and_no_other_has() -> None:
    assert set(BY_REASON) == {str(reason) for reason in Reason}


@pytest.mark.parametrize("revision", [PLAIN, replace(PLAIN, format="later/9")], ids=["known", "unknown"])
def test_every_sentence_can_be_filled_in_and_tells_nothing_secret(revision: Revision) -> None:
    attempts = [failed(error=reason) for reason in BY_REASON] + [failed(status) for status in (*BY_STATUS, 200, 302)]
    for attempt in [*attempts, failed(418), failed(503), failed(100)]:
        sentence = advice(attempt, revision)
        assert sentence.endswith(".")
        assert sentence.isprintable()
        assert not {"s3cr3t", "{", "}"} & {sentence[at : at + size] for at in range(len(sentence)) for size in (1, 6)}


def test_what_is_not_known_is_left_to_the_answer() -> None:
    assert advice(failed(error="of-a-later-release"), PLAIN) == ""
    assert advice(failed(999), PLAIN) == ""
    assert advice(failed(error="{0}"), replace(PLAIN, destination="{0}")) == ""


def test_who_is_refused_is_told_which_header_counts() -> None:
    assert "a header Authorization, which this destination lacks" in advice(failed(401), PLAIN)
    one = replace(PLAIN, headers=[SealedHeader("X-Key", b"")])
    assert "check the value of the header X-Key" in advice(failed(403), one)
    two = replace(PLAIN, headers=[SealedHeader("X-Key", b""), SealedHeader("X-Org", b"")])
    assert "the header that it looks at: X-Key, X-Org" in advice(failed(401), two)
    for name, form in FORMATS.items():
        for header in form.required_headers:
            assert f"the header {header.name}" in advice(failed(401), replace(two, format=name))


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (failed(error="address-forbidden"), "AUDITCAST_ALLOWED_NETWORKS"),
        (failed(error="certificate-refused"), "renew it if it has expired"),
        (failed(error="consent-refused"), "edit dst_1 --no-handshake"),
        (failed(404), "edit dst_1 --url"),
        (failed(415), "edit dst_1 --option content_type=batch"),
        (failed(302), "Redirects are never followed: give the URL that it leads to"),
        (failed(200), "any receiver of CloudEvents"),
        (failed(error="connect-failed"), "siem.example.com:8443 takes no connection"),
    ],
)
def test_the_advice_is_in_the_users_terms(attempt: Attempt, words: str) -> None:
    assert words in advice(attempt, PLAIN)


def test_a_destination_that_fails_is_shown_with_what_to_do() -> None:
    status = Status(destination="dst_1", at=1, last=failed(404), failures=1)
    assert "What to do" in render(card(PLAIN, status, LeftOut(), 1))
    assert "What to do" not in render(card(PLAIN, replace(status, failures=0), LeftOut(), 1))
