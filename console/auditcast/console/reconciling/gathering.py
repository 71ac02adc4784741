"""Reads all topics once, in an order in which nothing that moves on meanwhile is missed.

A batch moves from the log to its topic, and from there to retries, to the parked ones, to the dead letters, or to its
receiver. First is read how far the workers are; what they had settled by then lies further on, and that is read after.
"""

import time
from collections.abc import Iterable
from typing import cast

from confluent_kafka import Message
from msgspec import Struct, field

from auditcast.console.reconciling import account, commits, copies, links, mail, reach
from auditcast.console.reconciling.commits import Places
from auditcast.console.reconciling.counts import Fate, Table, Window
from auditcast.console.reconciling.ledger import Fates, Ledger, Unknown
from auditcast.console.reconciling.log import Asked, Log
from auditcast.console.reconciling.mail import Mail
from auditcast.console.reconciling.owed import MISPLACED, UNBATCHED, Owed, Owings, Place, of_batch
from auditcast.console.reconciling.recount import Recount
from auditcast.console.scanning import Count, Scan, headers_of
from auditcast.console.seeking import SKEW_MS
from auditcast.deliverers.unpacking import HEADER
from auditcast.kafka.names import Topics
from auditcast.kafka.partitioner import partition_of
from auditcast.kafka.settings import Connection
from auditcast.schemas.errors import Undecodable
from auditcast.schemas.records import Attempted, Batch
from auditcast.schemas.sealing import Sealer
from auditcast.schemas.wire import decode_as

REPORTED_S = 1.5
"""Deliverers report attempts a little after they have settled them: so long is waited for a report that is missing."""


class Findings(Struct):
    """What was found. `table` and `owed` add up, `unknown` and `faults` should be empty; `window` is what can be told.

    `limits` are the topics that do not reach back as far as was asked for, with the time in ms from which they tell.
    """

    window: Window
    table: Table = field(default_factory=dict)
    owed: list[Owed] = field(default_factory=list)
    unknown: list[Unknown] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    limits: dict[str, int] = field(default_factory=dict)


