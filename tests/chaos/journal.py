"""What happens during a chaos run, line by line, and the promises that were broken on the way."""

import time
from collections.abc import Callable


class Journal:
    """`say` is given each line, with the seconds since the beginning."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.findings: list[str] = []
        self._say = say
        self._began = time.monotonic()

    def note(self, text: str) -> None:
        """Something happened."""
        self._say(f"{time.monotonic() - self._began:6.1f} s  {text}")

    def finding(self, text: str) -> None:
        """Something happened that must not."""
        self.findings.append(text)
        self.note(f"FINDING: {text}")
