"""Bodies as the processor makes them, for tests."""

from collections.abc import Mapping, Sequence

from auditcast.schemas.chain import GENESIS, NO_GAP
from auditcast.schemas.events import decode
from auditcast.schemas.formats import Place, rendering
from auditcast.schemas.records import Option


def place(first: int = 1, **fields: object) -> Place:
    """Somewhere in a chain, the event numbered `first` being the body's first."""
    defaults = {
        "stream": "dst_1-3-00ff00ff00ff00ff",
        "sequence": 1,
        "opened": 1736937000456,
        "gap": NO_GAP,
        "previous_digest": GENESIS,
    }
    return Place(first_event=first, **{**defaults, **fields})  # type: ignore[arg-type]  # the fields that Place has


def joined(name: str, events: Sequence[bytes], at: Place | int = 1, options: Mapping[str, str] | None = None) -> bytes:
    """A body of `events`, given as they lie in the log, in the format `name`."""
    form = rendering(name, [Option(*pair) for pair in (options or {}).items()])
    where = at if isinstance(at, Place) else place(at)
    return form.join([form.render(decode(event), event) for event in events], where)


def numbered(events: Sequence[bytes], first: int = 1) -> bytes:
    """A body in `cloudevents/1` of any JSON objects."""
    return rendering("cloudevents/1", []).join(events, place(first))
