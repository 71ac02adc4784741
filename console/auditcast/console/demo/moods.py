"""How receivers ail, as data: what one does instead of taking a delivery and saying so."""

from msgspec import Struct


class Mood(Struct, frozen=True):
    """One way to be. A receiver that `takes` a delivery writes it down, whatever it answers after that.

    It answers after `waits` seconds: by a reset if it `resets`, with `status` unless that is 0, and else truthfully.
    `retry_after` goes with the answer. Bodies over `most_bytes` are answered with 413; 0: there is no limit.
    """

    name: str
    takes: bool = False
    waits: float = 0
    resets: bool = False
    status: int = 0
    retry_after: str = ""
    most_bytes: int = 0


FOR_EVER_S = 3600.0

WELL = Mood("well", takes=True)
FAILING = Mood("failing", status=500)
FORGETFUL = Mood("failing after it took the delivery", takes=True, status=500)
BUSY = Mood("throttling", status=429, retry_after="2")
HANGING = Mood("hanging", waits=FOR_EVER_S)
LOST = Mood("hanging after it took the delivery", takes=True, waits=FOR_EVER_S)
RESETTING = Mood("resetting", resets=True)
SLOW = Mood("slow", takes=True, waits=0.7)
NARROW = Mood("refusing large bodies", takes=True, most_bytes=3000)

AILMENTS = (FAILING, FORGETFUL, BUSY, HANGING, LOST, RESETTING, SLOW, NARROW)
"""All that can befall a single destination and passes again."""