class Gatherer:
    """One reading; `count` hears of every record. Raises `BrokerUnavailable`, `WrongTopics`, `Undecodable`."""

    def __init__(self, connection: Connection, asked: Asked, sealer: Sealer, count: Count) -> None:
        self._connection = connection
        self._topics = Topics(connection.topic_prefix)
        self._asked = asked
        self._sealer = sealer
        self._count = count
        self._owings = Owings()
        self._fates = Fates()
        self._window = asked.window
        self._keys = None if asked.wanted is None else frozenset(name.encode() for name in asked.wanted)

    def findings(self) -> Findings:
        """Everything."""
        topics, wanted = self._topics, self._asked.wanted
        limits = self._limits()
        self._window = Window(max([self._window.since, *limits.values()]), self._window.until)
        with Scan(self._connection, topics.batches) as scan:
            numbers = list(scan.bounds)
        delivered = commits.progress(
            self._connection, topics.deliverer_group, (topics.batches, *topics.retries), numbers
        )
        processed = commits.progress(self._connection, topics.processor_group, (topics.events,), numbers)
        known = links.read(self._connection, wanted, self._count)
        backlog = copies.Backlog(self._connection, self._count)
        letters = mail.read(self._connection, wanted, self._count)
        self._letters(letters)
        moving = [*copies.retries(self._connection, delivered, self._is_wanted, self._count)]
        moving += backlog.copies(self._is_wanted)
        self._attempts(delivered)
        self._copies(moving)
        ledger = Ledger(self._window, self._fates)
        self._batches(ledger, delivered)
        log = Log(self._connection, self._asked, known, processed)
        recounts = log.recount(self._window, ledger.chains, self._sealer, self._count)
        self._settle(ledger, recounts, letters)
        return self._sum(ledger, recounts, letters, limits)

    # How far back the topics go

    def _limits(self) -> dict[str, int]:
        """From when on the topics tell all, where that is later than what is asked for."""
        found = {}
        # A batch is written after its events, and an attempt after that: what is stamped earlier may be lacking.
        for topic, slack in (
            (self._topics.events, 0),
            (self._topics.batches, SKEW_MS),
            (self._topics.attempts, SKEW_MS),
        ):
            with Scan(self._connection, topic) as scan:
                numbers = list(scan.bounds) if topic == self._topics.events else self._numbers(scan)
            begins = reach.begins(self._connection, topic, numbers)
            if begins and begins + slack > self._window.since:
                found[topic] = begins + slack
        return found

    # What became of batches

    def _is_wanted(self, message: Message) -> bool:
        return self._keys is None or message.key() in self._keys

    def _numbers(self, scan: Scan) -> list[int]:
        """The partitions in which something of the destinations lies."""
        wanted = self._asked.wanted
        if wanted is None:
            return list(scan.bounds)
        return sorted({partition_of(name, len(scan.bounds)) for name in wanted})

    def _starts(self, scan: Scan, commits_: Places | None = None) -> dict[int, int]:
        """Where reading begins: with what was written in the window, and with what is not settled."""
        numbers = self._numbers(scan)
        starts = scan.places(max(self._window.since - SKEW_MS, 0), numbers)
        for number in numbers:
            unsettled = commits_[scan.topic, number].offset if commits_ is not None else None
            if unsettled is not None and unsettled < starts.get(number, scan.bounds[number][1]):
                starts[number] = unsettled
        return starts

    def _owe(self, owed: Owed) -> None:
        """Note what is owed, if it was emitted in the window or before."""
        if owed.oldest < self._window.until:
            self._owings.note(owed)

    def _letters(self, letters: Mail) -> None:
        for letter in letters.letters.values():
            if letter.owed.destination is None and self._keys is not None and letter.sender not in self._asked.scopes:
                continue
            self._owe(letter.owed)
            if letter.span is not None:
                self._fates.note(letter.owed.stream, Fate.DEAD, *letter.span)

    def _attempts(self, delivered: Places) -> None:
        """Note what was delivered; from the beginning if a batch from before the window is not settled."""
        with Scan(self._connection, self._topics.batches) as scan:
            usual, needed = self._starts(scan), self._starts(scan, delivered)
        with Scan(self._connection, self._topics.attempts, self._count) as scan:
            starts = self._starts(scan)
            early = {number: 0 for number, offset in needed.items() if offset < usual.get(number, 0)}
            for message in scan.messages(starts | early):
                if self._is_wanted(message):
                    self._attempt(message)

    def _attempt(self, message: Message) -> None:
        try:
            attempted = decode_as(Attempted, message.value() or b"")
        except Undecodable:
            return
        if attempted.fate == Fate.DELIVERED and attempted.stream and attempted.sequence:
            self._fates.note(attempted.stream, Fate.DELIVERED, attempted.first_event, attempted.last_event)

    def _copies(self, moving: Iterable[copies.Copy]) -> None:
        for copy in moving:
            self._fates.note(copy.owed.stream, copy.fate, *copy.span)
            _, left = self._fates.sort(copy.owed.stream, [copy.span], (Fate.DEAD, Fate.DELIVERED))
            if left:
                self._owe(copy.owed)

    def _batches(self, ledger: Ledger, delivered: Places) -> None:
        with Scan(self._connection, self._topics.batches, self._count) as scan:
            for message in scan.messages(self._starts(scan, delivered)):
                if not self._is_wanted(message) or HEADER in dict(headers_of(message)):
                    continue
                try:
                    batch = decode_as(Batch, message.value() or b"")
                except Undecodable:
                    continue  # it becomes a dead letter
                if batch.is_test or batch.is_manifest:
                    continue
                place = Place(scan.topic, *cast("tuple[int, int]", (message.partition(), message.offset())))
                settled = delivered[scan.topic, place.partition].settled(place.offset)
                for span in ledger.take(batch, place.partition, place.offset, settled=settled):
                    self._owe(of_batch(batch, span, Fate.WAITING, place))

    # What follows

    def _settle(self, ledger: Ledger, recounts: Iterable[Recount], letters: Mail) -> None:
        """Find out what else is on record of batches of which no delivery is."""
        noted = Fates()
        for recount in recounts:
            for note in recount.courses.notes:
                fate = Fate.EXPIRED if note.kind == "expired" else Fate.RESOLVED
                noted.note(note.stream, fate, note.first_event, note.last_event)
        for each in ledger.unknown:
            ended = letters.ended.get(f"{each.id}-{each.span[0]}-{each.span[1]}") or letters.ended.get(each.id)
            if ended is not None:
                noted.note(each.stream, ended, *each.span)
        ledger.settle(noted, (Fate.RESOLVED, Fate.EXPIRED))
        if ledger.unknown:
            time.sleep(REPORTED_S)
            with Scan(self._connection, self._topics.attempts, self._count) as scan:
                for message in scan.messages(self._starts(scan)):
                    if self._is_wanted(message):
                        self._attempt(message)
            ledger.settle(self._fates, (Fate.DELIVERED,))
        ledger.close()

    def _sum(self, ledger: Ledger, recounts: list[Recount], letters: Mail, limits: dict[str, int]) -> Findings:
        table = account.merged(ledger.table, *(recount.table for recount in recounts))
        account.compare(ledger, recounts, table)
        refused = [letter.owed for letter in letters.letters.values() if letter.span is None]
        hours = ((owed.destination, self._window.hour(owed.oldest)) for owed in refused)
        account.refused(table, [(name, hour) for name, hour in hours if name is not None and hour is not None])
        for recount in recounts:
            for stream, lagging in recount.lagging.items():
                self._owe(
                    Owed(
                        destination=lagging.destination,
                        place=MISPLACED if lagging.destination is None else UNBATCHED,
                        topic=self._topics.events,
                        partition=recount.part.partition,
                        first_offset=lagging.first,
                        last_offset=lagging.last,
                        events=lagging.events,
                        oldest=lagging.oldest,
                        stream=stream,
                    )
                )
        return Findings(
            window=self._window,
            table={key: counts for key, counts in sorted(table.items()) if not counts.empty},
            owed=self._owings.runs(),
            unknown=ledger.unknown,
            faults=ledger.faults,
            limits=limits,
        )
