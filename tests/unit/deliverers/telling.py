"""A format for tests, whose receivers tell of single events."""

import json
from collections.abc import Mapping

from auditcast.schemas.formats import FORMATS, Format, Judgement, Rendering


class Telling:
    """A format whose receiver is as the answer says: `{"again": [[0, 1]], "never": [], "detail": ""}`, or null."""

    def __init__(self, like: Format = FORMATS["cloudevents/1"]) -> None:
        self._like = like
        self.name, self.title, self.gzip, self.secret_url = like.name, like.title, like.gzip, like.secret_url
        self.max_events, self.max_body_bytes = like.max_events, like.max_body_bytes
        self.options, self.required_headers = like.options, like.required_headers
        self.pieces = like.pieces
        self.asked: list[int] = []

    def rendering(self, chosen: Mapping[str, str]) -> Rendering:
        return self._like.rendering(chosen)

    def judge(self, status: int, answer: bytes, events: int) -> Judgement | None:
        self.asked.append(events)
        said = json.loads(answer)
        if said is None:
            return None
        again, never = ([tuple(span) for span in said.get(name, ())] for name in ("again", "never"))
        return Judgement(again, never, said.get("detail", ""), said.get("unread"))
