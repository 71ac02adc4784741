"""Bad days of the receivers, of one destination's or of a whole server's, and of the mail server."""

import asyncio
import random
from collections.abc import Sequence

from auditcast.console.demo.customers import Customers
from auditcast.console.demo.mailbox import Mailbox
from auditcast.console.demo.moods import AILMENTS, FAILING, HANGING, Mood
from auditcast.console.demo.stage import Stage
from tests.chaos import plan
from tests.chaos.journal import Journal
from tests.chaos.picking import chosen


class Weather:
    """Nobody ails in two ways at once."""

    def __init__(self, stage: Stage, customers: Customers, mailbox: Mailbox, journal: Journal) -> None:
        self._stage = stage
        self._mailbox = mailbox
        self._customers = customers
        self._journal = journal
        self._absent: set[int] = set()

    async def ail(self, action: plan.Ail) -> bool:
        """One destination's receiver does not do what it should."""
        destination = chosen(self._well(), action.pick)
        if destination is None:
            return False
        mood = AILMENTS[action.ailment]
        self._begin(destination, mood, f"for {action.lasting:.1f} s")
        await asyncio.sleep(action.lasting)
        self._moods(destination).pop(destination, None)
        return True

    async def absence(self, action: plan.Absence) -> bool:
        """A server goes down and comes back."""
        number = chosen([n for n in range(len(self._stage.receivers)) if n not in self._absent], action.pick)
        if number is None:
            return False
        self._journal.note(f"receiver {number} goes down for {action.lasting:.1f} s")
        self._absent.add(number)
        await self._stage.receivers[number].go_down()
        await asyncio.sleep(action.lasting)
        await self._stage.receivers[number].come_back()
        self._absent.discard(number)
        return True

    async def silence(self, action: plan.Silence) -> bool:
        """The mail server takes nothing for a while."""
        self._journal.note(f"the mail server goes down for {action.lasting:.1f} s")
        self._mailbox.go_down()
        await asyncio.sleep(action.lasting)
        await self._mailbox.come_back()
        return True

    def worsen(self, rng: random.Random) -> None:
        """Have a third of the destinations fail or hang, until `heal`."""
        well = self._well()
        for destination in rng.sample(well, len(well) // 3):
            self._begin(destination, rng.choice([FAILING, HANGING]), "until the end")

    def heal(self) -> None:
        """Nobody ails any more."""
        for receiver in self._stage.receivers:
            receiver.moods.clear()

    def _begin(self, destination: str, mood: Mood, how_long: str) -> None:
        self._journal.note(f"{destination} is {mood.name} {how_long}")
        self._moods(destination)[destination] = mood

    def _moods(self, destination: str) -> dict[str, Mood]:
        return self._stage.receiver_of(destination).moods

    def _well(self) -> Sequence[str]:
        return [name for name in self._customers.current if name not in self._moods(name)]
