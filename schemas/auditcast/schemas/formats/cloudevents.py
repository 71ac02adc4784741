"""CloudEvents 1.0, JSON batch format: the events as they lie in the log, each with its number in the stream."""

from collections.abc import Sequence

import msgspec

_pieces = msgspec.json.Decoder(list[msgspec.Raw]).decode


class CloudEvents:
    """`cloudevents/1`. The `sequence` extension is zero-padded to 20 digits, so that it sorts as text."""

    name = "cloudevents/1"
    content_type = "application/json"
    max_body_bytes = 900_000
    envelope_bytes = 2
    event_bytes = len(',"sequence":"00000000000000000000"') + 1

    def render(self, event: bytes) -> bytes:
        """The event itself: what is in the log is what is sent."""
        return event

    def join(self, rendered: Sequence[bytes], first: int) -> bytes:
        """A JSON array; the number is spliced in before each event's closing brace."""
        numbered = [b'%b,"sequence":"%020d"}' % (event[:-1], number) for number, event in enumerate(rendered, first)]
        return self.rejoin(numbered)

    def events(self, body: bytes) -> list[bytes]:
        """The array's items as they are."""
        return [bytes(piece) for piece in _pieces(body)]

    def rejoin(self, events: Sequence[bytes]) -> bytes:
        """A JSON array."""
        return b"[" + b",".join(events) + b"]"

    def accepts(self, status: int, answer: bytes) -> bool:
        """Any 2xx."""
        return 200 <= status < 300


FORMAT = CloudEvents()
