"""The shell around `evaluate`: looks at this worker's destinations, has them told of, writes down what was told."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from msgspec.structs import replace

from auditcast.deliverers.alerts import pausing
from auditcast.deliverers.alerts.alert import Ageing, Policy, Situation
from auditcast.deliverers.alerts.delays import Delays
from auditcast.deliverers.alerts.envelope import Desk, Envelope
from auditcast.deliverers.alerts.evaluation import evaluate
from auditcast.deliverers.alerts.metrics import Metrics
from auditcast.deliverers.alerts.misfortunes import PostClosed
from auditcast.deliverers.alerts.sight import Sight
from auditcast.deliverers.alerts.telling import Poster, Teller
from auditcast.deliverers.fate import Append
from auditcast.kafka.names import Topics
from auditcast.kafka.partitioner import partition_of
from auditcast.schemas.records import Alerted, Revision
from auditcast.schemas.wire import encode

TICK_S = 1.0
"""How often it is seen whether something that was put off is due."""

SWEEP_MS = 60_000
"""How often every destination is looked at, whether it changed or not."""

LONGEST_MS = 300_000
"""The longest that a mail server is left alone that takes nothing."""

SERVER = ""
"""The mail server among the names of destinations."""

log = logging.getLogger(__name__)


class Watch:
    """Looks after the destinations in the partitions that `take` gave it, one at a time.

    What was told is written down after a mail server has accepted it. A crash in between repeats the email under the
    same Message-ID; so does, at worst, a worker that was stopped, lost its partitions, and goes on unaware.
    """

    def __init__(  # noqa: PLR0913  (what it looks at, and by what it acts)
        self,
        topics: Topics,
        partitions: int,
        desk: Desk,
        *,
        sight: Sight,
        post: Poster,
        append: Callable[[Append], Awaitable[object]],
        metrics: Metrics,
        now: Callable[[], int],
    ) -> None:
        self._topics = topics
        self._partitions = partitions
        self._desk = desk
        self._sight = sight
        self._post = post
        self._teller = Teller(desk, post, now)
        self._append = append
        self._metrics = metrics
        self._now = now
        self._policy: Policy | None = None
        self._ageing: Mapping[str, Ageing] = {}
        self._told: dict[int, dict[str, Alerted]] = {}
        self._changed: set[str] = set()
        self._wake = asyncio.Event()
        self._looking = asyncio.Lock()
        self._judged: dict[str, tuple[int, str]] = {}
        self._closed = Delays(LONGEST_MS)
        self._swept = -SWEEP_MS

    def learn(self, policy: Policy) -> None:
        """How long things are kept; nothing is told before that is known."""
        self._policy = policy
        self._look_at_all()

    def learn_ageing(self, ageing: Mapping[str, Ageing]) -> None:
        """Which destinations have dead letters that are about to expire."""
        self._ageing = ageing
        self._look_at_all()

    def changed(self, destination: str) -> None:
        """A destination stands otherwise than before."""
        self._changed.add(destination)
        self._wake.set()

    def take(self, told: Mapping[int, dict[str, Alerted]]) -> None:
        """These partitions are this worker's now, with what was told in them."""
        self._told |= told
        self._look_at_all()

    async def give(self, partitions: Sequence[int], grace_s: float) -> None:
        """Give partitions up; an email on its way may arrive within `grace_s`."""
        try:
            async with asyncio.timeout(grace_s), self._looking:
                pass
        except TimeoutError:
            log.warning("alerts.given_up_late")
        for partition in partitions:
            self._told.pop(partition, None)
        self._teller.forget_unless(lambda destination: self._mine(destination) is not None)

    async def run(self) -> None:
        """Look, for ever."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), TICK_S)
            self._wake.clear()
            await self.round()

    async def round(self) -> None:
        """Look once at whatever may be due."""
        if self._policy is None or not self._closed.ready(SERVER, self._now()):
            return
        names = list(self._due())
        for place, destination in enumerate(names):
            async with self._looking:
                try:
                    await self._look(destination, self._policy)
                except PostClosed as closed:
                    delay = self._closed.failed(SERVER, self._now())
                    log.warning("alerts.delayed", extra={"detail": str(closed), "retry_s": delay / 1000})
                    self._changed.update(names[place:])
                    return
        await self._post.rest()

    def _due(self) -> Iterable[str]:
        now = self._now()
        changed, self._changed = self._changed, set()
        if now - self._swept >= SWEEP_MS or now < self._swept:
            self._swept = now
            changed |= {key.decode(errors="replace") for key in self._sight.names()}
        waiting = {name for name in self._teller.delays.names() if self._teller.delays.ready(name, now)}
        mine = (name for name in changed | waiting if self._mine(name) is not None)
        return sorted(name for name in mine if self._teller.delays.ready(name, now))

    def _look_at_all(self) -> None:
        self._swept = -SWEEP_MS
        self._wake.set()

    def _mine(self, destination: str) -> dict[str, Alerted] | None:
        """What was told in the destination's partition; None if that is another worker's."""
        return self._told.get(partition_of(destination, self._partitions))

    async def _look(self, destination: str, policy: Policy) -> None:
        situation = self._situation(destination)
        mine = self._mine(destination)
        if mine is None or situation is None:
            self._teller.forget(destination)
            return
        now = self._now()
        told = mine.get(destination) or Alerted(destination=destination, at=0)
        if (envelope := self._teller.unfinished(destination)) is None:
            if pausing.pause_due(situation, told, policy.pause_after):
                await self._pause(situation.revision, now)
                return
            alert = evaluate(situation, told, policy, now)
            if alert is None:
                self._teller.forget(destination)
                return
            envelope = self._desk.envelope(alert, situation, now)
        if await self._tell(envelope, situation):
            await self._note(envelope)
        self._closed.succeeded(SERVER)

    async def _tell(self, envelope: Envelope, situation: Situation) -> bool:
        kind = envelope.alert.kind
        try:
            done = await self._teller.tell(envelope, situation)
        except PostClosed:
            self._metrics.closed(kind)
            raise
        self._metrics.told(kind, done=done, accepted=envelope.accepted)
        return done

    def _situation(self, destination: str) -> Situation | None:
        """How it stands; None if it is none of the registered destinations."""
        seen = self._sight.situation(destination)
        if seen is None:
            return None
        reachable = bool(self._desk.to(seen.revision, seen.workspace))
        return replace(seen, ageing=self._ageing.get(destination), reachable=reachable)

    async def _pause(self, revision: Revision, now: int) -> None:
        """Pause what was warned of in vain; that this was done is told once it can be read back."""
        if self._judged.get(revision.destination) == revision.order:
            return
        verdict = pausing.paused(revision, now)
        await self._append(Append(self._topics.destinations, revision.destination.encode(), encode(verdict)))
        self._judged[revision.destination] = revision.order
        self._metrics.paused()
        log.warning("destination.paused", extra={"destination": revision.destination, "because": verdict.because})

    async def _note(self, envelope: Envelope) -> None:
        """Write down what was told."""
        told = replace(envelope.alert.told, at=self._now())
        destination = told.destination
        mine = self._mine(destination)
        if mine is None:
            return  # whoever has it now sends the same email again
        mine[destination] = told
        await self._append(Append(self._topics.alerts, destination.encode(), encode(told)))
        if envelope.accepted:
            about, number = ",".join(envelope.alert.kinds), envelope.accepted
            extra = {"destination": destination, "about": about, "number": told.number, "recipients": number}
            log.info("alert.sent", extra=extra)
