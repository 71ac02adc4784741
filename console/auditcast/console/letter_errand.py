"""Dead letters sent again: what their copies carry, and how one learns what became of each. See records.Delivery."""

from collections.abc import Iterator

from auditcast.console.letters import Letter
from auditcast.console.mailbag import Change, Mailbag
from auditcast.console.replaying import Item
from auditcast.console.sending import Copy, Fate, Verdict
from auditcast.deliverers.expiring import RESOLVED_BY
from auditcast.deliverers.unpacking import HEADER
from auditcast.kafka.partitioner import partition_of
from auditcast.schemas.records import DeadLetter, Delivery
from auditcast.schemas.wire import encode


class LetterErrand:
    """A letter is settled by the deliverer alone, by a tombstone after the delivery was acknowledged."""

    def __init__(self, mailbag: Mailbag, partitions: int) -> None:
        self.failed: set[str] = set()
        """Keys of letters that this run left: of the items that failed, and of parts that their batches came to."""
        self._mailbag = mailbag
        self._partitions = partitions

    def copy(self, item: Item, run: str) -> Copy | None:
        """From the newest record of the letter, wherever it lies now."""
        letter = self._mailbag.letters.get(item.key)
        whole = self._mailbag.whole(letter) if letter else None
        return None if whole is None else copied(item.key, whole, run, self._partitions)

    def verdicts(self, run: str, wait_s: float) -> Iterator[Verdict]:
        """One for each change of a letter that this run, or anybody else, brought about."""
        for change in self._mailbag.changes(wait_s):
            verdict = verdict_in(change, run)
            if verdict is None:
                continue
            if verdict.fate is Fate.FAILED:
                self.failed.add(verdict.key)
            yield verdict


def item_of(letter: Letter) -> Item:
    """A letter with a destination, as something to send."""
    return Item(
        key=letter.key,
        destination=letter.destination or "",
        partition=letter.partition,
        offset=letter.offset,
        events=letter.events,
        sequence=letter.sequence,
    )


def copied(key: str, letter: DeadLetter, run: str, partitions: int) -> Copy:
    """The copy of a batch that asks for one attempt, and for the letter `key` to be settled with it."""
    delivery = Delivery(
        offset=letter.offset,
        first_event=letter.first_event,
        last_event=letter.last_event,
        letter=key,
        replay=run,
    )
    headers = [(header.name, header.value) for header in letter.headers if header.name != HEADER]
    return Copy(
        partition=partition_of(letter.destination or "", partitions),
        value=letter.value or b"",
        headers=[*headers, (HEADER, encode(delivery))],
    )


def verdict_in(change: Change, run: str) -> Verdict | None:
    """What a change says about the copies of `run`, if anything."""
    if change.letter is None:
        return Verdict(change.key, Fate.ELSEWHERE if RESOLVED_BY in change.headers else Fate.DELIVERED)
    if change.letter.replay != run:
        return None
    return Verdict(change.key, Fate.FAILED, ": ".join(filter(None, (change.letter.reason, change.letter.detail))))
