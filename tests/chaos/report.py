"""The verdict of a chaos run, from two independent sources. No clock, no I/O."""

from collections import Counter
from collections.abc import Mapping

from msgspec import Struct

from auditcast.console.demo.account import Account, Row
from auditcast.console.demo.chains import Fault
from tests.chaos.manifests import Manifests
from tests.chaos.places import Owed
from tests.chaos.telling import Telling

REFUSED = {"invalid-event", "too-large", "undecodable", "forged"}
"""Why records of the events topic may be dead letters here: strangers wrote them."""


class Report(Struct, frozen=True, kw_only=True):
    """All numbers of a run; `deliveries` count an event once for each destination. `good` is the verdict."""

    seed: int
    seconds: float
    faults: dict[str, int]
    changes: dict[str, int]
    emitted: int
    log: dict[str, int]
    deliveries: int
    batches: int
    delivered: int
    lost_in_batches: int
    lost_at_receivers: int
    left_with_deleted: int
    unexpected: int
    altered: int
    disordered: int
    aborted_delivered: int
    chain_breaks: int
    batches_differing: int
    batches_repeated: int
    deliveries_differing: int
    deliveries_repeated: int
    out_of_order: int
    other_faults: dict[str, int]
    strays: list[str]
    refused: dict[str, int]
    dead_letters: dict[str, int]
    owed_at_the_end: int
    owed_in: dict[str, int]
    owed_nowhere: list[str]
    copies_differing: list[str]
    manifests: int
    wrong_manifests: list[str]
    attempts: dict[str, int]
    untold: list[str]
    flooded: list[str]
    wrong_statuses: list[str]
    undelivered: list[str]
    expired: int
    expired_deliveries: int
    expiry_told: bool
    settled: bool
    findings: list[str]

    @property
    def wrong(self) -> dict[str, int]:
        """Everything that must be zero."""
        return {
            "lost in batches": self.lost_in_batches,
            "lost at receivers": self.lost_at_receivers,
            "unexpected": self.unexpected,
            "altered": self.altered,
            "disordered streams": self.disordered,
            "aborted events delivered": self.aborted_delivered,
            "chain breaks": self.chain_breaks,
            "batches differing under one sequence": self.batches_differing + self.deliveries_differing,
            "other faults": sum(self.other_faults.values()),
            "streams out of nowhere": len(self.strays),
            "owed events that were nowhere": len(self.owed_nowhere),
            "copies unlike their batch": len(self.copies_differing),
            "manifests that do not hold": len(self.wrong_manifests),
            "owners not told of dead letters": len(self.untold),
            "owners told twice": len(self.flooded),
            "statuses that are wrong": len(self.wrong_statuses),
            "dead letters left": len(self.undelivered),
            "events refused for other reasons": sum(n for why, n in self.refused.items() if why not in REFUSED),
            "losses by expiry not told": int(not self.expiry_told),
            "not settled": int(not self.settled),
        }

    @property
    def good(self) -> bool:
        """Zero, zero, zero."""
        return not any(self.wrong.values())


