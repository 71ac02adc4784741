"""What an answer means: for all that was sent, or event by event where the format and the receiver tell. Pure."""

from collections.abc import Sequence
from itertools import groupby

from msgspec import Struct
from msgspec.structs import replace

from auditcast.deliverers import verdicts
from auditcast.deliverers.outcomes import Outcome, Piece, Reason, Share, Verdict
from auditcast.deliverers.parts import Part, part_of
from auditcast.schemas.formats import Format, Judgement
from auditcast.schemas.records import Batch

MOST_SPANS = 8
"""Stretches of one request that were not taken, at most: each becomes a copy of the whole batch's bytes."""


class Judged(Struct, frozen=True):
    """What an answer forces us to do. `shares` cover all events, in their order, if they have different verdicts.

    With `unread` the receiver did not even look at those of the last share.
    """

    reason: str | None
    verdict: Verdict
    detail: str = ""
    shares: Sequence[Share] = ()
    unread: bool = False


_TAKEN = Judged(None, Verdict.DELIVERED)
_REASONS = {
    Verdict.DELIVERED: None,
    Verdict.RETRY: Reason.EVENTS_NOT_TAKEN,
    Verdict.DEAD: Reason.EVENTS_REFUSED,
}
"""Of shares."""


def judge(batch: Batch, kind: Format, part: Part, status: int, answer: bytes) -> Judged:
    """What a receiver made of `part` of `batch`, by its answer."""
    judgement = kind.judge(status, answer, events_in(batch, part))
    if judgement is None:
        reason = _refusal(status)
        return Judged(reason, verdicts.verdict(reason, status))
    if not judgement.again and not judgement.never:
        return _TAKEN
    found = shares(judgement, events_in(batch, part))
    if len(found) > 1 and _divisible(batch, kind, part):
        retried = any(share.verdict is Verdict.RETRY for share in found)
        reason = Reason.EVENTS_NOT_TAKEN if retried else Reason.EVENTS_REFUSED
        events, from_here = events_in(batch, part), judgement.unread
        unread = from_here is not None and found[-1] == Share(from_here, events - 1, Verdict.RETRY)
        return Judged(reason, Verdict.PARTLY, judgement.detail, found, unread)
    if all(share.verdict is Verdict.DEAD for share in found):
        return Judged(Reason.EVENTS_REFUSED, Verdict.DEAD, judgement.detail)
    if all(share.verdict is Verdict.DELIVERED for share in found):
        return _TAKEN
    return Judged(_refusal(status), Verdict.RETRY, judgement.detail)


def events_in(batch: Batch, part: Part) -> int:
    """How many events a part of a batch says that it has."""
    first, last = part.first_event or batch.first_event, part.last_event or batch.last_event
    return max(last - first + 1, 1)


def shares(judgement: Judgement, events: int) -> list[Share]:
    """What became of which of `events` events, whatever the spans are: all of them, none twice, in their order.

    At most MOST_SPANS of them were not taken: of more, the nearest are joined, and all that lies between is sent again.
    """
    made = [Verdict.DELIVERED] * events
    # In this order: what is in both can be taken another time.
    for spans, verdict in ((judgement.never, Verdict.DEAD), (judgement.again, Verdict.RETRY)):
        for first, last in spans:
            for position in range(max(first, 0), min(last + 1, events)):
                made[position] = verdict
    runs, position = [], 0
    for verdict, run in groupby(made):
        length = sum(1 for _ in run)
        runs.append(Share(position, position + length - 1, verdict))
        position += length
    return _with_the_taken(_joined([run for run in runs if run.verdict is not Verdict.DELIVERED]), events)


def divided(batch: Batch, part: Part, outcome: Outcome) -> list[Piece]:
    """The request for `part` that ended in `outcome`, and behind it its shares, with the numbers of their events."""
    begin = part.first_event or batch.first_event
    return [
        Piece(part.first_event, part.last_event, outcome),
        *(
            Piece(
                begin + share.first,
                begin + share.last,
                replace(outcome, reason=_REASONS[share.verdict], verdict=share.verdict, shares=()),
                share=True,
            )
            for share in outcome.shares
        ),
    ]


def unread(batch: Batch, kind: Format, part: Part, outcome: Outcome) -> Part | None:
    """The events of `part` that the receiver did not look at, because of one before them."""
    if not outcome.unread:
        return None
    begin = part.first_event or batch.first_event
    share = outcome.shares[-1]
    return part_of(batch, kind, begin + share.first, begin + share.last)


def _joined(runs: list[Share]) -> list[Share]:
    while len(runs) > MOST_SPANS:
        # Of those that are equally near the shortest, so that none grows large: what is short is settled sooner.
        nearest = min(
            range(len(runs) - 1),
            key=lambda at: (runs[at + 1].first - runs[at].last, runs[at + 1].last - runs[at].first, at),
        )
        runs[nearest : nearest + 2] = [Share(runs[nearest].first, runs[nearest + 1].last, Verdict.RETRY)]
    return runs


def _with_the_taken(runs: list[Share], events: int) -> list[Share]:
    """`runs`, and between them what was taken."""
    found, position = [], 0
    for run in runs:
        if run.first > position:
            found.append(Share(position, run.first - 1, Verdict.DELIVERED))
        found.append(run)
        position = run.last + 1
    if position < events:
        found.append(Share(position, events - 1, Verdict.DELIVERED))
    return found


def _divisible(batch: Batch, kind: Format, part: Part) -> bool:
    """Whether parts of `part` can be made, so that each of them can have a fate of its own."""
    try:
        return batch.first_event > 0 and len(kind.pieces(part.body).items) == events_in(batch, part)
    except ValueError:
        return False


def _refusal(status: int) -> str:
    """Why an answer is no success."""
    if 200 <= status < 300:
        return Reason.NOT_ACCEPTED
    if 300 <= status < 400:
        return Reason.REDIRECTED
    return f"status-{status}"
