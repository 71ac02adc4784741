"""When something that failed is tried again: later each time. Pure; times in ms."""

FIRST_MS = 2_000


class Delays:
    """Doubling delays by name, up to `most` ms."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._failures: dict[str, tuple[int, int]] = {}

    def failed(self, name: str, now: int) -> int:
        """It failed once more; returns the delay."""
        times = self._failures.get(name, (0, 0))[0]
        delay = min(FIRST_MS << min(times, 30), self._most)
        self._failures[name] = (times + 1, now + delay)
        return delay

    def succeeded(self, name: str) -> None:
        """It went well, or nobody wants it any more."""
        self._failures.pop(name, None)

    def ready(self, name: str, now: int) -> bool:
        """Whether it may be tried."""
        return self._failures.get(name, (0, 0))[1] <= now

    def names(self) -> list[str]:
        """What has failed and not succeeded since."""
        return list(self._failures)