def judge(
    account: Account,
    *,
    seed: int,
    seconds: float,
    faults: Mapping[str, int],
    changes: Mapping[str, int],
    emitted: int,
    aborted: set[int],
    expired: int,
    expired_deliveries: int,
    expiry_told: bool,
    deleted: set[str],
    owed: Owed,
    strange: list[str],
    manifests: Manifests,
    settled: bool,
    attempts: Mapping[str, int],
    telling: Telling,
    findings: list[str],
) -> Report:
    """The report; compares all events, which takes some seconds with millions."""
    rows = account.rows()
    ledgers = account.ledgers.values()
    wrong = account.batches.faults.copy()
    for ledger in ledgers:
        wrong.update(ledger.faults)
    letters = account.owed.values()
    left: Counter[str] = Counter()
    for letter in letters:
        left[letter.destination] += letter.events if letter.destination in deleted else 0
    known = {Fault.CHAIN, Fault.DIFFERS, Fault.OUT_OF_ORDER}
    return Report(
        seed=seed,
        seconds=seconds,
        faults=dict(faults),
        changes=dict(changes),
        emitted=emitted,
        log=dict(account.expectation.seen),
        deliveries=account.expectation.deliveries,
        batches=account.batches.count,
        delivered=account.delivered,
        lost_in_batches=sum(row.in_batches.missing for row in rows),
        lost_at_receivers=sum(max(0, row.at_receiver.missing - left[row.destination]) for row in rows),
        left_with_deleted=left.total(),
        unexpected=_sum(rows, "unexpected"),
        altered=_sum(rows, "altered"),
        disordered=_sum(rows, "disordered"),
        aborted_delivered=_aborted(account, aborted),
        chain_breaks=wrong[Fault.CHAIN],
        batches_differing=account.batches.faults[Fault.DIFFERS],
        batches_repeated=account.batches.repeated,
        deliveries_differing=wrong[Fault.DIFFERS] - account.batches.faults[Fault.DIFFERS],
        deliveries_repeated=sum(ledger.duplicates for ledger in ledgers),
        out_of_order=wrong[Fault.OUT_OF_ORDER],
        other_faults={fault.value: count for fault, count in wrong.items() if fault not in known},
        strays=account.strays(),
        refused=dict(account.refused),
        dead_letters=dict(account.letters),
        owed_at_the_end=owed.events,
        owed_in=owed.waiting,
        owed_nowhere=owed.nowhere,
        copies_differing=strange,
        manifests=manifests.count,
        wrong_manifests=manifests.wrong(),
        attempts=dict(attempts),
        untold=telling.untold,
        flooded=telling.flooded,
        wrong_statuses=telling.wrong,
        undelivered=[
            f"{one.destination}: {one.reason}, {one.detail}" for one in letters if one.destination not in deleted
        ],
        expired=expired,
        expired_deliveries=expired_deliveries,
        expiry_told=expiry_told,
        settled=settled,
        findings=findings,
    )


def text(report: Report) -> str:
    """The report as people read it."""
    lines = [
        f"chaos, seed {report.seed}, {report.seconds:.0f} s",
        f"  faults         {sum(report.faults.values())}: {_counts(report.faults)}",
        f"  changes        {sum(report.changes.values())}: {_counts(report.changes)}",
        f"  emitted        {report.emitted:,} events; in the log: {_counts(report.log)}",
        f"  to deliver     {report.deliveries:,}   in {report.batches:,} batches   delivered {report.delivered:,}",
        f"  repeated       {report.batches_repeated:,} batches in the topic, {report.deliveries_repeated:,} deliveries,"
        " all of these identical",
        f"  out of order   {report.out_of_order:,} deliveries",
        f"  expired        {report.expired:,} records unread, {report.expired_deliveries:,} deliveries less",
        f"  attempts       {_counts(report.attempts)}",
        f"  refused        {_counts(report.refused)}",
        f"  dead letters   {_counts(report.dead_letters)}",
        f"  owed           {report.owed_at_the_end:,} deliveries when the chaos ended: {_counts(report.owed_in)}",
        f"  manifests      {report.manifests:,}",
        f"  left           {report.left_with_deleted:,} deliveries in dead letters of destinations that were deleted",
    ]
    lines += [f"  {'WRONG ' if count else 'zero'}  {name}: {count:,}" for name, count in report.wrong.items()]
    lines += [f"  nowhere        {line}" for line in report.owed_nowhere[:10]]
    lines += [f"  strange        {line}" for line in report.copies_differing[:10]]
    lines += [f"  manifest       {line}" for line in report.wrong_manifests[:10]]
    lines += [f"  untold         {line}" for line in report.untold]
    lines += [f"  flooded        {line}" for line in report.flooded]
    lines += [f"  status         {line}" for line in report.wrong_statuses[:10]]
    lines += [f"  dead           {line}" for line in report.undelivered[:10]]
    lines += [f"  finding        {line}" for line in report.findings]
    return "\n".join([*lines, "good" if report.good else "NOT GOOD"])


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items())) or "none"


def _sum(rows: list[Row], what: str) -> int:
    return sum(int(getattr(row.in_batches, what)) + int(getattr(row.at_receiver, what)) for row in rows)


def _aborted(account: Account, aborted: set[int]) -> int:
    chains = [account.batches.chains, *(ledger.chains for ledger in account.ledgers.values())]
    return sum(len(aborted & set(chain.events[0])) for held in chains for chain in held.values())
